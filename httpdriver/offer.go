package httpdriver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// LoginRequiredError says that the user has to go to URL first. With Web, which never
// blocks, it is returned at once. The login waits in the store, and the host hands in the
// redirect with Driver.Redirected.
type LoginRequiredError struct {
	// URL holds `state`: show it only to the user that it is for.
	URL     string
	Issuer  string
	Expires time.Time
	// Code is the code that the user has to enter or compare at URL, with Policy.Grant
	// states.DeviceGrant. That login goes on by itself; there is no redirect.
	Code string
}

func (e *LoginRequiredError) Error() string {
	return fmt.Sprintf("a login at %s is required; the link is good until %s", e.Issuer, e.Expires.Format(time.RFC3339))
}

// GoString keeps %#v from showing the URL.
func (e *LoginRequiredError) GoString() string { return "&LoginRequiredError{" + e.Error() + "}" }

// offer is a link that was shown and not used yet. It is shown again for a refusal that
// the login would answer, and not for another one.
type offer struct {
	need       *LoginRequiredError
	key, mark  states.Key          // of the login, as it waits in the store, and of its mark
	challenges []states.Challenged // what it answers; none: an explicit Login
	generation states.Generation   // of the token that was held
}

func (o *offer) answers(c states.Challenged) bool {
	if len(o.challenges) == 0 {
		return c.Response.Status == http.StatusUnauthorized && c.Generation == o.generation
	}
	return slices.ContainsFunc(o.challenges, func(h states.Challenged) bool {
		return h.Generation == c.Generation && sameChallenge(h, c)
	})
}

// showLink ends the run with a link, for a host that never blocks.
func (r *run) showLink(v states.Visit) {
	need := &LoginRequiredError{URL: v.URL.Reveal(), Issuer: v.Issuer, Expires: v.Deadline}
	c := r.m.Data.Config
	o := &offer{need: need, key: c.LoginKey(states.StateHash(r.m.Data.Flow.State)), mark: c.MarkKey()}
	if t := r.s.held.Load(); t != nil {
		o.generation = t.generation
	}
	r.s.mu.Lock()
	o.challenges = slices.Clone(r.shared.challenges)
	r.s.offer = o
	r.s.mu.Unlock()
	r.out.err, r.out.requested = need, r.requested()
}

// offered checks whether a link that was already shown answers a refusal. If the login
// was finished in the meantime, in any replica, it returns the token.
func (s *session) offered(ctx context.Context, c states.Challenged) (*token, error) {
	s.mu.Lock()
	o := s.offer
	s.mu.Unlock()
	if o == nil || !s.d.now().Before(o.need.Expires) || !o.answers(c) {
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
	if _, err := s.d.store.Get(ctx, o.key); !errors.Is(err, storage.ErrNotFound) {
		return nil, o.need // it waits; a store that does not answer is asked again with the next request
	}
	s.mu.Lock()
	if s.offer == o {
		s.offer = nil // it ended without a token
	}
	s.mu.Unlock()
	return nil, nil
}

// withdraw removes a login that waits for its redirect, because the link is no longer
// valid after a log out (rule logout-conditional). It also removes the mark that announced
// the login, so that no other process waits for it.
func (s *session) withdraw(ctx context.Context, o *offer) {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	for _, key := range []states.Key{o.key, o.mark} {
		e, err := s.d.store.Get(ctx, key)
		if err == nil {
			err = s.d.store.Delete(ctx, key, e.Generation)
		}
		if err != nil && !errors.Is(err, storage.ErrNotFound) && !errors.Is(err, storage.ErrConflict) {
			s.d.log.Warn("a login that waits could not be removed; it runs out by itself", "err", err)
		}
	}
}
