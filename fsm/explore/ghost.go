package explore

import (
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/transitions"
)

// ghost is what the invariants remember and no machine can see: who issued
// what, and what was sent when.
type ghost struct {
	secrets []secret
	spends  []spend
	trips   []trip
	// excused says that an answer was lost, a process died or stood still in
	// the middle of a refresh: then a login may be lost, and it is counted.
	excused bool
	// storeFault says that the store failed once: what is kept as well as it
	// can be may be gone.
	storeFault bool
	loggedOut  bool
	// outlived says that a process finished a login whose mark had run out: it
	// stood still, and others could not know of it.
	outlived bool
	stepUps  []stepUp
}

// secret is something that a server issued.
type secret struct {
	value string
	kind  string // code, access, refresh, client
	home  string // the issuer
	// challenge is that of the authorization request which a code answers.
	challenge string
	foreign   bool // it belongs to the attacker's own session
	condemned bool // the issuer has said that it is no good
}

// spend is one sending of a code or a refresh token.
type spend struct {
	token    string
	url      string // of a code
	actor    int
	at       time.Time
	notAfter time.Time
	until    time.Time
	outcome  outcome
	late     bool // its success was stored after NotAfter only
}

type outcome byte

const (
	open    outcome = iota // on its way
	known                  // success, and the machine has it
	saved                  // success, and the store has it
	unknown                // the answer was lost
	refused                // the issuer did not take it, or it never left
)

// trip is one authorization request.
type trip struct {
	actor     int
	challenge string
	state     string
	home      string
}

type stepUp struct {
	scopes []string
	at     time.Time
}

// memory is what is remembered of one process.
type memory struct {
	asked    bool      // the host asked for a login
	logins   int       // logins since the last sign that they help
	since    time.Time // when the last of them began
	trips    int       // authorization requests in this login
	same     int       // how often the same was sent in a row
	last     string    // what that was
	fence    uint64
	mark     states.Generation
	login    states.Generation
	loginKey states.Key
}

// memory writes what is remembered.
func (e *encoder) memory(m *memory) {
	e.flags(m.asked, m.fence != 0)
	e.num(m.logins)
	e.time(m.since)
	e.num(m.trips)
	e.num(m.same)
	e.entry(m.mark)
	e.entry(m.login)
}

func (e *encoder) ghost(g *ghost) {
	e.flags(g.excused, g.storeFault, g.loggedOut, g.outlived)
	e.num(len(g.stepUps))
	for _, s := range g.stepUps {
		e.texts(s.scopes)
		e.time(s.at)
	}
}

// spends writes what was done with one secret.
func (e *encoder) spends(g *ghost, s string) {
	for _, p := range g.spends {
		if p.token == s {
			e.byte(byte(p.outcome) + 1)
			e.flags(p.late)
			e.byte(byte(p.actor))
			e.time(p.until)
			e.time(p.notAfter)
		}
	}
	for _, x := range g.secrets {
		if x.value == s {
			e.flags(x.foreign, x.condemned)
			e.text(x.home)
		}
	}
	e.byte(0)
}

func (g *ghost) secret(v string) *secret {
	for i := range g.secrets {
		if g.secrets[i].value == v {
			return &g.secrets[i]
		}
	}
	return nil
}

func (g *ghost) issue(s secret) {
	if len(s.value) >= 8 && g.secret(s.value) == nil {
		g.secrets = append(slices.Clip(g.secrets), s)
	}
}

func (g *ghost) condemn(v string) {
	if g.secret(v) != nil {
		g.secrets = slices.Clone(g.secrets)
		g.secret(v).condemned = true
	}
}

// settle says how the sending of a token by an actor ended; with saved, that
// what came of it is stored.
func (g *ghost) settle(actor int, token string, o outcome, at time.Time) {
	was := open
	if o == saved {
		was = known
	}
	for i := len(g.spends) - 1; i >= 0; i-- {
		if g.spends[i].actor == actor && (token == "" || g.spends[i].token == token) && g.spends[i].outcome == was {
			g.spends = slices.Clone(g.spends)
			g.spends[i].outcome = o
			// Stored in time, or only after it had stood still?
			g.spends[i].late = o == saved && !at.Before(g.spends[i].notAfter)
			return
		}
	}
}

// field reads a string member of a JSON answer; lists of numbers and the like
// are nothing that is looked for.
func field(r wire.Response, name string) string {
	if len(r.Body) == 0 || r.Body[0] != '{' || len(r.Body) > 1<<16 {
		return ""
	}
	var m map[string]any
	if json.Unmarshal(r.Body, &m) != nil {
		return ""
	}
	s, _ := m[name].(string)
	return s
}

// home names the issuer at whose origin an address lies.
func (w *world) home(url string) string {
	origin := wire.Origin(url)
	if w.net != nil {
		for _, a := range w.net.AS {
			if wire.Origin(a.Issuer()) == origin {
				return a.Issuer()
			}
		}
	}
	return origin
}

// learn takes notice of what a server issued.
func (w *world) learn(q wire.Request, r wire.Response) {
	if r.Status < 200 || r.Status > 299 {
		return
	}
	home := w.home(q.URL)
	if q.Method != "POST" {
		return
	}
	w.ghost.issue(secret{value: field(r, "access_token"), kind: "access", home: home})
	w.ghost.issue(secret{value: field(r, "refresh_token"), kind: "refresh", home: home})
	w.ghost.issue(secret{value: field(r, "client_secret"), kind: "client", home: home})
}

