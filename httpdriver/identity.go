package httpdriver

import (
	"context"
	"errors"
	"net/http"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// IdentityRequest is the request to Options.Identity.
type IdentityRequest struct {
	// Provider is the identity provider of the ID token, Client is its audience.
	Provider, Client string
	// User says that a user waits and may be asked to log in. Refused says that the
	// provider did not accept the last ID token.
	User, Refused bool
}

// ErrUserNeeded says that there is no ID token until the user has logged in at the
// identity provider (Options.Identity).
var ErrUserNeeded = errors.New("httpdriver: the user has to log in at the identity provider")

// identify carries out an Assert about the user.
func (r *run) identify(q states.Assert) states.Input {
	d := r.s.d
	r.clock.follow(true, true) // it may take as long as a user does; where there is no login, no clock runs
	ctx, cancel := r.beforeSending(q.Timeout)
	defer cancel()
	var idToken string
	err := contain("Options.Identity", func() (err error) {
		if d.o.Identity == nil {
			if r.identity, err = r.fromProvider(ctx, q); err == nil {
				idToken = r.identity.secret().Reveal()
			}
			return err
		}
		idToken, err = d.o.Identity(ctx, r.s.account, IdentityRequest{Provider: q.Provider, Client: q.Audiences[0], User: q.User, Refused: q.Refused})
		return err
	})
	if err == nil && idToken == "" {
		err = errors.New("it is empty")
	}
	if err == nil {
		return states.Signed{Serial: q.Serial, JWS: wire.Secret(idToken)}
	}
	d.log.Warn("there is no ID token of the user", "provider", q.Provider, "err", err)
	r.link, _ = errors.AsType[*LoginRequiredError](err)
	return states.Unsigned{Serial: q.Serial, Detail: err.Error(), NeedsUser: errors.Is(err, ErrUserNeeded) || r.link != nil}
}

// fromProvider gives the ID token of the login at the provider: the held one, the one
// from a refresh there or, if a user waits, the one from a new login.
func (r *run) fromProvider(ctx context.Context, q states.Assert) (*token, error) {
	d, a := r.s.d, r.s.account
	a.Server = q.Provider
	s, err := d.session(a)
	if err != nil {
		return nil, err
	}
	if r.want.byUser {
		s.cool()
	}
	recent := s.cooled(false)
	t, _, err := s.ready(ctx)
	fault, failed := fsm.FaultOf(err)
	switch {
	case err != nil && (!failed || fault.Transient):
		return nil, err
	case t != nil && !q.Refused:
		return t, nil
	case !q.User:
		return nil, ErrUserNeeded
	}
	// A login that has just failed there is not repeated. A refresh that failed is no hindrance
	// for a login.
	if last, failed := fsm.FaultOf(recent); failed && !renews(last.State) {
		return nil, recent
	}
	w := want{login: true, byUser: r.want.byUser}
	if t != nil { // a refresh there may do
		w = want{byUser: r.want.byUser, challenge: &states.Challenged{Generation: t.generation, Response: wire.Response{
			Status: http.StatusUnauthorized, Header: wire.Fields{{Name: "WWW-Authenticate", Value: `Bearer error="invalid_token"`}},
		}}}
	}
	// A link that was shown already is shown again, if it was not forgotten above.
	c := states.Challenged{Response: wire.Response{Status: http.StatusUnauthorized}}
	if t != nil {
		c = *w.challenge
	}
	if come, err := s.offered(ctx, c); come != nil || err != nil {
		return come, err
	}
	out, err := s.wait(ctx, s.begin(w))
	if err == nil && out.token == nil { // logged out elsewhere
		out, err = s.wait(ctx, s.begin(want{login: true, byUser: r.want.byUser}))
	}
	switch {
	case err != nil:
		return nil, err
	case out.fault != nil:
		return nil, faultError(out.fault)
	case out.token == nil:
		return nil, ErrUserNeeded
	}
	return out.token, nil
}
