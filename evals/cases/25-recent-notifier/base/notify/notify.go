// Package notify tells receivers about deploys.
package notify

import (
	"context"
	"errors"
	"sync"
)

// Event is one deploy.
type Event struct {
	Service string
	Version string
}

// Notifier is a receiver. Notify may be called by several goroutines at once.
type Notifier interface {
	Notify(ctx context.Context, event Event) error
}

// FanOut tells all of its receivers.
type FanOut []Notifier

var _ Notifier = FanOut(nil)

// Notify calls the receivers at the same time, waits for all of them and joins their errors.
func (f FanOut) Notify(ctx context.Context, event Event) error {
	errs := make([]error, len(f))
	var wg sync.WaitGroup
	for i, receiver := range f {
		wg.Add(1)
		go func(i int, receiver Notifier) {
			defer wg.Done()
			errs[i] = receiver.Notify(ctx, event)
		}(i, receiver)
	}
	wg.Wait()
	return errors.Join(errs...)
}
