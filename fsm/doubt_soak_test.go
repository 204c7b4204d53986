//go:build soak

package fsm_test

import "testing"

// TestEveryDoubt forges each fact of every snapshot, login and record that the
// stories leave, with more than TestDoubts does.
func TestEveryDoubt(t *testing.T) {
	d := newDoubts(t)
	raws := append(forged, "null", "0", "true", "1e400", `["x"]`, `"9999-12-31T23:59:59Z"`, `"https://as.example"`)
	for i := range d.all() {
		d.forge(t, i, raws, 1)
	}
}
