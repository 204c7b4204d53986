package trace

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/lines"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// FuzzParse reads anything; what can be read can be replayed and shown.
func FuzzParse(f *testing.F) {
	for _, name := range golden {
		_, b := goldenTrace(f, name)
		for n, end := 0, 0; n < 5; n++ {
			end += bytes.IndexByte(b[end:], '\n') + 1
			f.Add(b[:end])
		}
	}
	for _, machine := range []string{
		`{"state":"Authorizing","data":{"config":{"server":"https://mcp.example/mcp"}}}`,
		`{"state":"Discovering-PRM","data":{"config":{"server":"https://mcp.example/mcp"},"flow":{"candidates":["https://mcp.example/p"],"candidate":-1}}}`,
		`{"state":"Leasing","data":{"config":{"server":"https://mcp.example/mcp"},"rounds":-1}}`,
	} {
		_, b := goldenTrace(f, golden[0])
		header, steps, _ := bytes.Cut(b, []byte("\n"))
		f.Add(slices.Concat(bytes.TrimSuffix(header, []byte("}")), []byte(`,"machine":`+machine+"}\n"), steps))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		tr, err := Parse(b)
		if err != nil {
			return
		}
		if d, err := Replay(tr); err == nil {
			_ = d.String()
		}
		_, _, _ = Explain(tr).String(), TableText(tr), Sequence(tr)
		_, _ = page(tr, ""), Diff(tr, tr).String()
	})
}

// alphabet is every input of the golden traces, each once.
func alphabet(t testing.TB) (letters []states.Input, words [][]byte) {
	at := map[string]int{}
	for _, name := range golden {
		tr, _ := goldenTrace(t, name)
		var word []byte
		for i := range tr.Steps {
			in := withSerial(tr.Steps[i].Input, 0)
			w := lines.Writer{B: []byte{'{'}}
			w.Input(in)
			n, known := at[string(w.B)]
			if !known {
				n = len(letters)
				at[string(w.B)] = n
				letters = append(letters, in)
			}
			word = append(word, byte(n>>8), byte(n))
		}
		words = append(words, word)
	}
	letters = append(letters,
		states.Held{}, states.Conflicted{}, states.NotFound{}, states.Cancelled{}, states.Ticked{},
		states.StoreFailed{Detail: "permission denied"}, states.Interrupted{Seed: "again-a-seed-of-thirty-two-characters"}, states.Unreachable{Class: states.Lost},
		states.Unreachable{Class: states.Unsent}, states.Accepted{Generation: 1})
	return letters, words
}

// withSerial puts the serial of the open question into an answer.
func withSerial(in states.Input, serial uint64) states.Input {
	switch in := in.(type) {
	case states.Loaded:
		in.Serial = serial
		return in
	case states.NotFound:
		in.Serial = serial
		return in
	case states.Leased:
		in.Serial = serial
		return in
	case states.Held:
		in.Serial = serial
		return in
	case states.Saved:
		in.Serial = serial
		return in
	case states.Deleted:
		in.Serial = serial
		return in
	case states.Claimed:
		in.Serial = serial
		return in
	case states.Conflicted:
		in.Serial = serial
		return in
	case states.StoreFailed:
		in.Serial = serial
		return in
	case states.Answered:
		in.Serial = serial
		return in
	case states.Responded:
		in.Serial = serial
		return in
	case states.Unreachable:
		in.Serial = serial
		return in
	case states.Redirected:
		in.Serial = serial
		return in
	}
	return in
}

func serialFor(m fsm.Machine, in states.Input) uint64 {
	if _, back := in.(states.Redirected); back && m.Data.Flow != nil {
		return m.Data.Flow.Visit
	}
	return m.Data.Serial
}

