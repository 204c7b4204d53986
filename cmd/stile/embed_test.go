package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/lines"
	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// embedding: begin

// bus carries a question away as one line of JSON and brings the answer back.
// Here it is a pair of streams; it may be anything that takes bytes.
type bus struct {
	*bufio.ReadWriter
}

func (b bus) ask(e states.Effect) (states.Input, error) {
	w := lines.Writer{B: []byte{'{'}} // with the real secrets: json.Marshal would mask them
	w.Effect(e)
	if _, err := b.Write(append(w.B, '}', '\n')); err != nil {
		return nil, err
	}
	if err := b.Flush(); err != nil {
		return nil, err
	}
	line, err := b.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	return lines.ReadInput(line)
}

// host moves one machine.
type host struct {
	engine  *fsm.Engine
	machine fsm.Machine
	bus     bus
	now     func() time.Time

	grant states.Grant
	wake  time.Time
	fault error
}

// do gives an input and goes on until nothing is open.
func (h *host) do(queue ...states.Input) error {
	for len(queue) > 0 {
		m, effects, err := h.engine.Step(h.machine, h.now(), queue[0])
		if err != nil {
			return err // this program's mistake; the machine is as it was
		}
		h.machine, queue = m, queue[1:]
		for _, e := range effects {
			switch e := e.(type) {
			case states.Ask: // an address that is listened on, else the default
				answer := states.Answered{Serial: e.Serial}
				if e.Question == states.AskRedirect {
					answer.Value = e.Options[0]
				}
				queue = append(queue, answer)
			case states.Send, states.Visit, states.Load, states.Save, states.Delete, states.Claim, states.Lease:
				in, err := h.bus.ask(e)
				if err != nil {
					return err
				}
				queue = append(queue, in)
			case states.Release:
				// The lease also ends by itself.
			case states.Grant:
				h.grant = e
			case states.Wake:
				h.wake = e.At // when it comes, do(states.Ticked{})
			case states.Report:
				h.fault = fsm.Err(e.Fault)
			}
		}
	}
	return nil
}

// embedding: end

// far is the other end of the bus: servers, a browser, a store.
func far(c net.Conn, w *peer.World, now func() time.Time) error {
	type entry struct {
		value wire.Secret
		at    states.Generation
	}
	kept, last := map[states.Key]entry{}, states.Generation(0)
	for r := bufio.NewReader(c); ; {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return nil // the near end has gone
		}
		e, err := lines.ReadEffect(line)
		if err != nil {
			return err
		}
		serial, _ := states.SerialOfEffect(e)
		var in states.Input
		switch e := e.(type) {
		case states.Send:
			resp, _ := w.Answer(now(), e.Request)
			in = states.Responded{Serial: serial, Response: resp}
		case states.Visit:
			resp, _ := w.Answer(now(), wire.Request{Method: "GET", URL: e.URL.Reveal()})
			in = states.Redirected{Serial: serial, URL: wire.Secret(resp.Header.Header("Location")[0])}
		case states.Load:
			in = states.NotFound{Serial: serial}
			if v, ok := kept[e.Key]; ok {
				in = states.Loaded{Serial: serial, Value: v.value, Generation: v.at}
			}
		case states.Save:
			in = states.Conflicted{Serial: serial}
			if kept[e.Key].at == e.Expected {
				last++
				kept[e.Key] = entry{e.Value, last}
				in = states.Saved{Serial: serial, Generation: last}
			}
		case states.Delete:
			delete(kept, e.Key)
			in = states.Deleted{Serial: serial}
		case states.Claim:
			delete(kept, e.Key)
			in = states.Claimed{Serial: serial}
		case states.Lease:
			in = states.Leased{Serial: serial, Fence: uint64(last), TTL: e.TTL}
		default:
			return fmt.Errorf("nobody answers %T", e)
		}
		b := lines.Writer{B: []byte{'{'}}
		b.Input(in)
		if _, err := c.Write(append(b.B, '}', '\n')); err != nil {
			return err
		}
	}
}

