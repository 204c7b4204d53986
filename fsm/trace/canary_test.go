package trace

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/lines"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// spellings gives a secret in six encodings: plain, form, base64 and base64url
// at any alignment, JSON-escaped in three ways, percent in four.
func spellings(s string) []string {
	var full strings.Builder
	for i := 0; i < len(s); i++ {
		fmt.Fprintf(&full, "%%%02X", s[i])
	}
	quoted, _ := json.Marshal(s)
	var loose bytes.Buffer
	enc := json.NewEncoder(&loose)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s)
	plain := strings.TrimSpace(loose.String())
	out := []string{
		s, url.QueryEscape(s), url.PathEscape(s), full.String(), strings.ToLower(full.String()),
		string(quoted[1 : len(quoted)-1]), plain[1 : len(plain)-1], strings.ReplaceAll(plain[1:len(plain)-1], "/", `\/`),
	}
	out = append(out, hex.EncodeToString([]byte(s)), strings.ToUpper(hex.EncodeToString([]byte(s))), html.EscapeString(s))
	for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for lead := range 3 {
			// What two different surroundings have in common is the secret's own.
			a := e.EncodeToString([]byte(strings.Repeat("\x00", lead) + s + "\x00\x00\x00"))
			b := e.EncodeToString([]byte(strings.Repeat("\xff", lead) + s + "\xff\xff\xff"))
			from := 0
			for a[from] != b[from] {
				from++
			}
			to := from
			for to < len(a) && a[to] == b[to] {
				to++
			}
			out = append(out, a[from:to])
		}
	}
	return out
}

// allSpellings are the spellings of every secret that can be searched for.
func allSpellings(secrets []string) [][]byte {
	var out [][]byte
	for _, s := range secrets {
		if !searchable(s) {
			continue
		}
		for _, p := range spellings(s) {
			out = append(out, []byte(p))
		}
	}
	slices.SortFunc(out, bytes.Compare)
	return slices.CompactFunc(out, bytes.Equal)
}

// leak gives the spelling that a text holds; "" when it holds none.
func leak(text []byte, spelt [][]byte) string {
	for _, p := range spelt {
		if bytes.Contains(text, p) {
			return string(p)
		}
	}
	return ""
}

// echo is a server that repeats every secret it ever saw, and some that it did
// not, wherever it can: in errors, pages, headers, metadata and challenges.
func echo(l *life, req wire.Request, resp *wire.Response) {
	var all strings.Builder
	for _, s := range l.secrets {
		all.WriteString(strings.Join(spellings(s), " ") + " ")
	}
	said := all.String()
	resp.Header = append(resp.Header,
		wire.Field{Name: "X-Debug", Value: strings.Map(visible, said)},
		wire.Field{Name: "WWW-Authenticate", Value: `Bearer realm="` + quotedPair.Replace(strings.Map(visible, said)) + `", error_description="` + quotedPair.Replace(strings.Map(visible, said)) + `"`})
	obj, err := wire.ParseObject(resp.Body)
	if err != nil {
		resp.Body = append([]byte("<html>"+said), resp.Body...)
		return
	}
	out := []byte{'{'}
	for _, m := range obj {
		if m.Name == "error_description" {
			continue
		}
		out = append(lines.AppendQuoted(out, m.Name), ':')
		out = append(append(out, m.Raw...), ',')
	}
	out = append(out, `"error_description":`...)
	out = lines.AppendQuoted(out, said)
	for i, s := range l.secrets {
		out = append(out, ',')
		out = lines.AppendQuoted(out, fmt.Sprintf("debug %d", i))
		out = append(out, ':')
		out = lines.AppendQuoted(out, s)
		out = append(out, ',')
		out = lines.AppendQuoted(out, s)
		out = append(out, `:[{"nested":`...)
		out = append(lines.AppendQuoted(out, s), `}]`...)
	}
	resp.Body = append(out, '}')
}

func visible(r rune) rune {
	if r < ' ' || r == 0x7f || r > 0x7e {
		return '.'
	}
	return r
}

// every says that each story, or each second, and so on, is lived: all of them, fewer
// with the race detector, and with -short, by which `make mutate` asks for quick tests, a few.
func every() int {
	if testing.Short() {
		return 16
	}
	return everyStory
}

// TestCanary lives one story in four among servers that repeat secrets, and finds
// none in the trace or in anything made of it. TestCanaryWhole lives all of them.
func TestCanary(t *testing.T) {
	for i, s := range stories {
		if i%max(every(), 4) == 0 {
			canary(t, s)
		}
	}
}

