//go:build soak && unix

package trap_test

import (
	"testing"

	"github.com/stile-oauth/stile/fsm/audit"
)

// Each deviation is named by a trap of its own.
func TestEveryDeviation(t *testing.T) { deviate(t, 1) }

// No variety of a client that keeps the rules is found, in any trap.
func TestEveryVariety(t *testing.T) {
	var all []string
	for _, trap := range audit.Traps() {
		all = append(all, trap.ID)
	}
	vary(t, all, len(varieties)/2)
}
