package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"sync/atomic"

	"github.com/stile-oauth/stile/cmd/stile-conformance/internal/kit"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/keys"
)

// foreign is a world with somebody else's authorization server and our own client.
type foreign struct {
	world
	kit     *kit.Kit
	options options
	what    issuer
	policy  httpdriver.Policy
	key     *keys.Key                    // the client's key; nil if it has none
	roots   string                       // certificates that the issuer trusts
	private []string                     // hosts that the client may ask although they are private
	idp     atomic.Pointer[http.Handler] // the company's identity provider; set once its client is known
	server  *process
	judge   *swapped
	client  *ours
}

// build starts the servers and makes the client.
func (f *foreign) build(ctx context.Context) (err error) {
	f.name, f.tap, f.judge, f.bound = f.what.name, &tap{}, &swapped{}, f.what.bound
	if f.what.keyed {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err
		}
		if f.key, err = keys.New(key, keys.Options{Alg: "ES256"}); err != nil {
			return err
		}
	}
	if f.issuer, err = f.tap.open(ctx); err != nil {
		return err
	}
	f.stops = append(f.stops, f.tap.close)
	if f.what.itself {
		f.resource = f.issuer + "/mcp"
	} else if err := f.protect(ctx, f.judge, f.what.scopes, f.what.published); err != nil {
		return err
	}
	if f.policy, err = f.what.policy(ctx, f); err != nil {
		return err
	}
	if err := f.restart(ctx); err != nil {
		return err
	}
	f.stops = append(f.stops, func() error { return f.server.stop() })
	f.client = newOurs(f)
	f.stops = append(f.stops, f.client.close)
	return f.client.open()
}

// restart starts the issuer, or starts it again. After that it has forgotten everything
// that is not in its configuration.
func (f *foreign) restart(ctx context.Context) error {
	if f.server != nil {
		if err := f.server.stop(); err != nil {
			return err
		}
	}
	// The issuer outlives the stage that starts it; the world ends it.
	p, origin, err := f.what.begin(context.WithoutCancel(ctx), f)
	if err != nil {
		return err
	}
	f.server = p
	if f.what.verifier != nil {
		v, err := f.what.verifier(origin, f)
		if err != nil {
			return err
		}
		f.judge.use(v)
	}
	return f.tap.lead(origin)
}
