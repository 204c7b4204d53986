package transitions_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/transitions"
)

type pair struct {
	from states.State
	on   transitions.Event
}

func TestTableIsAFunction(t *testing.T) {
	seen := map[pair]bool{}
	for _, r := range transitions.Table {
		if seen[pair{r.From, r.On}] {
			t.Errorf("two rows for %s in %s", r.On, r.From)
		}
		seen[pair{r.From, r.On}] = true
		if !states.Known(r.From) || !states.Known(r.To) {
			t.Errorf("the row %s, %s, %s names no state", r.From, r.On, r.To)
		}
		if r.Hold && r.From != r.To {
			t.Errorf("the row %s, %s holds and leads to %s", r.From, r.On, r.To)
		}
		if _, ok := rules.Lookup(r.Rule); !ok {
			t.Errorf("the row %s, %s cites %q, which is no rule", r.From, r.On, r.Rule)
		}
	}
}

func TestEveryStateIsReached(t *testing.T) {
	reached := []states.State{states.Idle}
	for i := 0; i < len(reached); i++ {
		for _, r := range transitions.Table {
			if r.From == reached[i] && !slices.Contains(reached, r.To) {
				reached = append(reached, r.To)
			}
		}
	}
	for _, s := range states.All {
		if !slices.Contains(reached, s) {
			t.Errorf("no way leads to %s", s)
		}
	}
}

// TestEveryStateComesToRest: from everywhere there is a way to a resting state,
// and out of every resting state there is one.
func TestEveryStateComesToRest(t *testing.T) {
	rests := map[states.State]bool{}
	for _, s := range states.All {
		rests[s] = states.Resting(s)
	}
	for range states.All {
		for _, r := range transitions.Table {
			if r.From != r.To && rests[r.To] {
				rests[r.From] = true
			}
		}
	}
	for _, s := range states.All {
		if !rests[s] {
			t.Errorf("no way leads from %s to rest", s)
		}
		if !slices.ContainsFunc(transitions.Table, func(r transitions.Row) bool { return r.From == s && r.To != s }) {
			t.Errorf("no way leads out of %s", s)
		}
	}
}

// TestEveryStateTakesWhatMayComeAtAnyTime: time, a token taken, a challenge, a
// wish to cancel and an interruption have a row in every state.
func TestEveryStateTakesWhatMayComeAtAnyTime(t *testing.T) {
	has := func(s states.State, any ...transitions.Event) bool {
		return slices.ContainsFunc(transitions.Table, func(r transitions.Row) bool { return r.From == s && slices.Contains(any, r.On) })
	}
	for _, s := range states.All {
		if !has(s, transitions.TimePassed) || !has(s, transitions.TokenAccepted) ||
			!has(s, transitions.ChallengeNoted, transitions.Forbidden) || !has(s, transitions.Cancelled, transitions.CancelNoted) {
			t.Errorf("%s has no row for a statement", s)
		}
		once := s == states.Registering || s == states.Exchanging || s == states.Refreshing
		if has(s, transitions.AskedAgain, transitions.AskedAgainToAssert, transitions.AskedAgainToIdentify) == once {
			t.Errorf("%s: Once %v, and AskedAgain says otherwise", s, once)
		}
	}
}

// TestEventsAndTable: every event constant stands in the table, and every row's
// event is a constant.
func TestEventsAndTable(t *testing.T) {
	named := constants(t)
	used := map[string]bool{}
	for _, r := range transitions.Table {
		used[string(r.On)] = true
	}
	for name, value := range named {
		if name == "Illegal" {
			continue
		}
		if name != value {
			t.Errorf("the event %s is called %q", name, value)
		}
		if !used[value] {
			t.Errorf("no row names the event %s", name)
		}
	}
	for value := range used {
		if _, ok := named[value]; !ok {
			t.Errorf("the table names %q, which is no constant", value)
		}
	}
}

// TestEveryEventIsDescribed: each event has its meaning, in one sentence.
func TestEveryEventIsDescribed(t *testing.T) {
	for _, r := range transitions.Table {
		switch says := transitions.Describe(r.On); {
		case says == "":
			t.Errorf("%s has no meaning beside it in event.go (go generate ./transitions writes what is there)", r.On)
		case strings.HasSuffix(says, ".") || strings.ToLower(says[:1]) != says[:1]:
			t.Errorf("%s: %q is no sentence without its capital and full stop", r.On, says)
		}
	}
	if transitions.Describe(transitions.Illegal) != "" || transitions.Describe("Nothing") != "" {
		t.Error("something that is not an event is described")
	}
}

// TestClassifyNamesOnlyRows reads the sources: what the Classify function of a
// state returns by name is in the table for some state, and every event is
// named by some Classify. (That each is named in its own state the stories
// show: they fire every row, and an event without a row is an error of Step.)
func TestClassifyNamesOnlyRows(t *testing.T) {
	named := constants(t)
	mentioned := map[string]bool{}
	parse(t, func(path string, f *ast.File) {
		if base := filepath.Base(path); base == "event.go" || base == "event_gen.go" || base == "table.go" || base == "everywhere.go" || base == "advice.go" {
			return
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if i, ok := n.(*ast.Ident); ok {
				if _, event := named[i.Name]; event {
					mentioned[i.Name] = true
				}
			}
			return true
		})
	})
	for name := range named {
		if !mentioned[name] {
			t.Errorf("no Classify names %s", name)
		}
	}
}

func constants(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	parse(t, func(path string, f *ast.File) {
		if filepath.Base(path) != "event.go" {
			return
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				text, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				out[v.Names[0].Name] = text
			}
		}
	})
	if len(out) < 100 {
		t.Fatalf("%d events only", len(out))
	}
	return out
}

func parse(t *testing.T, visit func(path string, f *ast.File)) {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		visit(e.Name(), f)
	}
}
