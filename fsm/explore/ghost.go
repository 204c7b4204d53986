package explore

import (
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// ghost is what the invariants remember and no machine sees: who issued what, and what
// was sent when.
type ghost struct {
	secrets []secret
	spends  []spend
	trips   []trip
	// excused says that during a refresh an answer was lost, or a process died or stood
	// still. A login may then be lost, and is counted.
	excused bool
	// storeFault says that the store failed once, so that what is stored on a best-effort
	// basis may be missing.
	storeFault bool
	loggedOut  bool
	// outlived says that a process finished a login whose mark had expired. The process
	// had stood still, and others could not know of its login.
	outlived bool
	stepUps  []stepUp
	// assertions and proofs are those that were sent.
	assertions []string
	proofs     []string
}

// secret is something that a server issued.
type secret struct {
	value string
	kind  string // code, access, refresh, client, initial, manage
	home  string // the issuer
	// challenge is the challenge of the authorization request that a code answers.
	challenge string
	foreign   bool // it belongs to the attacker's own session
	condemned bool // the issuer has refused it
	// code is the code of the login that a token came from, also after refreshes.
	code string
}

// what names a secret in a text for people.
func (x *secret) what() string {
	return map[string]string{
		"code": "a code", "access": "an access token", "refresh": "a refresh token",
		"client": "a client secret", "initial": "an initial access token", "manage": "a registration token",
	}[x.kind]
}

// spend is one sending of a code or a refresh token, and its outcome.
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
	likely                 // an answer of unknown shape: it was probably taken
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

// memory is what is remembered about one process.
type memory struct {
	asked    bool      // the host asked for a login
	demanded bool      // the registration was refused for want of an initial access token
	logins   int       // logins since the resource last accepted a token
	since    time.Time // when the last of them began
	trips    int       // authorization requests in this login
	proofs   int       // how often in a row the same was sent because of its proof
	same     int       // how often the same was sent in a row
	last     string    // what that was
	fence    uint64
	mark     states.Generation
	login    states.Generation
	loginKey states.Key
}

// memory writes what is remembered.
func (e *encoder) memory(m *memory) {
	e.flags(m.asked, m.demanded, m.fence != 0)
	e.num(m.logins)
	e.time(m.since)
	e.num(m.trips)
	e.num(m.same)
	if m.proofs > 0 {
		e.num(m.proofs)
	}
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
			switch p.outcome { // what is looked at later (spending)
			case open:
				e.time(p.until)
				e.time(p.notAfter)
			case known, likely:
				e.time(p.notAfter)
			case unknown:
				e.time(p.at)
			default: // the others need nothing here
			}
		}
	}
	for _, x := range g.secrets {
		if x.value == s {
			e.flags(x.foreign, x.condemned)
			e.text(x.home)
			if x.code != "" {
				e.secret(x.code)
			}
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

// login names the login that a token came of; empty when none is known.
func (g *ghost) login(token string) string {
	if x := g.secret(token); x != nil {
		return x.code
	}
	return ""
}

// settle says how an actor's sending of a token ended; with saved, it says that the
// result is stored.
func (g *ghost) settle(actor int, token string, o outcome, at time.Time) {
	was := open
	if o == saved {
		was = known
	}
	for i := len(g.spends) - 1; i >= 0; i-- {
		if g.spends[i].actor == actor && (token == "" || g.spends[i].token == token) && g.spends[i].outcome == was {
			g.spends = slices.Clone(g.spends)
			g.spends[i].outcome = o
			// Was it stored in time, or only after the process had stood still?
			g.spends[i].late = o == saved && !at.Before(g.spends[i].notAfter)
			return
		}
	}
}

// field reads a string member of a JSON answer. Members of other types are not needed.
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

// home names the issuer to whose origin an address belongs.
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

// learn remembers what a server issued.
func (w *world) learn(q wire.Request, r wire.Response) {
	if r.Status < 200 || r.Status > 299 {
		return
	}
	home := w.home(q.URL)
	if q.Method != "POST" {
		return
	}
	code, _ := q.Form.Get("code")
	if old, refresh := q.Form.Get("refresh_token"); refresh {
		code = w.ghost.login(old)
	}
	if field(r, "issued_token_type") != wire.TypeIDJAG { // where an ID-JAG belongs is in it (identityHome)
		w.ghost.issue(secret{value: field(r, "access_token"), kind: "access", home: home, code: code})
	}
	w.ghost.issue(secret{value: field(r, "refresh_token"), kind: "refresh", home: home, code: code})
	w.ghost.issue(secret{value: field(r, "client_secret"), kind: "client", home: home})
	w.ghost.issue(secret{value: field(r, "registration_access_token"), kind: "manage", home: home})
}

// issued remembers the code that a callback carries.
func (w *world) issued(callback, home, challenge string, foreign bool) {
	if cb, bad := wire.ParseCallback(callback); bad == nil && cb.HasCode {
		w.ghost.issue(secret{value: cb.Code.Reveal(), kind: "code", home: home, challenge: challenge, foreign: foreign})
	}
}
