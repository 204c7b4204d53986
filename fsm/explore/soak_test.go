//go:build soak

package explore

import "testing"

func TestSoakMutants(t *testing.T) { killAll(t, 1) }

func TestSoakOpenWorld(t *testing.T) { walk(t, Options{World: "open", Situations: 150000}) }
func TestSoakClosedWorld(t *testing.T) {
	s := walk(t, Options{World: "closed", Situations: 4000000})
	if !s.FixedPoint {
		t.Error("the closed world with one trouble has a fixed point, and it was not reached")
	}
	walk(t, Options{World: "closed", Situations: 300000, Trouble: 2})
}
func TestSoakFaults(t *testing.T) { walk(t, Options{World: "faults", Situations: 300000}) }
func TestSoakPair(t *testing.T) {
	walk(t, Options{World: "pair", Situations: 400000, Trouble: -1})
	walk(t, Options{World: "pair", Situations: 400000})
}
func TestSoakMoved(t *testing.T)     { walk(t, Options{World: "moved", Situations: 300000}) }
func TestSoakAdversary(t *testing.T) { walk(t, Options{World: "adversary", Situations: 400000}) }
