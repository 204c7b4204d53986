package devas

import (
	"context"
	"sync"

	"github.com/stile-oauth/stile/httpdriver/bearer"
)

// LazyVerifier is a Verifier that is made when the first token comes, and again with
// each token until that succeeds: for a resource server beside an authorization
// server whose metadata cannot be read, at first or on purpose. Until then, the
// error of find is the answer to a token, as if a Verifier could not be reached.
func LazyVerifier(find func(context.Context) (bearer.Verifier, error)) bearer.Verifier {
	l := &lazyVerifier{find: find}
	return bearer.VerifierFunc(l.verify)
}

type lazyVerifier struct {
	find func(context.Context) (bearer.Verifier, error)

	mu    sync.Mutex
	found bearer.Verifier
}

func (l *lazyVerifier) verify(ctx context.Context, token string) (bearer.Claims, error) {
	l.mu.Lock()
	v := l.found
	l.mu.Unlock()
	if v == nil {
		var err error
		if v, err = l.find(ctx); err != nil {
			return bearer.Claims{}, err
		}
		l.mu.Lock()
		l.found = v
		l.mu.Unlock()
	}
	return v.Verify(ctx, token)
}
