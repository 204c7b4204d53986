package explore

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/fsm/script"
	"github.com/stile-oauth/stile/states"
)

// walk goes through a world and fails on every violation, with its script.
func walk(t *testing.T, o Options) Summary {
	t.Helper()
	x, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	for x.Run(1000) {
	}
	for _, v := range x.Violations() {
		t.Errorf("%s\n%s", v, v.Script)
	}
	s := x.Summary()
	t.Logf("%s: %d situations from %d beginnings, %d steps, depth %d, %d of %d rows, fixed point: %v",
		s.World, s.Situations, s.Beginnings, s.Steps, s.Depth, s.Rows, s.Table, s.FixedPoint)
	return s
}

func TestOpenWorld(t *testing.T) {
	t.Parallel()
	walk(t, Options{World: "open", Situations: 16000 / shrink})
}

// seenAll fails when a walk of the open world missed a state or too many rows.
func seenAll(t *testing.T, s Summary) {
	t.Helper()
	if s.States != len(states.All) {
		t.Errorf("%d of %d states were seen", s.States, len(states.All))
	}
	if s.Rows < s.Table*8/10 {
		t.Errorf("only %d of %d rows fired; not: %s", s.Rows, s.Table, strings.Join(s.Unfired, ", "))
	}
}

func TestClosedWorld(t *testing.T) {
	t.Parallel()
	walk(t, Options{World: "closed", Situations: 12000 / shrink})
	if s := walk(t, Options{World: "closed", Situations: 60000 / shrink, Trouble: -1}); !s.FixedPoint && shrink == 1 {
		t.Error("a world without trouble has no end")
	}
}

func TestWorldOfFaults(t *testing.T) {
	t.Parallel()
	walk(t, Options{World: "faults", Situations: 30000 / shrink})
}

func TestPair(t *testing.T) {
	t.Parallel()
	walk(t, Options{World: "pair", Situations: 20000 / shrink})
	// Two whole refreshes of each, in every order.
	for _, begin := range []string{"two renewals each", "two renewals each, clocks 20 s apart"} {
		s := walk(t, Options{World: "pair", Situations: 20000 / shrink, Trouble: -1, Stalls: -1, begin: begin})
		if !s.FixedPoint && shrink == 1 {
			t.Errorf("%s: without trouble there is no end", begin)
		}
	}
}

// What a walk says of each of its beginnings adds up, and a way that is said to
// be complete was walked.
func TestBeginnings(t *testing.T) {
	t.Parallel()
	x, err := New(Options{World: "pair", Situations: 3000 / shrink})
	if err != nil {
		t.Fatal(err)
	}
	for more := true; more; {
		more = x.Run(100)
		s, all := x.Summary(), 0
		for _, b := range s.Walks {
			all += b.Situations
			if b.Name == "" || b.Complete > b.Depth || b.FixedPoint && b.Complete != b.Depth {
				t.Fatalf("%+v", b)
			}
		}
		if all != s.Situations || len(s.Walks) > s.Beginnings || s.Done && len(s.Walks) != s.Beginnings {
			t.Fatalf("%d situations from all beginnings: %+v", all, s)
		}
	}
}

func TestMovedWorld(t *testing.T) {
	t.Parallel()
	walk(t, Options{World: "moved", Situations: 12000 / shrink})
}

func TestWorldOfDoubt(t *testing.T) {
	t.Parallel()
	walk(t, Options{World: "doubt", Situations: 20000 / shrink})
}

func TestMachines(t *testing.T) {
	t.Parallel()
	s := walk(t, Options{World: "machines", Situations: 12000 / shrink})
	if !s.FixedPoint && shrink == 1 {
		t.Log("the walk was cut")
	}
}

