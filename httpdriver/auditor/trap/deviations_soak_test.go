//go:build soak && unix

package trap_test

import "testing"

// Each deviation is named by a trap of its own.
func TestEveryDeviation(t *testing.T) { deviate(t, 1) }