// FuzzStep walks through inputs in any order, against a twin that is written
// to JSON and restored before every step, with a recorder beside them.
func FuzzStep(f *testing.F) {
	letters, words := alphabet(f)
	for _, w := range words {
		f.Add(w)
	}
	begin, err := fsm.New(states.Config{Server: resource, Redirects: []string{callback}, ClientName: "Life", Holder: "test"})
	if err != nil {
		f.Fatal(err)
	}
	engine := fsm.NewEngine()
	f.Fuzz(func(t *testing.T, word []byte) {
		m, twin, at := begin, begin, noon
		rec, err := NewRecorder(begin, Options{})
		if err != nil {
			t.Fatal(err)
		}
		out := bytes.Clone(rec.Header())
		for ; len(word) >= 2 && len(out) < 1<<20; word = word[2:] {
			n := int(word[0])<<8 | int(word[1])
			in := letters[n%len(letters)]
			in = withSerial(in, serialFor(m, in))
			at = at.Add(time.Duration(n/len(letters)) * time.Minute)
			snapshot, err := twin.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			if twin, err = fsm.Restore(snapshot); err != nil {
				t.Fatal(err)
			}
			r, err := engine.StepResult(m, at, in)
			rt, errt := engine.StepResult(twin, at, in)
			if (err == nil) != (errt == nil) {
				t.Fatalf("%T in %s: %v, the twin %v", in, m.State, err, errt)
			}
			if err != nil {
				continue
			}
			a, b := appendStep(nil, 1, m.State, at, in, &r, false), appendStep(nil, 1, twin.State, at, in, &rt, false)
			if !bytes.Equal(a, b) {
				t.Fatalf("the twin went another way:\n%s%s", a, b)
			}
			out = append(out, rec.Step(at, in, r)...)
			m, twin = r.Machine, rt.Machine
		}
		tr, err := Parse(out)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if tr.Ended != "" {
			t.Fatalf("%s: %s\n%s", tr.Ended, tr.EndedDetail, out)
		}
		if d, err := Replay(tr); err != nil || !d.Same() {
			t.Fatalf("%v %s", err, d)
		}
	})
}

// FuzzRecord lets one answer of a life be anything: the shadow must follow the
// real machine nevertheless, and the trace replay.
func FuzzRecord(f *testing.F) {
	for n := range uint8(8) {
		f.Add(n, uint16(200), "application/json", `Bearer scope="a b", error="invalid_token"`, []byte(`{"error":"invalid_grant","error_description":"x"}`), "")
	}
	for i, body := range []string{
		`{"access_token":"T0ken value+/=","token_type":"bearer","expires_in":"3600","scope":["a","b"],"refresh_token":7}`,
		`access_token=abcdefgh&token_type=bearer&scope=a%2Cb`, `error=slow_down&error=again`, `[1,2]`, ` `, `<html>`, `{"a":1,"a":2}`, `{} {}`, `{"x":`, "\x00\xff",
		`{"resource":"https://mcp.example/mcp","authorization_servers":["https://as.example"],"resource_name":"é\u0000"}`,
		`{"client_id":"a b","client_secret":"s3cr3t \"x","client_secret_expires_at":1e400,"redirect_uris":null,"token_endpoint_auth_method":"client_secret_basic"}`,
		`{"ok":false}`, `{"authed_user":{"access_token":"xoxp-1"}}`, `{"error":{"code":1}}`, `{"expires_in":-1.5e3,"access_token":"a\tb"}`,
	} {
		for n := range uint8(5) {
			f.Add(n, uint16(200+i%3*100), "text/html; charset=utf-8", `Basic realm=", x`, []byte(body), "&error=access_denied&iss=x&%zz&state=")
		}
	}
	f.Fuzz(func(t *testing.T, at uint8, status uint16, ctype, www string, body []byte, back string) {
		l := newLife(t, setting{})
		sent := uint8(0)
		l.mangle = func(_ *life, _ wire.Request, resp *wire.Response) {
			if sent++; sent == at%8+1 {
				*resp = wire.Response{Status: int(status % 600), Body: body, Header: wire.Fields{{Name: "Content-Type", Value: ctype}, {Name: "WWW-Authenticate", Value: www}}}
			}
		}
		if back != "" {
			l.callback = func(u string) string { return u + back }
		}
		l.begin()
		if l.m.State == states.Authorized {
			l.expire()
		}
		l.sound()
	})
}
