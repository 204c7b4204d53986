package main

import (
	"fmt"
	"slices"
	"sync"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/states"
)

// act is what the demo announces of one part.
type act struct {
	Title string
	Says  string
	// First is how many HTTP requests the first request of the MCP client
	// takes; each that follows takes one. 0: the act sends none.
	First int
	// Passes are states that the machine must pass, in this order; Never are
	// those that it must not.
	Passes []states.State
	Never  []states.State
}

// tally is the result of an act.
type tally struct {
	Act      string `json:"act"`
	Method   string `json:"request,omitempty"`
	Expected int    `json:"expected"`
	HTTP     int    `json:"http_requests"`
	All      int    `json:"http_requests_of_the_act"`
}

// show prints the demo, and counts what differs.
type show struct {
	a   *app
	c   paint
	mu  sync.Mutex
	now *act

	n       int
	passed  []states.State
	calls   int
	muted   bool
	tallies []tally
	wrong   int
	total   int
}

func newShow(a *app) *show { return &show{a: a, c: paint(a.colours(a.out))} }

func (s *show) json(kind string, v any) bool {
	if !s.a.json {
		return false
	}
	_ = s.a.printJSON(s.a.out, struct {
		Type string `json:"type"`
		Data any    `json:"data"`
	}{kind, v})
	return true
}

func (s *show) hello(w *world) {
	if s.a.json {
		return
	}
	s.a.say("%s\n\n", s.c.bold("The whole life of a login, on this machine"))
	s.a.say("  authorization server  %s\n  protected MCP server  %s\n", w.issuer, w.resource)
}

func (s *show) act(a act) {
	s.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	s.now, s.passed, s.calls = &a, nil, 0
	s.tallies = append(s.tallies, tally{Act: a.Title, Expected: a.First})
	if s.json("act", struct {
		Number  int    `json:"number"`
		Title   string `json:"title"`
		Says    string `json:"says"`
		Expects int    `json:"expected_http_requests"`
	}{s.n, a.Title, a.Says, a.First}) {
		return
	}
	s.a.say("\n%s\n   %s\n", s.c.bold(fmt.Sprintf("%d. %s", s.n, a.Title)), a.Says)
	if a.First > 0 {
		s.a.say("   Expected: %s.\n", plural(a.First, "HTTP request"))
	}
	s.a.say("\n")
}

// end checks what the act announced, after the act.
func (s *show) end() {
	s.mu.Lock()
	a, passed, calls := s.now, s.passed, s.calls
	s.now = nil
	s.mu.Unlock()
	if a == nil {
		return
	}
	if a.First > 0 && calls == 0 {
		s.check("requests of the MCP client", "some", "none")
	}
	at := 0
	for _, p := range a.Passes {
		i := slices.Index(passed[at:], p)
		if i < 0 {
			s.check("the machine passes", p, fmt.Sprint(passed))
			return
		}
		at += i + 1
	}
	for _, n := range a.Never {
		if slices.Contains(passed, n) {
			s.check("the machine does not pass", n, fmt.Sprint(passed))
		}
	}
}

// pause leaves out requests that are not part of an act.
func (s *show) pause(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.muted = on
}

// step is the driver's observer.
func (s *show) step(st httpdriver.Step) {
	if in, ok := st.Input.(states.Responded); ok {
		for _, e := range fsm.Pending(st.From) {
			if send, ok := e.(states.Send); ok && send.Serial == in.Serial {
				s.request(send.Request.Method, send.Request.URL, in.Response.Status, "")
			}
		}
	}
	to := st.Result.Machine.State
	s.mu.Lock()
	defer s.mu.Unlock()
	if st.Result.Held && to == st.From.State || looksAgain(st) {
		return
	}
	s.passed = append(s.passed, to)
	if s.json("step", struct {
		From  states.State `json:"from"`
		Event string       `json:"event"`
		To    states.State `json:"to"`
		Says  string       `json:"says"`
	}{st.From.State, string(st.Result.Event), to, states.Describe(to)}) {
		return
	}
	s.a.say("   %s %s\n", s.c.cyan(fmt.Sprintf("%-17s", to)), s.c.dim(states.Describe(to)))
}

