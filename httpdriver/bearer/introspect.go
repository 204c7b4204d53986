package bearer

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/stile-oauth/stile/httpdriver/version"
	"github.com/stile-oauth/stile/states/wire"
)

// IntrospectionConfig says where tokens are introspected, and as which client (RFC 7662
// §2.1).
type IntrospectionConfig struct {
	// URL of the endpoint: https, or http on loopback.
	URL string
	// ClientID and ClientSecret authenticate this resource server, by
	// client_secret_basic. Secret, if set, is asked instead for each request,
	// so that a rotated secret is picked up.
	ClientID     string
	ClientSecret wire.Secret
	Secret       func(context.Context) (wire.Secret, error)
	// Client carries the requests; its redirects and cookies are not used.
	Client *http.Client
	// Timeout bounds one introspection; default 10 s.
	Timeout time.Duration
	// CacheFor is how long an active answer may be reused, and so how late a
	// revocation may be noticed; default 30 s, negative for never. CacheSize
	// bounds the number of tokens; default 10,000.
	CacheFor  time.Duration
	CacheSize int
	// InactiveFor is how long a token that was refused is refused again without
	// being asked about; default 5 s, at most a minute, negative for never.
	InactiveFor time.Duration
	// MaxInFlight bounds how many introspections run at once; default 64. Beyond it
	// Verify answers ErrBusy. A quarter is kept for tokens that were active before, so
	// that a flood of invalid tokens does not keep users out. If there are more of those
	// tokens, they wait for their turn, for Timeout at most.
	MaxInFlight int
	// Plausible, if set, refuses what cannot be a token of this authorization
	// server (by prefix, length or checksum) before anybody is asked.
	Plausible func(token string) bool
	Now       func() time.Time
}

// ErrBusy says that too many tokens are being verified at once. It is an
// ErrUnavailable that is worth trying again soon.
var ErrBusy = fmt.Errorf("%w: too many are being verified", ErrUnavailable)

// maxInactive bounds InactiveFor.
const maxInactive = time.Minute

// Introspection is a Verifier that asks the authorization server.
type Introspection struct {
	config   IntrospectionConfig
	client   *http.Client
	active   *cache
	inactive *cache // of its own: junk does not push out what is good
	flight   singleflight.Group
	anybody  chan struct{} // slots of introspections in flight
	known    chan struct{} // further ones, for tokens that were active before
}

// NewIntrospection checks the configuration.
func NewIntrospection(c IntrospectionConfig) (*Introspection, error) {
	if err := secure(c.URL); err != nil {
		return nil, err
	}
	if c.ClientID == "" || c.ClientSecret == "" && c.Secret == nil {
		return nil, errors.New("bearer: introspection needs a client id and a secret (RFC 7662 §2.1)")
	}
	c.Timeout = cmp.Or(c.Timeout, 10*time.Second)
	c.CacheFor = cmp.Or(c.CacheFor, 30*time.Second)
	c.CacheSize = cmp.Or(c.CacheSize, 10_000)
	c.InactiveFor = min(cmp.Or(c.InactiveFor, 5*time.Second), maxInactive)
	c.MaxInFlight = max(cmp.Or(c.MaxInFlight, 64), 2)
	if c.Now == nil {
		c.Now = time.Now
	}
	kept := max(c.MaxInFlight/4, 1)
	return &Introspection{
		config: c, client: noRedirects(c.Client), active: newCache(c.CacheSize), inactive: newCache(c.CacheSize),
		anybody: make(chan struct{}, c.MaxInFlight-kept), known: make(chan struct{}, kept),
	}, nil
}

// Verify asks the server, or uses an earlier answer. Callers with the same token share
// one request, which continues for the others when one caller gives up.
func (v *Introspection) Verify(ctx context.Context, token string) (Claims, error) {
	key := sha256.Sum256([]byte(token))
	if c, err, ok := v.remembered(key); ok {
		return c, err
	}
	if !v.plausible(token) {
		return Claims{}, ErrInvalidToken
	}
	done := v.flight.DoChan(string(key[:]), func() (any, error) {
		// The answer to an earlier question may have come since we looked.
		if c, err, ok := v.remembered(key); ok {
			return c, err
		}
		waiting, stop := context.WithTimeout(context.WithoutCancel(ctx), v.config.Timeout)
		give, ok := v.slot(waiting, key)
		stop()
		if !ok {
			return nil, ErrBusy
		}
		defer give()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), v.config.Timeout)
		defer cancel()
		c, err := v.ask(ctx, token)
		v.remember(key, c, err)
		return c, err
	})
	select {
	case r := <-done:
		c, _ := r.Val.(Claims)
		return c, r.Err
	case <-ctx.Done():
		return Claims{}, unavailable("the caller has left")
	}
}

