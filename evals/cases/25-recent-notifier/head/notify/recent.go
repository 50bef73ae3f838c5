package notify

import (
	"context"
	"sync"
)

// Recent keeps the last events in memory.
type Recent struct {
	mu     sync.Mutex
	max    int
	events []Event
}

var _ Notifier = (*Recent)(nil)

// NewRecent returns a Recent for the last max events; max must be positive.
func NewRecent(max int) *Recent {
	if max < 1 {
		panic("notify: max must be positive")
	}
	return &Recent{max: max}
}

// Notify remembers the event.
func (r *Recent) Notify(ctx context.Context, event Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, event)
	if len(r.events) > r.max {
		r.events = append([]Event(nil), r.events[1:]...)
	}
	return nil
}

// Events returns the remembered events, oldest first.
func (r *Recent) Events() []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Event(nil), r.events...)
}