// issued takes notice of the code that a callback carries.
func (w *world) issued(callback, home, challenge string, foreign bool) {
	if cb, bad := wire.ParseCallback(callback); bad == nil && cb.HasCode {
		w.ghost.issue(secret{value: cb.Code.Reveal(), kind: "code", home: home, challenge: challenge, foreign: foreign})
	}
}

// moment is one step, for the invariants.
type moment struct {
	w      *world
	i      int
	at     time.Time
	before fsm.Machine
	in     states.Input
	q      states.Effect // the question that was open
	r      fsm.Result
	err    error
}

func (m *moment) actor() *actor { return &m.w.actors[m.i] }

// legit says that the input is one that the open question allows: such a one
// is never refused (contract 2).
func (m *moment) legit() bool {
	serial, answer := states.SerialOf(m.in)
	if !answer {
		switch m.in.(type) {
		case states.Ticked, states.Challenged, states.Accepted, states.Cancelled:
			return true
		}
		return false
	}
	a := m.actor()
	if a.visit != nil && serial == a.visit.Serial {
		switch m.in.(type) {
		case states.Redirected, states.Unreachable:
			return true
		}
	}
	if _, back := m.in.(states.Redirected); back {
		return false
	}
	if a.q == nil {
		return false
	}
	want, _ := states.SerialOfEffect(a.q)
	return serial == want && m.in != nil && allowed(a.q, m.in)
}

// allowed is the list of answers of each question (states.Effect).
func allowed(q states.Effect, in states.Input) bool {
	_, failed := in.(states.StoreFailed)
	_, missing := in.(states.NotFound)
	_, conflict := in.(states.Conflicted)
	switch q.(type) {
	case states.Send:
		_, responded := in.(states.Responded)
		_, unreachable := in.(states.Unreachable)
		return responded || unreachable
	case states.Load:
		_, loaded := in.(states.Loaded)
		return loaded || missing || failed
	case states.Lease:
		_, leased := in.(states.Leased)
		_, held := in.(states.Held)
		return leased || held || failed
	case states.Save:
		_, saved := in.(states.Saved)
		return saved || conflict || failed
	case states.Delete:
		_, deleted := in.(states.Deleted)
		return deleted || missing || conflict || failed
	case states.Claim:
		_, claimed := in.(states.Claimed)
		return claimed || missing || conflict || failed
	}
	return false
}

// remember brings what is remembered of a process up to date, before its
// effects are looked at.
func (w *world) remember(m *moment) {
	a := m.actor()
	d := &m.r.Machine.Data
	switch in := m.in.(type) {
	case states.Begun:
		a.asked = a.asked || in.Login
		a.logins = 0
	case states.Accepted:
		if t := d.Token(); t != nil && t.Generation == in.Generation {
			a.logins = 0
		}
	case states.LoggedOut:
		a.logins = 0
	case states.Interrupted:
		a.same = 0 // the machine asks again because it was told to
	case states.Leased:
		a.fence = in.Fence
	case states.Saved:
		switch m.before.State {
		case states.Announcing, states.Remarking:
			a.mark = in.Generation
		case states.Parking:
			a.login, a.loginKey = in.Generation, d.Config.LoginKey(states.StateHash(m.before.Data.Flow.State))
		case states.Saving:
			e := w.store.find(w.at, d.Config.MarkKey())
			w.ghost.outlived = w.ghost.outlived || e == nil || e.generation != d.Flow.Mark
		case states.Rotating, states.Resaving:
			w.ghost.settle(m.i, "", saved, w.at)
		}
	case states.StoreFailed:
		w.ghost.storeFault = true
	case states.Deleted:
		if m.before.State == states.Erasing {
			w.ghost.loggedOut = true
		}
	}
	if began(m) {
		if d.Flow.Why != "step-up" {
			if m.at.Sub(a.since) > 10*time.Minute { // no token counts as fresh for longer
				a.logins = 0
			}
			a.logins, a.since = a.logins+1, m.at
		}
		a.trips = 0
	}
	switch m.r.Event {
	case transitions.MarkRecognized:
		a.mark = d.Flow.Mark
	case transitions.ClaimLost, transitions.ClaimDoubted:
		a.mark, a.login = 0, 0 // they belong to whoever claimed the login
	}
	if m.r.Event == transitions.StepUpCounted {
		w.ghost.stepUps = append(slices.Clip(w.ghost.stepUps), stepUp{d.Flow.Scopes, m.tallied()})
	}
	for _, e := range m.r.Effects {
		if _, ok := e.(states.Release); ok {
			a.fence = 0
		}
	}
	if m.r.Machine.State != m.before.State {
		a.same, a.last = 0, ""
	}
}

// tallied is when the step-up that was just counted was begun.
func (m *moment) tallied() time.Time {
	if l := m.before.Data.Flow.Ledger.Attempts; len(l) > 0 {
		return l[len(l)-1].At
	}
	return m.at
}

// began says that this step opened a login.
func began(m *moment) bool {
	return m.before.Data.Flow == nil && m.r.Machine.Data.Flow != nil
}

// sends counts how often the same is sent in a row.
func (a *actor) sends(s states.Send) {
	grant, _ := s.Request.Form.Get("grant_type")
	token, _ := s.Request.Form.Get("token")
	key := string(a.m.State) + " " + s.Request.Method + " " + s.Request.URL + " " + grant + token
	if key == a.last {
		a.same++
		return
	}
	a.same, a.last = 1, key
}

func basic(s states.Send) (id, secret string, ok bool) {
	for _, h := range s.Request.Header.Header("Authorization") {
		if raw, is := strings.CutPrefix(h, "Basic "); is {
			return unbasic(raw)
		}
	}
	return "", "", false
}
