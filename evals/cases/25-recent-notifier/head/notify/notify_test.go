package notify

import (
	"context"
	"errors"
	"testing"
)

type stub struct{ err error }

func (s stub) Notify(context.Context, Event) error { return s.err }

func TestRecentKeepsTheLast(t *testing.T) {
	recent := NewRecent(2)
	for _, version := range []string{"1", "2", "3"} {
		if err := (FanOut{recent}).Notify(context.Background(), Event{"shop", version}); err != nil {
			t.Fatal(err)
		}
	}
	got := recent.Events()
	if len(got) != 2 || got[0].Version != "2" || got[1].Version != "3" {
		t.Errorf("got %v", got)
	}
}

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
