package explore

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/stile-oauth/stile/fsm/model"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// transmit lets the servers answer a request, and checks what must hold when bytes are
// sent. known is false if there is no such host.
func (w *world) transmit(i int, q states.Send) (r wire.Response, known bool) {
	w.leaves(i, q)
	token, refresh := q.Request.Form.Get("refresh_token")
	r, known = model.Exchange(w.servers(), w.at, q)
	w.learn(q.Request, r)
	if refresh && !w.ghost.excused && field(r, "error") == "invalid_grant" && w.standing(token) == "revoked" &&
		!w.ghost.loggedOut && !w.ghost.revoked(token) {
		w.breaks(familyAlive, "the issuer has revoked the family")
	}
	return r, known
}

// leaves is called when the bytes of a request are on their way.
func (w *world) leaves(i int, q states.Send) {
	token, refresh := q.Request.Form.Get("refresh_token")
	code, exchange := q.Request.Form.Get("code")
	if _, revoke := q.Request.Form.Get("token"); revoke {
		w.ghost.excused = true // a log out ends the family
	}
	switch {
	case refresh:
		w.spending(i, q, token)
	case exchange:
		for _, p := range w.ghost.spends {
			if p.token == code && p.outcome != refused {
				w.breaks(codeOnce, "the code is sent again although it may have been spent")
			}
			if p.token == code && p.url != q.Request.URL {
				w.breaks(codeOnce, "the code is sent to "+q.Request.URL+" after it was sent to "+p.url)
			}
		}
		w.ghost.spends = append(slices.Clip(w.ghost.spends), spend{token: code, url: q.Request.URL, actor: i, at: w.at, until: w.at.Add(q.Timeout)})
	}
}

// revoked notes that the machine itself revoked a token.
func (g *ghost) revoked(token string) bool {
	x := g.secret(token)
	return x != nil && x.condemned
}

// spending is called when a refresh token is sent.
func (w *world) spending(i int, q states.Send, token string) {
	var lost []time.Time // when the sends without a known outcome were made
	for _, p := range w.ghost.spends {
		if p.token != token {
			continue
		}
		switch p.outcome {
		case open:
			if w.at.Before(p.until) {
				w.breaks(noOverlap, fmt.Sprintf("%s sends it while %s does, for %s more", w.actors[i].name, w.actors[p.actor].name, p.until.Sub(w.at)))
			}
			w.ghost.excused = true // it did not take the answer in time
			lost = append(lost, p.at)
		case known:
			if w.at.Before(p.notAfter) {
				w.breaks(notAfterSuccess, w.actors[i].name+" sends it although "+w.actors[p.actor].name+" has its successor")
			} else {
				w.ghost.excused = true // it stood still after it had received the answer
			}
		case saved:
			if p.late {
				w.ghost.excused = true
			} else {
				w.breaks(notAfterSuccess, w.actors[i].name+" sends it although its successor is stored")
			}
		case unknown:
			lost = append(lost, p.at)
		case likely:
			if w.at.Before(p.notAfter) {
				w.breaks(doubtBounded, "it is sent again although it was probably taken")
			}
			w.ghost.excused = true
		default: // the others need nothing here
		}
	}
	if n := len(lost); n > 0 {
		switch first, last := lost[0], lost[n-1]; {
		case w.at.Sub(last) < leastPause:
			w.breaks(doubtBounded, "it is sent again "+w.at.Sub(last).String()+" after its answer was lost")
		case n > 1 && last.Sub(first) > longestDoubt:
			w.breaks(doubtBounded, "it is sent again although its answers were lost for "+last.Sub(first).String())
		}
	}
	c := w.actors[i].m.Data.Config
	if e := w.store.Find(w.at, c.CredentialKey()); e != nil && e.Credential != nil {
		switch t := e.Credential.Current; {
		case t == nil || t.RefreshToken.Reveal() != token:
		case e.Credential.Intent == nil:
			w.breaks(intentFirst, "the store does not show the intent")
		case e.Credential.GivenUp():
			w.breaks(doubtBounded, "it is sent although the store says that it is given up")
		}
	}
	until := w.ends(i, q)
	w.ghost.spends = append(slices.Clip(w.ghost.spends), spend{token: token, actor: i, at: w.at, notAfter: q.NotAfter.Add(-w.actors[i].skew), until: until})
}

// The limits that doubt about a refresh token must keep
// (docs/decision-tables.md#t8-doubt).
const (
	leastPause   = time.Second
	longestDoubt = time.Hour + 2*time.Minute // the pauses between sends are not exact
)

// ends is when a driver gives up an exchange: after its Timeout, and at NotAfter at the
// latest (states.Send).
func (w *world) ends(i int, q states.Send) time.Time {
	until := w.at.Add(q.Timeout)
	if n := q.NotAfter.Add(-w.actors[i].skew); !q.NotAfter.IsZero() && n.Before(until) {
		return n
	}
	return until
}

// deliver hands in an answer, and remembers what it says about what was spent.
func (w *world) deliver(i int, q states.Send, in states.Input) {
	token, refresh := q.Request.Form.Get("refresh_token")
	if !refresh {
		token, _ = q.Request.Form.Get("code")
	}
	if token != "" {
		w.judgeSpend(i, token, refresh, in)
	}
	if r, ok := in.(states.Responded); ok && w.actors[i].m.State == states.Registering {
		s := r.Response.Status
		w.actors[i].demanded = w.actors[i].demanded || s == 401 || s == 403
	}
	w.step(i, in)
}

