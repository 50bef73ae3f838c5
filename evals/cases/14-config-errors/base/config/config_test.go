package config

import (
	"errors"
	"testing"
	"time"
)

func env(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

func TestDefaults(t *testing.T) {
	got, err := Load(env(nil))
	want := Config{Addr: ":8080", Workers: 4, Timeout: 30 * time.Second}
	if err != nil || got != want {
		t.Fatalf("got %+v, %v", got, err)
	}
}

func TestRange(t *testing.T) {
	for name, value := range map[string]string{"RELAY_WORKERS": "65", "RELAY_TIMEOUT": "-1s"} {
		if _, err := Load(env(map[string]string{name: value})); !errors.Is(err, ErrRange) {
			t.Errorf("%s=%s: got %v", name, value, err)
		}
	}
}