// looksAgain recognises the steps that repeat while the user decides. They are not
// shown again.
func looksAgain(st httpdriver.Step) bool {
	to := st.Result.Machine.State
	from := st.From.State
	return to == states.Checking || to == states.Remarking || to == states.Authorizing && (from == states.Checking || from == states.Remarking)
}

// request shows one HTTP request with its answer.
func (s *show) request(method, url string, status int, what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.muted {
		return
	}
	if s.json("request", struct {
		Method string `json:"method"`
		URL    string `json:"url"`
		RPC    string `json:"rpc,omitempty"`
		Status int    `json:"status"`
	}{method, url, what, status}) {
		return
	}
	code := s.c.green(fmt.Sprint(status))
	if status >= 400 {
		code = s.c.yellow(fmt.Sprint(status))
	}
	if what == "" {
		s.a.say("      → %s %s %s\n", code, method, url)
		return
	}
	s.a.say("      → %s %s %s %s\n", code, method, url, s.c.dim("("+what+")"))
}

// counted is told how many HTTP requests one request of the MCP client took.
func (s *show) counted(method string, n int) {
	s.mu.Lock()
	if s.muted || s.now == nil {
		s.mu.Unlock()
		return
	}
	s.calls++
	s.total += n
	t := &s.tallies[len(s.tallies)-1]
	t.All += n
	want := 1
	if s.calls == 1 {
		want, t.Method, t.HTTP = s.now.First, method, n
	}
	s.mu.Unlock()
	if s.calls == 1 || n != want {
		s.check("HTTP requests for "+method, want, n)
	}
}

func (s *show) result(text string) {
	if !s.json("result", text) {
		s.a.say("   %s\n", text)
	}
}

// check compares what was announced with what happened.
func (s *show) check(what string, want, got any) {
	w, g := fmt.Sprint(want), fmt.Sprint(got)
	s.mu.Lock()
	defer s.mu.Unlock()
	if w != g {
		s.wrong++
	}
	if s.json("check", struct {
		What string `json:"what"`
		Want string `json:"expected"`
		Got  string `json:"got"`
		OK   bool   `json:"ok"`
	}{what, w, g, w == g}) {
		return
	}
	if w == g {
		s.a.say("   %s %s: %s\n", s.c.green("✓"), what, g)
		return
	}
	s.a.say("   %s %s: expected %s, got %s\n", s.c.red("✗"), what, w, g)
}

// invite tells the user where to go.
func (s *show) invite(v httpdriver.Visit, opened bool) {
	if opened {
		s.a.note("   Your browser was opened at %s. If it was not, go to\n", v.Issuer)
	} else {
		s.a.note("   Open this address in your browser:\n")
	}
	s.a.note("   %s\n   and log in as %s with the password %s.\n", v.URL, devas.DemoUser, devas.DemoPassword)
}

// bye prints the summary and reports whether everything went as announced.
func (s *show) bye() bool {
	s.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.json("summary", struct {
		OK    bool    `json:"ok"`
		Wrong int     `json:"differences"`
		Total int     `json:"http_requests"`
		Acts  []tally `json:"acts"`
	}{s.wrong == 0, s.wrong, s.total, s.tallies}) {
		return s.wrong == 0
	}
	s.a.say("\n%s\n", s.c.bold("HTTP requests, counted by the servers"))
	for _, t := range s.tallies {
		if t.Expected > 0 {
			s.a.say("   %-26s %-22s %d   expected %d\n", t.Act, t.Method, t.HTTP, t.Expected)
		}
	}
	s.a.say("   %s in all, those after the first of each act included.\n", plural(s.total, "request"))
	if s.wrong == 0 {
		s.a.say("%s\n", s.c.green("Everything went as announced."))
	}
	s.a.say("\nNext: stile login URL logs in to a server of yours; stile serve --help starts servers to try.\n")
	return s.wrong == 0
}