func TestAdversary(t *testing.T) {
	t.Parallel()
	walk(t, Options{World: "adversary", Situations: 20000 / shrink})
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	if _, err := New(Options{World: "no such"}); err == nil {
		t.Error("a world that does not exist is walked")
	}
	if _, err := New(Options{World: "pair", Only: []string{"no such"}}); err == nil {
		t.Error("an invariant that does not exist is watched")
	}
	if _, err := New(Options{World: "pair", Only: []string{"pkce-once", "pkce-once"}}); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("an invariant that is named twice: %v", err)
	}
}

// The same walk gives the same numbers, in slices of any size.
func TestWalkIsDeterministic(t *testing.T) {
	t.Parallel()
	run := func(slice int) Summary {
		x, err := New(Options{World: "pair", Situations: 1500 / shrink})
		if err != nil {
			t.Fatal(err)
		}
		for x.Run(slice) {
		}
		return x.Summary()
	}
	if a, b := run(7), run(1000); !reflect.DeepEqual(a, b) {
		t.Errorf("%+v\n%+v", a, b)
	}
}

// What breaks only on the honest way from a situation to its rest is a violation
// too, and its script goes all the way.
func TestViolationOnTheWayToRest(t *testing.T) {
	m := mutants[slicesIndex("the lease is kept")]
	m.also = []string{ends.Name}
	x, err := m.kill(12)
	if err != nil {
		t.Fatal(err)
	}
	found, s := x.Violations(), x.Summary()
	if len(found) != 1 || found[0].Invariant != leaseReturned.Name || !strings.Contains(found[0].Script, "Rotating: Rotated → Authorized") {
		t.Fatalf("%v", found)
	}
	if last := found[0].Steps[len(found[0].Steps)-1]; last != "then honestly on: a" {
		t.Errorf("the way ends with %q", last)
	}
	if s.Following == 0 || s.Followed == 0 || s.Rows+s.Followed+len(s.Unfired) != s.Table {
		t.Errorf("%d steps and %d rows on the way to rest", s.Following, s.Followed)
	}
}

// A violation's script runs as it is printed, command by command.
func TestScriptOfAViolation(t *testing.T) {
	m := mutants[slicesIndex("a refused step-up costs the token")]
	x, err := m.kill(60000)
	if err != nil {
		t.Fatal(err)
	}
	v := x.Violations()[0]
	if v.Rule == "" || !strings.Contains(v.String(), v.Invariant) {
		t.Errorf("the violation does not cite its rule: %s", v)
	}
	s := script.New()
	for block := range strings.SplitSeq(v.Script, "\n\n") {
		head, want, ok := strings.Cut(block, "----\n")
		lines := strings.SplitN(strings.TrimPrefix(head, "# Found by stile explore in the closed world.\n"), "\n", 2)
		if !ok || lines[0] == "" {
			continue
		}
		got := s.Do(lines[0], strings.TrimSpace(lines[1]))
		if strings.TrimSpace(got) != strings.TrimSpace(want) {
			t.Fatalf("%s prints\n%s\nand not\n%s", lines[0], got, want)
		}
		if strings.HasPrefix(got, "error:") || strings.HasPrefix(got, "refused") {
			t.Errorf("%s: %s", lines[0], got)
		}
	}
	// The mutant fails where the law goes back to the token.
	if !strings.Contains(v.Script, "DeniedWhileHolding → Authorized") {
		t.Errorf("the script does not lead to the place:\n%s", v.Script)
	}
}

func slicesIndex(name string) int {
	for i, m := range mutants {
		if m.name == name {
			return i
		}
	}
	return -1
}

// docs/exploration.md lists the invariants as they are.
func TestPageListsTheInvariants(t *testing.T) {
	page, err := os.ReadFile("../../docs/exploration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, inv := range Invariants() {
		row := "| `" + inv.Name + "` | `" + string(inv.Rule) + "` | " + inv.Says + " |"
		if !strings.Contains(string(page), row) {
			t.Errorf("docs/exploration.md lacks the row\n%s", row)
		}
	}
}
