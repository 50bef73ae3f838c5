package notify

import (
	"context"
	"errors"
	"testing"
)

type stub struct{ err error }

func (s stub) Notify(context.Context, Event) error { return s.err }

func TestFanOutJoinsErrors(t *testing.T) {
	broken := errors.New("broken")
	err := FanOut{stub{}, stub{broken}}.Notify(context.Background(), Event{})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if err := (FanOut{stub{}}).Notify(context.Background(), Event{}); err != nil {
		t.Errorf("got %v", err)
	}
}
