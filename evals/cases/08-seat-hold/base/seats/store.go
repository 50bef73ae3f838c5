// Package seats keeps track of who is about to buy which seat.
package seats

import (
	"errors"
	"sync"
	"time"
)

// HoldTime is how long a seat stays held without a payment.
const HoldTime = 5 * time.Minute

// ErrTaken says that somebody else holds the seat.
var ErrTaken = errors.New("seat is taken")

type hold struct {
	user    string
	expires time.Time
}

// Store holds seats. It is safe for use by several goroutines.
type Store struct {
	mu    sync.Mutex
	holds map[string]hold
	now   func() time.Time
}

// NewStore returns an empty store that reads the time from now.
func NewStore(now func() time.Time) *Store {
	return &Store{holds: make(map[string]hold), now: now}
}

// Hold gives the seat to the user for HoldTime, or extends the user's own hold.
func (s *Store) Hold(seat, user string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	current, held := s.holds[seat]
	if held && current.user != user && now.Before(current.expires) {
		return ErrTaken
	}
	s.holds[seat] = hold{user: user, expires: now.Add(HoldTime)}
	return nil
}

// Holder tells who holds the seat; it is empty when nobody does.
func (s *Store) Holder(seat string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	current, held := s.holds[seat]
	if !held || !s.now().Before(current.expires) {
		return ""
	}
	return current.user
}

// Release gives up the user's hold on the seat, if there is one.
func (s *Store) Release(seat, user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.holds[seat].user == user {
		delete(s.holds, seat)
	}
}
