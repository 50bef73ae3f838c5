package seats

import (
	"errors"
	"net/http"
)

// Handler serves POST /hold?seat=12A for the user in X-User.
func Handler(store *Store) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		seat, user := r.URL.Query().Get("seat"), r.Header.Get("X-User")
		if seat == "" || user == "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if err := store.Hold(seat, user); errors.Is(err, ErrTaken) {
			w.WriteHeader(http.StatusConflict)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}
