package lines

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stile-oauth/stile/states"
)

var noon = time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)

const (
	config = `{"config":{"server":"https://mcp.example/mcp"}}`
	begun  = `{"input":{"Begun":{"seed":"0123456789abcdef0123456789abcdef"}}}`
)

type answered struct {
	Line     uint64           `json:"line"`
	Format   string           `json:"format"`
	Version  int              `json:"version"`
	Time     string           `json:"time"`
	Clock    bool             `json:"clock"`
	Event    string           `json:"event"`
	State    string           `json:"state"`
	Held     bool             `json:"held"`
	Effects  []jsontext.Value `json:"effects"`
	Snapshot jsontext.Value   `json:"snapshot"`
	Error    struct {
		Kind    string `json:"kind"`
		Message string `json:"message"`
	} `json:"error"`
}

func say(t *testing.T, s *Session, line string) answered {
	t.Helper()
	b := s.Line(noon, []byte(line))
	if len(b) == 0 || b[len(b)-1] != '\n' || bytes.IndexByte(b, '\n') != len(b)-1 {
		t.Fatalf("not one line: %q", b)
	}
	var a answered
	if err := json.Unmarshal(b, &a, json.RejectUnknownMembers(true)); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	return a
}

// A wrong line has one clear answer, and nothing changes.
func TestWrongLines(t *testing.T) {
	seed := strings.Repeat("s", 32)
	for _, c := range []struct{ before, line, kind, says string }{
		{"", "", KindJSON, "empty"},
		{"", "null", KindJSON, "not an object"},
		{"", begun, KindMessage, "first line"},
		{"", `{"config":{}}`, KindConfig, "Server"},
		{"", `{"config":[]}`, KindConfig, "not an object"},
		{"", `{"config":{"Server":"https://mcp.example/mcp"}}`, KindConfig, `no member "Server"`},
		{"", `{"config":{"server":"https://mcp.example/mcp","http_time":15}}`, KindConfig, `"http_time"`},
		{"", `{"config":{"server":"https://mcp.example/mcp","resource":"https://x.example"}}`, KindConfig, "worked out"},
		{"", `{"config":{"server":"https://mcp.example/mcp","waive":[{"rule":"pkce-s256"}]}}`, KindConfig, "Quirks"},
		{"", `{"snapshot":{}}`, KindConfig, "snapshot"},
		{"", `{"snapshot":7}`, KindConfig, "snapshot"},
		{"", `{"login":{},"generation":1}`, KindConfig, "record"},
		{"", `{"login":{}}`, KindMessage, "generation"},
		{config, config, KindMessage, "begun already"},
		{config, "{", KindJSON, "not valid JSON"},
		{config, `{"command":"pending","command":"pending"}`, KindJSON, "twice"},
		{config, `{"command":"pending"}{}`, KindJSON, "more than one"},
		{config, "{\"command\":\"\xff\"}", KindJSON, "not valid JSON"},
		{config, `{"Command":"pending"}`, KindMessage, `no member "Command"`},
		{config, `{}`, KindMessage, "not one of"},
		{config, `{"command":"pending","input":{"Ticked":{}}}`, KindMessage, "several at once: input, command"},
		{config, `{"command":"pending","time":"2026-07-28T12:00:00Z"}`, KindMessage, "time goes with"},
		{config, `{"command":"stop"}`, KindMessage, `no command "stop"`},
		{config, `{"input":{}}`, KindMessage, "one member"},
		{config, `{"input":null}`, KindMessage, "one member"},
		{config, `{"input":{"Ticked":null}}`, KindMessage, "one member"},
		{config, `{"input":{"Ticked":{},"Cancelled":{}}}`, KindMessage, "one member"},
		{config, `{"input":{"Slept":{}}}`, KindMessage, `no input "Slept"`},
		{config, `{"input":{"Begun":{"Seed":"` + seed + `"}}}`, KindMessage, `no member "Seed"`},
		{config, `{"input":{"Begun":{"seed":7}}}`, KindMessage, `"seed"`},
		{config, `{"input":{"Responded":{"serial":1,"response":{"Status":200}}}}`, KindMessage, `Status`},
		{config, `{"input":{"Responded":{"serial":1,"response":{"status":200,"header":[["a"]]}}}}`, KindMessage, "header"},
		{config, `{"input":{"Begun":{"seed":"` + seed + `"}},"time":"noon"}`, KindMessage, `"time"`},
		{config, `{"input":{"Begun":{"seed":"` + seed + `"}},"time":"0001-01-01T00:00:00Z"}`, KindMessage, "time"},
		{config, `{"input":{"Begun":{"seed":"short"}}}`, KindIllegal, "32 of fresh randomness"},
		{config, `{"input":{"Resumed":{"seed":"` + seed + `"}}}`, KindIllegal, "Idle"},
		{config, `{"input":{"Saved":{"serial":77}}}`, KindStale, "serial 77"},
	} {
		s := NewSession()
		if c.before != "" {
			say(t, s, c.before)
		}
		state, _ := s.m.Snapshot()
		a := say(t, s, c.line)
		if a.Error.Kind != c.kind || !strings.Contains(a.Error.Message, c.says) {
			t.Errorf("%s: %+v, want %s: %s", c.line, a.Error, c.kind, c.says)
		}
		if strings.Contains(a.Error.Message, seed) {
			t.Errorf("%s: the answer repeats a secret", c.line)
		}
		if after, _ := s.m.Snapshot(); after != state || s.Begun() != (c.before != "") {
			t.Errorf("%s: something has changed", c.line)
		}
		if c.before == "" {
			say(t, s, config)
		}
		if a := say(t, s, begun); a.State != "Loading" || a.Line < 3 {
			t.Errorf("%s: the session does not go on: %+v", c.line, a)
		}
	}
}

