// Package config reads the settings of the relay.
package config

import (
	"errors"
	"strconv"
	"time"
)

// ErrRange says that a value is a number but not an acceptable one.
var ErrRange = errors.New("out of range")

// Config is what the relay can be told.
type Config struct {
	Addr    string
	Workers int
	Timeout time.Duration
}

// Load reads the settings with getenv, which is os.Getenv outside of tests.
func Load(getenv func(string) string) (Config, error) {
	config := Config{Addr: ":8080", Workers: 4, Timeout: 30 * time.Second}
	if value := getenv("RELAY_ADDR"); value != "" {
		config.Addr = value
	}
	if value := getenv("RELAY_WORKERS"); value != "" {
		workers, err := strconv.Atoi(value)
		if err != nil {
			return Config{}, err
		}
		if workers < 1 || workers > 64 {
			return Config{}, ErrRange
		}
		config.Workers = workers
	}
	if value := getenv("RELAY_TIMEOUT"); value != "" {
		timeout, err := time.ParseDuration(value)
		if err != nil {
			return Config{}, err
		}
		if timeout <= 0 {
			return Config{}, ErrRange
		}
		config.Timeout = timeout
	}
	return config, nil
}