// The loop of docs/embedding.md logs in, refreshes and logs out over a pipe.
func TestEmbedding(t *testing.T) {
	at := time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)
	now := func() time.Time { return at }
	near, other := net.Pipe()
	w := engineWorld(t)
	done := make(chan error, 1)
	go func() { done <- far(other, w, now) }()
	m, err := fsm.New(states.Config{Server: "https://mcp.example/mcp", Redirects: []string{"http://127.0.0.1:4711/callback"}})
	if err != nil {
		t.Fatal(err)
	}
	h := &host{engine: fsm.NewEngine(), machine: m, now: now, bus: bus{bufio.NewReadWriter(bufio.NewReader(near), bufio.NewWriter(near))}}
	do := func(in states.Input, want states.State) {
		t.Helper()
		if err := h.do(in); err != nil || h.fault != nil || h.machine.State != want {
			t.Fatalf("%v, %v, %v, want %s", err, h.fault, h.machine, want)
		}
	}
	do(states.Begun{Seed: wire.Secret(strings.Repeat("first ", 8)), Login: true}, states.Authorized)
	first := h.grant.AccessToken
	if s := w.AS[0].Standing(at, first.Reveal()); s != "live" {
		t.Errorf("the access token is %q", s)
	}
	at = h.grant.Renew
	do(states.Ticked{}, states.Authorized)
	if h.grant.AccessToken == first || w.AS[0].Standing(at, h.grant.AccessToken.Reveal()) != "live" {
		t.Error("no new access token after the refresh")
	}
	do(states.LoggedOut{Seed: wire.Secret(strings.Repeat("second ", 8))}, states.Anonymous)
	if w.AS[0].Standing(at, h.grant.AccessToken.Reveal()) == "live" {
		t.Error("the access token outlives the logout")
	}
	_ = near.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// The loops that the page shows are the ones that are tested.
func TestEmbeddingPage(t *testing.T) {
	page := string(read(t, "../../docs/embedding.md"))
	for _, source := range []struct{ path, comment, language string }{
		{"embed_test.go", "// ", "go"}, {filepath.Join(engineData, "life.py"), "# ", "python"},
	} {
		text := string(read(t, source.path))
		_, text, _ = strings.Cut(text, "\n"+source.comment+"embedding: begin\n")
		text, _, ok := strings.Cut(text, source.comment+"embedding: end\n")
		before, rest, found := strings.Cut(page, "```"+source.language+"\n")
		shown, after, closed := strings.Cut(rest, "```\n")
		if !ok || !found || !closed {
			t.Fatalf("no loop in %s", source.language)
		}
		want := strings.TrimSpace(text) + "\n"
		if shown != want && !*rewrite {
			t.Errorf("docs/embedding.md does not show %s as it is (go test ./cmd/stile -run Embedding -rewrite)", source.path)
		}
		page = before + "```" + source.language + "\n" + want + "```\n" + after
	}
	if *rewrite {
		if err := os.WriteFile("../../docs/embedding.md", []byte(page), 0o644); err != nil { //nolint:gosec // a page
			t.Fatal(err)
		}
	}
}

// What a session is told is traced as in every other run, and the trace holds
// no secret.
func TestEngineTrace(t *testing.T) {
	c := newCLI(t)
	var in strings.Builder
	for line := range strings.Lines(string(read(t, filepath.Join(engineData, "life.txt")))) {
		if said, ok := strings.CutPrefix(line, "> "); ok {
			if strings.HasPrefix(said, `{"snapshot"`) {
				break
			}
			in.WriteString(said)
		}
	}
	in.WriteString("{" + strings.Repeat(" ", lines.MaxLine) + "}\n" + `{"command":"pending"}`) // too long, then no line end
	c.in = strings.NewReader(in.String())
	path := filepath.Join(t.TempDir(), "engine.ndjson")
	out := c.ok("engine", "--trace", path).out
	contains(t, out, `"kind":"size"`, `"event":"TokenIssued"`)
	last := out[strings.LastIndexByte(strings.TrimSuffix(out, "\n"), '\n')+1:]
	grant := decode[struct {
		Effects []struct {
			Grant struct {
				AccessToken string `json:"access_token"`
			}
		}
	}](t, last)
	token := grant.Effects[0].Grant.AccessToken
	if recorded := string(read(t, path)); len(token) < 20 || strings.Contains(recorded, token) {
		t.Errorf("the trace holds the token %q", token)
	}
	contains(t, c.ok("replay", path).out, "same")
	c.in = strings.NewReader("")
	contains(t, c.exit(exitUsage, "engine").err, "before a machine began")
}