// The caller's clock counts only if a line names no time, and the answer says so.
func TestClock(t *testing.T) {
	s := NewSession()
	say(t, s, config)
	if a := say(t, s, begun); a.Time != "2026-07-28T12:00:00Z" || !a.Clock {
		t.Errorf("%+v", a)
	}
	if a := say(t, s, `{"input":{"NotFound":{"serial":1}},"time":"2026-07-28T15:00:00.5+02:00"}`); a.Time != "2026-07-28T13:00:00.5Z" || a.Clock {
		t.Errorf("%+v", a)
	}
}

// A body of the maximum size fits into a line, whatever it contains.
func TestLongLines(t *testing.T) {
	s := NewSession()
	say(t, s, config)
	line := `{"input":{"Challenged":{"generation":0,"response":{"status":401,"body":"` + strings.Repeat(`\u0001`, states.MaxMetadata) + `"}}}}`
	say(t, s, begun)
	say(t, s, `{"input":{"NotFound":{"serial":1}}}`)
	if a := say(t, s, line); a.State == "" || a.Error.Kind != "" {
		t.Errorf("%+v", a)
	}
	if a := say(t, s, strings.Repeat(" ", MaxLine+1)); a.Error.Kind != KindSize {
		t.Errorf("%+v", a)
	}
	if a := say(t, s, strings.Repeat(" ", MaxLine)); a.Error.Kind != KindJSON {
		t.Errorf("%+v", a)
	}
}

// A login that another replica parked continues with the record as it was stored.
func TestLogin(t *testing.T) {
	var parked jsontext.Value
	for line := range strings.Lines(string(life(t))) {
		if !strings.HasPrefix(line, "< ") || !strings.Contains(line, `"state":"Parking"`) {
			continue
		}
		var a struct {
			Effects []struct {
				Save struct {
					Value jsontext.Value `json:"value"`
				} `json:"Save"`
			} `json:"effects"`
		}
		if err := json.Unmarshal([]byte(line[2:]), &a); err != nil {
			t.Fatal(err)
		}
		parked = a.Effects[len(a.Effects)-1].Save.Value
	}
	s := NewSession()
	if a := say(t, s, `{"login":`+string(parked)+`,"generation":3}`); a.State != "Authorizing" {
		t.Fatalf("%+v", a)
	}
	if a := say(t, s, `{"input":{"Resumed":{"seed":"0123456789abcdef0123456789abcdef"}},"time":"2026-07-28T12:01:00Z"}`); a.Error.Kind != "" {
		t.Errorf("%+v", a)
	}
	if a := say(t, s, `{"command":"pending"}`); len(a.Effects) == 0 || !bytes.Contains(bytes.Join(toBytes(a.Effects), nil), []byte(`"Visit"`)) {
		t.Errorf("%+v", a)
	}
}

func toBytes(vs []jsontext.Value) (out [][]byte) {
	for _, v := range vs {
		out = append(out, v)
	}
	return out
}

func life(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("../../testdata/engine/life.txt")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Whatever a line holds, there is one answer, and an error changes nothing.
func FuzzLine(f *testing.F) {
	var before []string
	for line := range strings.Lines(string(life(f))) {
		if in, ok := strings.CutPrefix(line, "> "); ok {
			f.Add([]byte(strings.TrimSuffix(in, "\n")))
			if len(before) < 12 {
				before = append(before, in)
			}
		}
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		for _, n := range []int{0, 1, 2, len(before)} {
			s := NewSession()
			for _, b := range before[:n] {
				s.Line(noon, []byte(b))
			}
			state, _ := s.m.Snapshot()
			a := say(t, s, string(line))
			if after, _ := s.m.Snapshot(); a.Error.Kind != "" && after != state {
				t.Errorf("an error has changed the machine: %+v", a)
			}
		}
	})
}
