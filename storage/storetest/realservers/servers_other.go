//go:build !unix

package realservers

import (
	"fmt"
	"testing"
)

func startPostgres() (string, func(), error) {
	return "", nil, fmt.Errorf("PostgreSQL for tests %w on this system", errMissing)
}

// Share shares no server here.
func Share() (stop func(), err error) { return func() {}, nil }

func startRedis() (string, func(), error) {
	return "", nil, fmt.Errorf("Redis for tests %w on this system", errMissing)
}

func startCluster() (string, func(), error) { return startRedis() }

// Mortal is a server that the test kills and starts again.
type Mortal struct{ URL string }

// MortalPostgres has no server here.
func MortalPostgres(t testing.TB) *Mortal { return noMortal(t) }

// MortalRedis has no server here.
func MortalRedis(t testing.TB) *Mortal { return noMortal(t) }

func noMortal(t testing.TB) *Mortal {
	t.Helper()
	skipMissing(t, errMissing)
	return nil
}

// Kill kills the server at once.
func (*Mortal) Kill() {}

// Start starts the server again.
func (*Mortal) Start() {}
