//go:build soak

package explore

import "testing"

func TestSoakMutants(t *testing.T) {
	t.Parallel()
	killAll(t, 1)
}

func TestSoakOpenWorld(t *testing.T) {
	t.Parallel()
	seenAll(t, walk(t, Options{World: "open", Situations: 100000}))
}

// TestSoakClosedWorldToItsEnd is the longest of them, more than two million situations.
func TestSoakClosedWorldToItsEnd(t *testing.T) {
	t.Parallel()
	s := walk(t, Options{World: "closed", Situations: 4000000, prompt: true})
	if !s.FixedPoint {
		t.Error("the closed world with one trouble, but for late answers, has a fixed point, and it was not reached")
	}
}

func TestSoakClosedWorld(t *testing.T) {
	t.Parallel()
	walk(t, Options{World: "closed", Situations: 100000})
	walk(t, Options{World: "closed", Situations: 100000, Trouble: 2})
	if s := walk(t, Options{World: "closed", Situations: 60000, Trouble: -1}); !s.FixedPoint {
		t.Error("a world without trouble has no end")
	}
}

func TestSoakDoubt(t *testing.T) {
	t.Parallel()
	walk(t, Options{World: "doubt", Situations: 20000})
}

func TestSoakMachines(t *testing.T) {
	t.Parallel()
	walk(t, Options{World: "machines", Situations: 12000})
}

func TestSoakFaults(t *testing.T) {
	t.Parallel()
	walk(t, Options{World: "faults", Situations: 200000})
}

func TestSoakPair(t *testing.T) {
	t.Parallel()
	for _, begin := range []string{"two renewals each", "two renewals each, clocks 20 s apart"} {
		if s := walk(t, Options{World: "pair", Situations: 400000, Trouble: -1, begin: begin}); !s.FixedPoint {
			t.Errorf("%s: without trouble there is no end", begin)
		}
	}
	walk(t, Options{World: "pair", Situations: 150000, Trouble: -1})
	walk(t, Options{World: "pair", Situations: 150000})
}

func TestSoakMoved(t *testing.T) {
	t.Parallel()
	if s := walk(t, Options{World: "moved", Situations: 100000, Trouble: -1}); !s.FixedPoint {
		t.Error("a world without trouble has no end")
	}
	walk(t, Options{World: "moved", Situations: 100000})
}

func TestSoakAdversary(t *testing.T) {
	t.Parallel()
	walk(t, Options{World: "adversary", Situations: 200000})
}
