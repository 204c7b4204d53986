//go:build soak && unix

package httpdriver_test

import "testing"

// Every mutant that shows on the wire is named.
func TestEveryWireMutant(t *testing.T) { killOnTheWire(t, 1) }
