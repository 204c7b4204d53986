package draw

import (
	encxml "encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/transitions"
	"pgregory.net/rapid"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew; read the diff")

// sample has one of everything: parallel rows, a state that asks again, a hold,
// an edge back, an edge across a column, and a name that must be escaped.
var sample = []transitions.Row{
	{From: "Idle", On: "Begun", To: "Loading", Rule: "bearer-unauthenticated-first"},
	{From: "Loading", On: "CredentialFound", To: "Authorized", Rule: "refresh-self-sufficient"},
	{From: "Loading", On: "CredentialExpiring", To: "Leasing", Rule: "bearer-no-expired"},
	{From: "Loading", On: "CredentialMissing", To: "Discovering-PRM", Rule: "bearer-unauthenticated-first"},
	{From: "Discovering-PRM", On: "PRMMissing", To: "Discovering-PRM", Rule: "prm-probe-order"},
	{From: "Discovering-PRM", On: "PRMFound", To: "Discovering-ASM", Rule: "prm-as-selection"},
	{From: "Discovering-PRM", On: "IssuerConfigured", To: "Discovering-ASM", Rule: "prm-served"},
	{From: "Discovering-PRM", On: "LegacyServer", To: "Discovering-ASM", Rule: "asm-legacy-base-url"},
	{From: "Discovering-PRM", On: "LegacyAgain", To: "Discovering-ASM", Rule: "asm-legacy-base-url"},
	{From: "Discovering-ASM", On: "ASMRefused", To: "Failed", Rule: "asm-issuer-match"},
	{From: "Discovering-ASM", On: "ASMFound", To: "Authorizing", Rule: "asm-issuer-match"},
	{From: "Authorizing", On: "StateMismatch", To: "Authorizing", Hold: true, Rule: "authz-resp-state-match"},
	{From: "Authorizing", On: "CodeGranted", To: "Authorized", Rule: "issuer-before-token"},
	{From: "Leasing", On: "Leased", To: `Odd "<&>"`, Rule: "refresh-transaction"},
	{From: `Odd "<&>"`, On: "Back", To: "Leasing", Rule: "refresh-transaction"},
}

func TestGolden(t *testing.T) {
	for name, got := range map[string]string{
		"sample.mmd":      Mermaid(sample),
		"sample.dot":      DOT(sample),
		"sample.svg":      SVG(sample, Options{}),
		"sample-path.svg": SVG(sample, Options{Title: "A login", Path: []states.State{"Idle", "Loading", "Discovering-PRM", "Discovering-PRM", "Discovering-ASM"}}),
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("..", "..", "testdata", "golden", "draw", name)
			if *rewrite {
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("the drawing changed (-golden +now; -args -rewrite takes it):\n%s", diff)
			}
		})
	}
}

// ids reads an SVG as XML and lists the ids of its elements.
func ids(t interface{ Fatal(...any) }, svg string) []string {
	d := encxml.NewDecoder(strings.NewReader(svg))
	var out []string
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal("not well-formed: ", err)
		}
		if e, ok := tok.(encxml.StartElement); ok {
			for _, a := range e.Attr {
				if a.Name.Local == "id" {
					out = append(out, a.Value)
				}
			}
		}
	}
}

// checkIDs asserts that every state and every edge has one element.
func checkIDs(t interface {
	Fatal(...any)
	Errorf(string, ...any)
}, rows []transitions.Row) {
	got := ids(t, SVG(rows, Options{}))
	unique := slices.Compact(slices.Sorted(slices.Values(got)))
	if len(unique) != len(got) {
		t.Errorf("an id is there twice: %q", got)
	}
	g := newGraph(rows)
	for _, r := range rows {
		want := []string{"state-" + string(r.From), "state-" + string(r.To)}
		if !r.Hold && !(r.From == r.To && g.saidOnce(r)) {
			want = append(want, fmt.Sprintf("edge-%s--%s", r.From, r.To))
		}
		for _, id := range want {
			if !slices.Contains(got, id) {
				t.Errorf("no element %q", id)
			}
		}
	}
}

