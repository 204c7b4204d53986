package lines

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/states"
)

var rewrite = flag.Bool("rewrite", false, "write the examples of docs/engine-protocol.md anew")

const page = "../../docs/engine-protocol.md"

// unusual are lines that do not occur in the recorded life. Each is sent in a state of
// that life, with the serial of the open question.
var unusual = []struct{ state, line string }{
	{"Leasing", `{"input":{"Held":{"serial":%d}},"time":"2026-07-28T13:10:00Z"}`},
	{"Saving", `{"input":{"Conflicted":{"serial":%d}},"time":"2026-07-28T12:00:30Z"}`},
	{"Loading", `{"input":{"StoreFailed":{"serial":%d,"detail":"the disk is full"}},"time":"2026-07-28T12:00:30Z"}`},
	{"Discovering-PRM", `{"input":{"Unreachable":{"serial":%d,"class":"unsent","detail":"no such host"}},"time":"2026-07-28T12:00:30Z"}`},
	{"Authorizing", `{"input":{"Cancelled":{}},"time":"2026-07-28T12:00:30Z"}`},
	{"Registering", `{"input":{"Interrupted":{"seed":"an-example-seed-is-not-a-fresh-seed"}},"time":"2026-07-28T12:00:30Z"}`},
	{"Discovering-PRM", `{"input":{"Responded":{"serial":%d,"response":{"status":200,"header":[["Content-Type","text/plain"]],"json":{"resource":"https://mcp.example/mcp","authorization_servers":["https://as.example"]}}}},"time":"2026-07-28T12:00:30Z"}`},
}

// spoken gives pairs of lines and answers: those of the recorded life, then the unusual
// ones.
func spoken(t *testing.T) []string {
	t.Helper()
	var out []string
	var s *Session
	hear := func(line string) { out = append(out, "> "+line+"\n< "+string(s.Line(noon, []byte(line)))) }
	until := func(state string) bool {
		for line := range strings.Lines(string(life(t))) {
			if strings.HasPrefix(line, "#") {
				s = NewSession()
			} else if in, ok := strings.CutPrefix(line, "> "); ok {
				in = strings.TrimSuffix(in, "\n")
				if state == "" {
					hear(in)
				} else if s.Line(noon, []byte(in)); string(s.m.State) == state {
					return true
				}
			}
		}
		return state == ""
	}
	until("")
	for _, u := range unusual {
		if !until(u.state) {
			t.Fatalf("the life never comes to %s", u.state)
		}
		if strings.Contains(u.line, "%d") {
			u.line = fmt.Sprintf(u.line, s.m.Data.Serial)
		}
		hear(u.line)
	}
	// A login of another replica.
	for _, pair := range out {
		_, value, _ := strings.Cut(pair, `"kind":"login"`)
		_, value, ok := strings.Cut(value, `"value":`)
		if !ok || !strings.Contains(pair, `"state":"Parking"`) {
			continue
		}
		value, _, _ = strings.Cut(value, `,"expires":"2026-07-28T12:06`)
		s = NewSession()
		hear(`{"login":` + value + `,"generation":3}`)
		hear(`{"input":{"Resumed":{"seed":"an-example-seed-is-not-a-fresh-seed"}},"time":"2026-07-28T12:01:00Z"}`)
		break
	}
	return out
}

// Each example on the page is what the engine says: the first pair of lines that
// contains the words after "example:".
func TestProtocolExamples(t *testing.T) {
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	pairs := spoken(t)
	parts := strings.Split(string(b), "<!-- example: ")
	for i, part := range parts[1:] {
		words, rest, _ := strings.Cut(part, " -->\n```text\n")
		old, rest, ok := strings.Cut(rest, "```\n")
		if !ok {
			t.Fatalf("the example %s has no block", words)
		}
		example := ""
		for _, pair := range pairs {
			if strings.Contains(pair, words) {
				example = pair
				break
			}
		}
		if example == "" {
			t.Errorf("nothing was said that holds %s", words)
		}
		if old != example && !*rewrite {
			t.Errorf("%s is stale (go test ./fsm/lines -rewrite): the example %s is\n%s", page, words, example)
		}
		parts[i+1] = words + " -->\n```text\n" + example + "```\n" + rest
	}
	if *rewrite {
		if err := os.WriteFile(page, []byte(strings.Join(parts, "<!-- example: ")), 0o644); err != nil { //nolint:gosec // a page
			t.Fatal(err)
		}
	}
	if len(parts) < 30 {
		t.Errorf("%d examples only", len(parts)-1)
	}
}

// The page names every input and effect, with its members.
func TestProtocolIsWhole(t *testing.T) {
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	types := []reflect.Type{}
	for _, v := range []any{
		states.Begun{}, states.Resumed{}, states.Loaded{}, states.NotFound{}, states.Leased{}, states.Held{}, states.Saved{}, states.Deleted{},
		states.Claimed{}, states.Conflicted{}, states.StoreFailed{}, states.Answered{}, states.Signed{}, states.Unsigned{}, states.Responded{}, states.Unreachable{},
		states.Redirected{}, states.Challenged{}, states.Accepted{}, states.Ticked{}, states.Interrupted{}, states.Cancelled{}, states.LoggedOut{},
		states.Send{}, states.Sign{}, states.Assert{}, states.Show{}, states.Visit{}, states.Load{}, states.Lease{}, states.Release{}, states.Save{}, states.Delete{}, states.Claim{},
		states.Ask{}, states.Wake{}, states.Grant{}, states.Report{}, states.Note{},
	} {
		types = append(types, reflect.TypeOf(v))
	}
	if len(types) != len(inputs)+len(effects)+1 { // a trace has its notes in a list of their own
		t.Fatalf("%d kinds, the codec has %d inputs and %d effects", len(types), len(inputs), len(effects))
	}
	for _, typ := range types {
		_, row, ok := strings.Cut(text, "\n| `"+typ.Name()+"` |")
		if !ok {
			t.Errorf("the page has no row for %s", typ.Name())
			continue
		}
		row, _, _ = strings.Cut(row, "\n")
		for i := range typ.NumField() {
			name := snake(typ.Field(i).Name)
			if typ.Name() == "Note" {
				name = "rule"
			}
			if !strings.Contains(row, "`"+name+"`") {
				t.Errorf("the row of %s does not name %s", typ.Name(), name)
			}
		}
	}
	c := reflect.TypeFor[states.Config]()
	for i := range c.NumField() {
		name, _, _ := strings.Cut(c.Field(i).Tag.Get("json"), ",")
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("the page does not name %s of the configuration", name)
		}
	}
}