// remembered gives an answer that is young enough.
func (v *Introspection) remembered(key [sha256.Size]byte) (Claims, error, bool) {
	now := v.config.Now()
	if c, fresh, _ := v.active.get(now, key); fresh {
		return c, nil, true
	}
	_, fresh, _ := v.inactive.get(now, key)
	return Claims{}, ErrInvalidToken, fresh
}

// remember keeps an answer for as long as it may be used.
func (v *Introspection) remember(key [sha256.Size]byte, c Claims, err error) {
	now := v.config.Now()
	switch {
	case errors.Is(err, ErrInvalidToken):
		v.active.remove(key)
		if v.config.InactiveFor > 0 {
			v.inactive.put(key, now.Add(v.config.InactiveFor), Claims{})
		}
	case err == nil:
		until := now.Add(max(v.config.CacheFor, 0))
		if !c.Expires.IsZero() && c.Expires.Before(until) {
			until = c.Expires
		}
		v.active.put(key, until, c)
	}
}

// slot takes one of the places in flight, if one is free. A token that was active before
// waits for a place, because there are no more such tokens than the cache holds.
func (v *Introspection) slot(ctx context.Context, key [sha256.Size]byte) (give func(), ok bool) {
	_, _, known := v.active.get(v.config.Now(), key)
	if !known {
		select {
		case v.anybody <- struct{}{}:
			return func() { <-v.anybody }, true
		default:
			return nil, false
		}
	}
	select {
	case v.anybody <- struct{}{}:
		return func() { <-v.anybody }, true
	case v.known <- struct{}{}:
		return func() { <-v.known }, true
	case <-ctx.Done():
		return nil, false
	}
}

// plausible reports whether a token should be introspected: the host has no objection,
// and it is not a JWT whose own claims say that it has expired.
func (v *Introspection) plausible(token string) bool {
	if v.config.Plausible != nil && !v.config.Plausible(token) {
		return false
	}
	expires, isJWT := statedExpiry(token)
	return !isJWT || expires.IsZero() || v.config.Now().Before(expires.Add(MaxSkew))
}

// secret asks the host for the secret. It is asked beside the request, where a panic
// would end the process.
func (v *Introspection) secret(ctx context.Context) (s wire.Secret, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("the function that reads the secret panicked")
		}
	}()
	return v.config.Secret(ctx)
}

func (v *Introspection) ask(ctx context.Context, token string) (Claims, error) {
	secret := v.config.ClientSecret
	if v.config.Secret != nil {
		s, err := v.secret(ctx)
		if err != nil {
			return Claims{}, unavailable("the client secret cannot be read")
		}
		secret = s
	}
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, v.config.URL, strings.NewReader(form.Encode()))
	if err != nil {
		return Claims{}, unavailable("the request cannot be made")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", version.Get().UserAgent())
	req.SetBasicAuth(url.QueryEscape(v.config.ClientID), url.QueryEscape(secret.Reveal()))
	resp, err := v.client.Do(req)
	if err != nil {
		return Claims{}, unavailable("the introspection endpoint cannot be reached")
	}
	body, err := read(resp)
	if err != nil {
		return Claims{}, unavailable("the introspection answer cannot be read")
	}
	if resp.StatusCode == http.StatusBadRequest && unsupportedToken(body) {
		return Claims{}, fmt.Errorf("%w: the issuer introspects no such tokens", ErrInvalidToken)
	}
	if resp.StatusCode != http.StatusOK {
		return Claims{}, unavailable("introspection was answered with status " + strconv.Itoa(resp.StatusCode))
	}
	return ParseIntrospection(body)
}

// unsupportedToken reports whether an introspection endpoint refuses the token for its
// form: it issues no tokens of that form, so it did not issue this one. oidc-provider
// answers so to JWTs if its own tokens are opaque.
func unsupportedToken(body []byte) bool {
	obj, err := wire.ParseObject(body)
	if err != nil {
		return false
	}
	code, _, _ := obj.String("error")
	return code == "unsupported_token_type"
}