func TestElementIDs(t *testing.T) {
	checkIDs(t, sample)
	checkIDs(t, transitions.Table)
}

// TestEveryRowIsDrawn looks for each row of the table in all three drawings.
func TestEveryRowIsDrawn(t *testing.T) {
	mermaid, dot := Mermaid(transitions.Table), DOT(transitions.Table)
	g := newGraph(transitions.Table)
	shown := 0
	for _, n := range g.nodes {
		for _, e := range n.out {
			shown += len(e.rows)
			to := g.nodes[e.to]
			if want := fmt.Sprintf("    %s --> %s : ", id(n), id(to)); strings.Count(mermaid, want) != 1 {
				t.Errorf("Mermaid lacks %q, or has it twice", want)
			}
			if want := fmt.Sprintf("\t\"%s\" -> \"%s\" [", n.state, to.state); strings.Count(dot, want) != 1 {
				t.Errorf("DOT lacks %q, or has it twice", want)
			}
			svg := SVG(transitions.Table, Options{})
			for _, r := range e.rows {
				if !strings.Contains(svg, fmt.Sprintf("%s (%s)", r.On, r.Rule)) {
					t.Errorf("SVG does not tell %s", r.On)
				}
			}
		}
	}
	if shown+g.hidden != len(transitions.Table) {
		t.Errorf("%d rows shown and %d counted as hidden, of %d", shown, g.hidden, len(transitions.Table))
	}
}

// overlap reports whether two ranges share more than a point.
func overlap(a0, a1, b0, b1 float64) bool { return a0 < b1 && b0 < a1 }

// checkLayout asserts what makes a drawing readable: no card overlaps another, no line
// runs through a card or along a line to another state, and no text overlaps another.
func checkLayout(t interface{ Errorf(string, ...any) }, rows []transitions.Row) {
	p := layOut(newGraph(rows))
	for i := range p.cards {
		a := &p.cards[i]
		if a.x < 0 || p.right(a.col) > p.width || a.y < 0 || a.y+a.height() > p.height {
			t.Errorf("%s lies outside the page", p.g.nodes[i].state)
		}
		for k := range p.cards[:i] {
			b := &p.cards[k]
			if overlap(a.x, p.right(a.col), b.x, p.right(b.col)) && overlap(a.y, a.y+a.height(), b.y, b.y+b.height()) {
				t.Errorf("%s lies on %s", p.g.nodes[i].state, p.g.nodes[k].state)
			}
		}
		for _, l := range a.lines {
			need := float64(len(l.text))*glyph + 2*inset
			if l.edge != nil && l.edge.to != l.edge.from {
				need += float64(len(p.g.nodes[l.edge.to].state)+1) * glyph
			}
			if need > p.colW[a.col]+1e-9 {
				t.Errorf("%s: %q takes %.1f of %.1f", p.g.nodes[i].state, l.text, need, p.colW[a.col])
			}
		}
	}
	type piece struct {
		a, b   point
		target int
		detour bool
	}
	var pieces []piece
	cutUp := func(points []point, e *edge, detour bool) {
		if len(points) < 4 {
			t.Errorf("a line from %s has no corners", p.g.nodes[e.from].state)
		}
		for i := 1; i < len(points); i++ {
			a, b := points[i-1], points[i]
			if a.x != b.x && a.y != b.y {
				t.Errorf("a line from %s is neither level nor upright", p.g.nodes[e.from].state)
			}
			pieces = append(pieces, piece{point{min(a.x, b.x), min(a.y, b.y)}, point{max(a.x, b.x), max(a.y, b.y)}, e.to, detour})
		}
	}
	for _, r := range p.routes {
		cutUp(r.points, r.edge, false)
	}
	for i := range p.cards {
		for _, l := range p.cards[i].lines {
			if l.edge != nil && !l.drawn && l.edge.to != l.edge.from {
				cutUp(l.detour, l.edge, true)
			}
		}
	}
	for i, s := range pieces {
		for k := range p.cards {
			c := &p.cards[k]
			left, right, top, bottom := c.x, p.right(c.col), c.y, c.y+c.height()
			upright := s.a.x == s.b.x && left < s.a.x && s.a.x < right && overlap(s.a.y, s.b.y, top, bottom)
			level := s.a.y == s.b.y && top < s.a.y && s.a.y < bottom && overlap(s.a.x, s.b.x, left, right)
			if upright || level {
				t.Errorf("a line to %s crosses the card of %s", p.g.nodes[s.target].state, p.g.nodes[k].state)
			}
		}
		for _, o := range pieces[:i] {
			if o.target == s.target || s.detour || o.detour {
				continue // few detours are seen at once, so they may share
			}
			upright := s.a.x == s.b.x && o.a.x == o.b.x && s.a.x == o.a.x && overlap(s.a.y, s.b.y, o.a.y, o.b.y)
			level := s.a.y == s.b.y && o.a.y == o.b.y && math.Abs(s.a.y-o.a.y) < 1 && overlap(s.a.x, s.b.x, o.a.x, o.b.x)
			if upright || level {
				t.Errorf("the lines to %s and to %s run along each other", p.g.nodes[s.target].state, p.g.nodes[o.target].state)
			}
		}
	}
}

