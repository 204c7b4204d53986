package devas

import (
	"context"
	"errors"
	"time"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states/wire"
)

// Serves says whether a URL belongs to this server.
func (s *AS) Serves(url string) bool { return s.tenant(url) != nil }

func (s *AS) tenant(url string) *peer.AS {
	for _, p := range s.tenants {
		if p.Serves(url) {
			return p
		}
	}
	return nil
}

// answer finds the tenant, fetches what it needs, and asks it. The lock is
// not held while another server is waited for.
func (s *AS) answer(ctx context.Context, req wire.Request) (wire.Response, peer.Verdict, bool) {
	p := s.tenant(req.URL)
	if p == nil {
		return wire.Response{}, peer.Verdict{}, false
	}
	s.mu.Lock()
	id, issuer := p.Needs(s.config.Now(), req), p.NeedsKeys(s.config.Now(), req)
	s.mu.Unlock()
	if id != "" {
		s.learn(ctx, p, id)
	}
	if issuer != "" {
		s.learnKeys(ctx, p, issuer)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	resp, why := p.Judge(s.config.Now(), req)
	s.keep()
	return resp, why, true
}

// learn fetches a client document once for all who wait for it.
func (s *AS) learn(ctx context.Context, p *peer.AS, id string) {
	_, _, _ = s.flight.Do(p.Issuer()+" "+id, func() (any, error) {
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
		default:
			s.config.Logger.Warn("client document not fetched: too many fetches under way")
			return nil, nil
		}
		// The first request may be cancelled; the others still wait.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		resp, err := s.config.Fetch(ctx, id)
		if err != nil {
			s.config.Logger.Warn(whoFailed(err), "client_id", show(id), "error", show(err.Error()))
			return nil, nil
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if err := p.Learn(s.config.Now(), id, resp); err != nil {
			s.config.Logger.Warn("client document refused: what the client published is wrong", "client_id", show(id), "error", err.Error())
		}
		return nil, nil
	})
}

// whoFailed says whose fault it is that a client document was not fetched.
func whoFailed(err error) string {
	var f *guard.Error
	if errors.As(err, &f) && f.Class == guard.ClassBlocked {
		return "client document not fetched: the policy of this server does not allow the address"
	}
	return "client document not fetched: the server of the document did not answer"
}
