package seats

import (
	"errors"
	"testing"
	"time"
)

func TestHold(t *testing.T) {
	now := time.Unix(1000, 0)
	store := NewStore(func() time.Time { return now })
	if err := store.Hold("1A", "ann"); err != nil {
		t.Fatal(err)
	}
	if err := store.Hold("1A", "bob"); !errors.Is(err, ErrTaken) {
		t.Fatalf("got %v", err)
	}
	now = now.Add(HoldTime)
	if got := store.Holder("1A"); got != "" {
		t.Fatalf("got %q", got)
	}
	if err := store.Hold("1A", "bob"); err != nil {
		t.Fatal(err)
	}
	store.Release("1A", "ann")
	if got := store.Holder("1A"); got != "bob" {
		t.Fatalf("got %q", got)
	}
}
