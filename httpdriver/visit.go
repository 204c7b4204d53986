package httpdriver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/transitions"
)

// LoginRequiredError says that the user has to go to URL first. It comes at once
// where nothing blocks (Web); the login waits in the store, and the redirect is
// handed in with Driver.Redirected.
type LoginRequiredError struct {
	// URL holds `state`: show it to the user it is for and to nobody else.
	URL     string
	Issuer  string
	Expires time.Time
}

func (e *LoginRequiredError) Error() string {
	return fmt.Sprintf("a login at %s is required; the link is good until %s", e.Issuer, e.Expires.Format(time.RFC3339))
}

// offer is a link that was shown and not used yet. It is shown again to those
// whom it would help, and not to those who meet something else.
type offer struct {
	need       *LoginRequiredError
	key        states.Key          // of the login, as it waits in the store
	told       []states.Challenged // what it answers; none: an explicit Login
	generation states.Generation   // of the token that was held
}

func (o *offer) answers(c states.Challenged) bool {
	if len(o.told) == 0 {
		return c.Response.Status == http.StatusUnauthorized && c.Generation == o.generation
	}
	return slices.ContainsFunc(o.told, func(t states.Challenged) bool {
		return t.Generation == c.Generation && sameChallenge(t, c)
	})
}

// offered looks whether a link that was shown already would answer a refusal.
// Where the login was finished meanwhile, in any replica, it gives the token.
func (s *session) offered(ctx context.Context, c states.Challenged) (*token, error) {
	s.mu.Lock()
	w := s.waiting
	s.mu.Unlock()
	if w == nil || !s.d.now().Before(w.need.Expires) || !w.answers(c) {
		return nil, nil
	}
	out, err := s.wait(ctx, s.begin(want{}))
	if err != nil {
		return nil, err
	}
	if out.token != nil && out.token.generation != c.Generation {
		return out.token, nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	if _, err := s.d.store.Get(ctx, w.key); !errors.Is(err, storage.ErrNotFound) {
		return nil, w.need // it waits; a store that does not answer is asked again with the next request
	}
	s.mu.Lock()
	if s.waiting == w {
		s.waiting = nil // it ended without a token
	}
	s.mu.Unlock()
	return nil, nil
}

// GoString keeps %#v from showing the URL.
func (e *LoginRequiredError) GoString() string { return "&LoginRequiredError{" + e.Error() + "}" }

// visiting is a Visit under way.
type visiting struct {
	serial uint64
	state  string
	cancel context.CancelFunc
}

var staleCallback = Answer{
	Title: "This login is over", Message: "The link that you came back with is not in use any more. Go back to the program and log in again.",
}

// goVisit sends the human off. A Visit that is under way is left alone.
func (r *run) goVisit(v states.Visit) {
	d := r.s.d
	if w := r.visit.Load(); w != nil && w.serial == v.Serial {
		return
	}
	if d.o.Send == nil {
		if f := d.guard.CheckVisit(r.life.store(), v.URL.Reveal(), r.m.Data.Config.Loopback); f != nil {
			d.log.Warn("the browser is not sent to this address", "issuer", v.Issuer, "rule", f.Rule, "detail", f.Detail)
			r.unvisited = states.Unreachable{Serial: v.Serial, Class: states.Blocked, Rule: f.Rule, Detail: f.Detail}
			return
		}
	}
	if d.showsLinks {
		need := &LoginRequiredError{URL: v.URL.Reveal(), Issuer: v.Issuer, Expires: v.Deadline}
		w := &offer{need: need, key: r.m.Data.Config.LoginKey(states.StateHash(r.m.Data.Flow.State))}
		if t := r.s.held.Load(); t != nil {
			w.generation = t.generation
		}
		r.mu.Lock()
		w.told = slices.Clone(r.told)
		r.mu.Unlock()
		r.s.mu.Lock()
		r.s.waiting = w
		r.s.mu.Unlock()
		r.out.err, r.out.asked = need, r.asks()
		return
	}
	r.endVisit()
	ctx, cancel := context.WithCancel(context.Background())
	st := r.m.Data.Flow.State.Reveal()
	r.visit.Store(&visiting{serial: v.Serial, state: st, cancel: cancel})
	binding := r.binding
	if binding == nil {
		return // a login that was resumed: its redirect is already here
	}
	if r.ending == nil {
		r.ending = make(chan struct{})
	}
	ending := r.ending
	back := func(raw string) Answer {
		got := make(chan Answer, 1)
		h := heard{in: states.Redirected{Serial: v.Serial, URL: wire.Secret(raw)}, reply: func(a Answer) { got <- a }}
		select {
		case r.queue <- h:
		case <-ending:
			return staleCallback
		}
		select {
		case a := <-got:
			return a
		case <-ending:
			select {
			case a := <-got:
				return a
			default:
				return staleCallback
			}
		}
	}
	gone := make(chan struct{})
	r.visits = append(r.visits, gone)
	d.work.Add(1)
	go func() {
		defer d.work.Done()
		defer close(gone)
		err := binding.Visit(ctx, Visit{
			URL: v.URL.Reveal(), RedirectURI: v.RedirectURI, Issuer: v.Issuer, Account: r.s.account, Deadline: v.Deadline,
		}, back)
		if err != nil && ctx.Err() == nil {
			in := unsent(err, v, st)
			d.log.Warn("the human could not be sent to the authorization endpoint", "issuer", v.Issuer, "err", in.Detail)
			select {
			case r.queue <- heard{in: in}:
			case <-ending:
			}
		}
	}()
}

// unsent says why a host could not send the human off, without the address: it
// holds the `state` of the login.
func unsent(err error, v states.Visit, st string) states.Unreachable {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	detail := strings.NewReplacer(v.URL.Reveal(), "the authorization URL", st, "state").Replace(err.Error())
	return states.Unreachable{Serial: v.Serial, Class: states.Unsent, Detail: detail}
}

// answerCallback tells the human at once that a callback was not for this
// login, and otherwise when it is known how the login ended.
func (r *run) answerCallback(on transitions.Event, reply func(Answer)) {
	switch on {
	case transitions.StateMismatch, transitions.CallbackForeign:
		reply(Answer{
			Open: true, Title: "This is not the login that was asked for",
			Message: "The answer does not belong to the login that is waiting. Nothing was changed; the login still waits.",
		})
	default:
		r.came = append(r.came, reply)
	}
}

// endVisit lets go of the Visit under way, if there is one.
func (r *run) endVisit() {
	if v := r.visit.Swap(nil); v != nil {
		v.cancel()
	}
}

// showing is how long a host may take to show a human how it ended.
const showing = 2 * time.Second

// endVisits waits until those who came back have been shown how it ended: the
// address that they came to is closed next.
func (r *run) endVisits() {
	if len(r.visits) == 0 {
		return
	}
	r.timer.set(showing)
	defer r.timer.stop()
	for _, gone := range r.visits {
		select {
		case <-gone:
		case <-r.timer.rings():
			return // a host that does not heed the end of its context
		}
	}
}

// endCallbacks tells those who came back how it ended.
func (r *run) endCallbacks(ok bool, f *states.Fault) {
	a := Answer{OK: true, Title: "You are logged in", Message: "You can close this page and go back to the program."}
	if !ok {
		a = Answer{Title: "The login did not succeed", Message: "Go back to the program; it says what can be done."}
		if f != nil {
			a.Detail = []string{"While " + f.Doing + ": " + f.Problem.Error()}
			if f.Advice != "" {
				a.Detail = append(a.Detail, f.Advice)
			}
		}
	}
	for _, reply := range r.came {
		reply(a)
	}
	r.came = nil
}