func (w *world) judgeSpend(i int, token string, refresh bool, in states.Input) {
	switch in := in.(type) {
	case states.Responded:
		switch {
		case field(in.Response, "access_token") != "" && in.Response.Status == 200 && wellFormed(in.Response):
			if next := field(in.Response, "refresh_token"); refresh && (next == "" || next == token) {
				w.ghost.settle(i, token, refused, w.at) // it stays good
				return
			}
			w.ghost.settle(i, token, known, w.at)
		case in.Response.Status >= 200 && in.Response.Status < 300 && field(in.Response, "error") == "":
			got := unknown
			if b := bytes.TrimSpace(in.Response.Body); refresh && len(b) > 1 && b[0] == '{' && b[len(b)-1] == '}' {
				got = likely
			}
			w.ghost.settle(i, token, got, w.at)
			w.ghost.excused = true
		case in.Response.Status >= 500 && !refresh: // the code may have been spent
			w.ghost.settle(i, token, unknown, w.at)
		case in.Response.Status >= 500: // tried again within bounds (docs/decision-tables.md#t8a)
			w.ghost.settle(i, token, refused, w.at)
			w.ghost.excused = true
		default:
			w.ghost.settle(i, token, refused, w.at)
			if code := field(in.Response, "error"); refresh && (code != "" || in.Response.Status != 429) && code != "temporarily_unavailable" && code != "server_error" {
				w.ghost.condemn(token)
			}
		}
	case states.Unreachable:
		switch in.Class {
		case states.Lost:
			w.ghost.settle(i, token, unknown, w.at)
			w.ghost.excused = true
		default:
			w.ghost.settle(i, token, refused, w.at)
		}
	default: // the others need nothing here
	}
}

func wellFormed(r wire.Response) bool {
	_, _, bad := wire.ParseToken(r, wire.TokenPolicy{})
	return bad == nil
}

// stores lets the store answer, and checks what must hold for every write of a
// credential.
func (w *world) stores(i int, q states.Effect) states.Input {
	before := w.credential(i)
	in := w.store.Answer(w.at, q)
	if s, ok := q.(states.Save); ok && s.Key.Kind == states.KindCredential {
		if _, done := in.(states.Saved); done {
			w.wrote(i, before, w.credential(i))
		}
	}
	return in
}

func (w *world) credential(i int) *states.Credential {
	if e := w.store.Find(w.at, w.actors[i].m.Data.Config.CredentialKey()); e != nil {
		return e.Credential
	}
	return nil
}

func (w *world) wrote(i int, before, after *states.Credential) {
	a := &w.actors[i]
	if before == nil {
		if a.m.Data.Flow == nil {
			w.breaks(notResurrected, "a removed credential is written again in "+string(a.m.State))
		}
		return
	}
	if before.Current == nil || before.Current.RefreshToken == "" || after == nil {
		return
	}
	old, now := before.Current.RefreshToken.Reveal(), ""
	if after.Current != nil {
		now = after.Current.RefreshToken.Reveal()
	}
	if old == now {
		return
	}
	lives := w.standing(old) == "live"
	if s := w.standing(now); lives && now != "" && (s == "spent" || s == "revoked") {
		w.breaks(winnerKept, "a dead refresh token replaces one that lives")
	}
	x := w.ghost.secret(old)
	kept := slices.ContainsFunc(after.Superseded, func(t states.Token) bool { return t.RefreshToken.Reveal() == old })
	if lives && now == "" && !kept && (x == nil || !x.condemned) {
		w.breaks(refreshTokenKept, "a refresh token that lives is dropped in "+string(a.m.State))
	}
}

// exchange answers a Send as the servers do, after the pause it asks for.
func (w *world) exchange(i int, q states.Send) states.Input {
	w.pass(i, q.NotBefore)
	if model.Late(w.clock(i), q.NotAfter) {
		return states.Unreachable{Serial: q.Serial, Class: states.Late, Detail: "too late to send"}
	}
	r, known := w.transmit(i, q)
	if !known {
		return states.Unreachable{Serial: q.Serial, Class: states.Unsent, Detail: "no such host"}
	}
	return states.Responded{Serial: q.Serial, Response: r}
}

// sign signs with the story's key, after the pause that is asked for.
func (w *world) sign(i int, q states.Sign) {
	w.pass(i, q.NotBefore)
	w.step(i, model.Sign(q))
}

// honest answers the open question of an actor as the store, the servers and a host that
// takes every default do.
func (w *world) honest(i int) {
	switch q := w.actors[i].q.(type) {
	case states.Send:
		w.deliver(i, q, w.exchange(i, q))
	case states.Assert:
		w.pass(i, q.NotBefore)
		w.step(i, model.Assert(q, w.at))
	case states.Sign:
		w.sign(i, q)
	case states.Ask:
		in := states.Answered{Serial: q.Serial}
		if q.Question == states.AskRedirect {
			in.Value = q.Default
		}
		w.step(i, in)
	case states.Save:
		w.pass(i, q.NotBefore)
		w.step(i, w.stores(i, q))
	case nil:
	default:
		w.step(i, w.stores(i, q))
	}
}
