package httpdriver

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/transitions"
)

// visiting is what other goroutines need of the last Visit. It is kept when the user is back:
// the same redirect may come once more, and ends as the first one does.
type visiting struct {
	serial uint64 // 0: none
	state  string
}

// visits are the Visits of a run, one after the other.
type visits struct {
	cancel context.CancelFunc // of the one under way
	gone   []chan struct{}    // one for each, closed when it has ended
	// over is closed when callbacks are no longer received; it is created for the first
	// Visit.
	over chan struct{}
	// before is the token that was held when the user was sent off; 0: none.
	before states.Generation
	// came answers the user who came back and waits for the result; nil if nobody does. A
	// machine that has taken a callback takes none before the next Visit.
	came func(Answer)
}

// The answers to users who came back.
var (
	staleCallback = Answer{
		Title:   "This login is over",
		Message: "The link that you came back with is no longer in use. Go back to the program and log in again.",
	}
	foreignCallback = Answer{
		Open: true, Title: "This is not the login that was asked for",
		Message: "The answer does not belong to the login that is waiting. Nothing was changed; the login still waits.",
	}
	loggedIn = Answer{OK: true, Title: "You are logged in", Message: "You can close this page and go back to the program."}
)

// goVisit sends the user to the issuer. It does not touch a Visit that is under way.
func (r *run) goVisit(v states.Visit) states.Input {
	d := r.s.d
	if r.shared.visit.serial == v.Serial {
		return nil
	}
	if d.o.Send == nil {
		if f := d.guard.CheckVisit(r.storing.get(), v.URL.Reveal(), r.m.Data.Config.Loopback); f != nil {
			d.log.Warn("the browser is not sent to this address", "issuer", r.masked(v.Issuer), "rule", f.Rule, "detail", r.masked(f.Detail))
			return states.Unreachable{Serial: v.Serial, Class: states.Blocked, Rule: f.Rule, Detail: f.Detail}
		}
	}
	if d.showsLinks {
		r.showLink(v)
		return nil
	}
	if r.listener == nil { // a login that was taken up with its redirect
		return states.Unreachable{
			Serial: v.Serial, Class: states.Unsent,
			Detail: "the authorization server has to be asked once more, and nothing here listens for the answer: log in again",
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.visits.cancel = cancel
	if t := r.m.Data.Token(); t != nil {
		r.visits.before = t.Generation
	}
	state := r.m.Data.Flow.State.Reveal()
	r.s.mu.Lock()
	r.shared.visit = visiting{serial: v.Serial, state: state}
	r.s.mu.Unlock()
	if r.visits.over == nil {
		r.visits.over = make(chan struct{})
	}
	to := Visit{
		URL: v.URL.Reveal(), RedirectURI: v.RedirectURI, Issuer: v.Issuer, Account: r.s.account, Deadline: v.Deadline,
		Underway: r.sendOn(v.URL.Reveal()),
	}
	gone := make(chan struct{})
	r.visits.gone = append(r.visits.gone, gone)
	d.work.Add(1)
	go r.visit(ctx, r.listener, v, to, state, r.m.Data.Secrets(), gone)
	return nil
}

// masked removes the machine's secrets from a text that a peer may have influenced.
func (r *run) masked(text string) string { return wire.Mask(text, r.m.Data.Secrets()) }

// visit carries out a Visit outside the loop. known are the machine's secrets.
func (r *run) visit(ctx context.Context, l Listener, v states.Visit, to Visit, state string, known []wire.Secret, gone chan struct{}) {
	d, over := r.s.d, r.visits.over
	defer d.work.Done()
	defer close(gone)
	back := func(raw string) Answer {
		got := make(chan Answer, 1)
		m := message{in: states.Redirected{Serial: v.Serial, URL: wire.Secret(raw)}, reply: func(a Answer) { got <- a }}
		select {
		case r.queue <- m:
		case <-over:
			return staleCallback
		}
		select {
		case a := <-got:
			return a
		case <-over:
			select {
			case a := <-got:
				return a
			default:
				return staleCallback
			}
		}
	}
	err := contain("Listener.Visit", func() error { return l.Visit(ctx, to, back) })
	if err != nil && ctx.Err() == nil {
		in := unsent(err, v, state)
		d.log.Warn("the user could not be sent to the authorization endpoint", "issuer", wire.Mask(v.Issuer, known), "err", wire.Mask(in.Detail, known))
		select {
		case r.queue <- message{in: in}:
		case <-over:
		}
	}
}

// unsent says why a host could not send the user to the issuer. It leaves out the
// address, which holds the `state` of the login.
func unsent(err error, v states.Visit, st string) states.Unreachable {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	detail := strings.NewReplacer(v.URL.Reveal(), "the authorization URL", st, "state").Replace(err.Error())
	return states.Unreachable{Serial: v.Serial, Class: states.Unsent, Detail: detail}
}

// answerCallback tells the user at once if a callback was not for this login. Otherwise
// it tells the user the result when the login has ended.
func (r *run) answerCallback(on transitions.Event, reply func(Answer)) {
	switch on {
	case transitions.StateMismatch, transitions.CallbackForeign:
		reply(foreignCallback)
	default:
		r.visits.came = reply
	}
}

// sendOn sends a user who came back to the next authorization request of the same login.
// It reports whether there was such a user.
func (r *run) sendOn(to string) bool {
	if r.visits.came == nil {
		return false
	}
	r.reply(Answer{
		Next: to, Title: "The login goes on", Message: "The authorization server has to be asked once more.",
	})
	return true
}

// endVisit ends the Visit under way, if there is one.
func (r *run) endVisit() {
	if r.visits.cancel == nil {
		return
	}
	r.visits.cancel()
	r.visits.cancel = nil
}

// showing is how long a host may take to show the result to a user.
const showing = 2 * time.Second

// end waits until the user who came back has seen the result, because the address that
// they came to is closed next.
func (v *visits) end() {
	if v.over != nil {
		close(v.over)
	}
	if len(v.gone) == 0 {
		return
	}
	t := time.NewTimer(showing)
	defer t.Stop()
	for _, gone := range v.gone {
		select {
		case <-gone:
		case <-t.C:
			return // a host that does not heed the end of its context
		}
	}
}

// endCallbacks tells the user who came back the result. The login succeeded if there is
// a new token, whatever failed on the way.
func (r *run) endCallbacks() {
	if t := r.out.token; t != nil && t.generation != r.visits.before {
		r.reply(loggedIn)
		return
	}
	r.reply(failedLogin(r.out.fault))
}

// reply answers the user who came back, if there is one.
func (r *run) reply(a Answer) {
	if r.visits.came != nil {
		r.visits.came(a)
		r.visits.came = nil
	}
}

// failedLogin is what the user sees after a login that did not succeed.
func failedLogin(f *states.Fault) Answer {
	a := Answer{Title: "The login did not succeed", Message: "Go back to the program; it says what can be done."}
	if f == nil {
		return a
	}
	if o := f.Problem.OAuth; o != nil && o.Code == wire.CodeAccessDenied {
		return Answer{
			Title:   "Access was denied",
			Message: "The program was not given access, as you or the authorization server decided. You can close this page.",
		}
	}
	a.Detail = []string{"While " + f.Doing + ": " + f.Problem.Error()}
	if f.Advice != "" {
		a.Detail = append(a.Detail, f.Advice)
	}
	return a
}