func canary(t *testing.T, s story) {
	t.Run(s.name, func(t *testing.T) {
		l := newLife(t, s.setting)
		inner := l.mangle
		l.mangle = func(l *life, req wire.Request, resp *wire.Response) {
			if inner != nil {
				inner(l, req, resp)
			}
			echo(l, req, resp)
		}
		s.live(l)
		if len(l.secrets) == 0 {
			t.Fatal("no secret was marked")
		}
		for _, c := range []string{"CANARY-password", "CANARY0123456789", "CANARY-planted", "CANARY-foreign", "CANARY-wrong", "CANARY-manage-1234"} {
			l.mark(c)
		}
		tr, spelt := l.sound(), allSpellings(l.secrets)
		for name, text := range shown(t, tr) {
			if p := leak(text, spelt); p != "" {
				t.Errorf("%s holds %q", name, p)
			}
		}
		if p := leak(l.out, spelt); p != "" {
			t.Errorf("the trace holds %q", p)
		}
	})
}

// shown is everything that is made of a trace.
func shown(t *testing.T, tr *Trace) map[string][]byte {
	t.Helper()
	other, _ := goldenTrace(t, "cold-login")
	d, err := Replay(tr)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		"explain": []byte(Explain(tr).String()), "table": []byte(TableText(tr)), "sequence": []byte(Sequence(tr)),
		"html": []byte(HTML(tr)), "diff": []byte(Diff(other, tr).String() + Diff(tr, other).String()), "replay": []byte(d.String()),
	}
}

// TestEchoInKeptTexts has servers repeat secrets in the texts that a trace
// keeps, because decisions are made of them.
func TestEchoInKeptTexts(t *testing.T) {
	for _, where := range []string{"scope", "error", "challenge-scope", "token_type", "metadata"} {
		for n := range spellings("longer than one") {
			t.Run(fmt.Sprintf("%s-%d", where, n), func(t *testing.T) {
				l := newLife(t, setting{})
				l.mangle = func(l *life, req wire.Request, resp *wire.Response) {
					if len(l.secrets) < 3 {
						return
					}
					said := strings.Map(visible, spellings(l.secrets[len(l.secrets)-1])[n])
					switch {
					case where == "scope" && strings.HasSuffix(req.URL, "/token") && resp.Status == 200:
						resp.Body = bytes.Replace(resp.Body, []byte(`"scope":"user`), append([]byte(`"scope":"user x`), lines.AppendQuoted(nil, said)[1:len(lines.AppendQuoted(nil, said))-1]...), 1)
					case where == "error" && strings.HasSuffix(req.URL, "/token"):
						resp.Status, resp.Body = 400, append(append([]byte(`{"error":`), lines.AppendQuoted(nil, said)...), '}')
					case where == "token_type" && strings.HasSuffix(req.URL, "/token"):
						resp.Body = bytes.Replace(resp.Body, []byte(`"Bearer"`), lines.AppendQuoted(nil, said), 1)
					case where == "challenge-scope" && resp.Status >= 400 && req.URL == resource:
						resp.Header = wire.Fields{{Name: "WWW-Authenticate", Value: `Bearer error="insufficient_scope", scope="admin ` + quotedPair.Replace(said) + `"`}}
					case where == "metadata" && strings.Contains(req.URL, "oauth-authorization-server"):
						resp.Body = bytes.Replace(resp.Body, []byte(`/token"`), []byte("/token?x="+url.QueryEscape(said)+`"`), 1)
					}
				}
				l.begin()
				if l.m.State == states.Authorized {
					l.call("purge")
					l.call("purge")
				}
				if l.m.State == states.Authorized {
					l.expire()
				}
				l.sound()
				if p := leak(l.out, allSpellings(l.secrets)); p != "" {
					t.Errorf("the trace holds %q", p)
				}
			})
		}
	}
}

// TestRecordFromAnywhere begins a trace at every step of some lives, as a
// driver does that was asked to record while a login is under way.
func TestRecordFromAnywhere(t *testing.T) {
	for _, s := range stories {
		if !slices.Contains([]string{"whole-life", "basic-awkward", "registered-post", "waiting", "lost-answer", "key-in-the-server-url"}, s.name) {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			l := newLife(t, s.setting)
			var all told
			var machines []fsm.Machine
			l.heard = func(at time.Time, in states.Input) {
				all.at, all.in, machines = append(all.at, at), append(all.in, in), append(machines, l.m)
			}
			s.live(l)
			spelt := allSpellings(l.secrets)
			for i, m := range machines {
				if i%every() != 0 {
					continue
				}
				rec, err := NewRecorder(m, Options{})
				if err != nil {
					t.Fatal(err)
				}
				out := bytes.Clone(rec.Header())
				for j := i; j < len(all.in); j++ {
					r, err := l.e.StepResult(m, all.at[j], all.in[j])
					if err != nil {
						t.Fatal(err)
					}
					out = append(out, rec.Step(all.at[j], all.in[j], r)...)
					m = r.Machine
				}
				tr, err := Parse(out)
				if err != nil || tr.Ended != "" {
					t.Fatalf("from step %d in %s: %v %s %s", i, machines[i], err, tr.Ended, tr.EndedDetail)
				}
				if d, err := Replay(tr); err != nil || !d.Same() {
					t.Fatalf("from step %d in %s: %v %s", i, machines[i], err, d)
				}
				if p := leak(out, spelt); p != "" {
					t.Errorf("from step %d in %s: the trace holds %q", i, machines[i], p)
				}
			}
		})
	}
}