func TestLayout(t *testing.T) {
	checkLayout(t, sample)
	checkLayout(t, transitions.Table)
}

// TestAnyTable draws random tables.
func TestAnyTable(t *testing.T) {
	names := append([]states.State{"Strange", "Str-ange", "Str_ange", "end"}, states.All...)
	row := rapid.Custom(func(t *rapid.T) transitions.Row {
		r := transitions.Row{
			From: rapid.SampledFrom(names).Draw(t, "from"),
			On:   transitions.Event(rapid.StringMatching(`[A-Z][a-z]{1,30}`).Draw(t, "on")),
			To:   rapid.SampledFrom(names).Draw(t, "to"),
		}
		r.Hold = r.From == r.To && rapid.Bool().Draw(t, "hold")
		return r
	})
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(row, 0, 120).Draw(t, "rows")
		checkLayout(t, rows)
		checkIDs(t, rows)
		again := slices.Clone(rows)
		if SVG(rows, Options{}) != SVG(again, Options{}) || Mermaid(rows) != Mermaid(again) || DOT(rows) != DOT(again) {
			t.Error("the same rows give different bytes")
		}
	})
}

func TestPathIsLit(t *testing.T) {
	svg := SVG(transitions.Table, Options{Title: "</title><script>", Path: []states.State{"Idle", "Loading", "Authorized", "Nowhere"}})
	for _, want := range []string{
		`class="stile-draw path"`,
		`id="edge-Idle--Loading" class="edge lit"`,
		`id="edge-Loading--Authorized" class="edge far lit"`,
		`id="state-Authorized" class="state lit"`,
		`id="state-Failed" class="state"`,
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(svg, "<script") || strings.Contains(svg, "Nowhere") {
		t.Error("the title is not escaped, or a state that is not in the table is drawn")
	}
	ids(t, svg)
}

func TestLabel(t *testing.T) {
	for _, c := range []struct {
		events []string
		want   string
	}{
		{[]string{"A"}, "A"},
		{[]string{"A", "B", "C"}, "A, B, C"},
		{[]string{"A", "B", "C", "D"}, "A, B, +2 more"},
	} {
		if got := label(c.events); got != c.want {
			t.Errorf("label(%q) = %q, want %q", c.events, got, c.want)
		}
	}
}

func TestAliasesDiffer(t *testing.T) {
	names := []string{"a-b", "a_b", "ab", "a b", "a.b", `a"b`, "ä"}
	var seen []string
	for _, n := range names {
		a := alias(n)
		if slices.Contains(seen, a) || strings.ContainsAny(a, `-" .ä`) {
			t.Errorf("alias(%q) = %q", n, a)
		}
		seen = append(seen, a)
	}
}

func TestEmptyTable(t *testing.T) {
	if got := ids(t, SVG(nil, Options{})); len(got) != 0 {
		t.Errorf("an empty table has elements %q", got)
	}
	if got := Mermaid(nil); got != "stateDiagram-v2\n" {
		t.Errorf("Mermaid(nil) = %q", got)
	}
}
