package bearer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/stile-oauth/stile/states/wire"
)

// discoveryTime bounds one request for metadata.
const discoveryTime = 10 * time.Second

// FromIssuer gives a verifier for the JWTs of an issuer of which only the address is
// known. Its metadata says where the keys are (RFC 8414, or OpenID Connect Discovery). It
// asks for the metadata now, and for the keys when the first token comes. The issuer must
// also be in Policy.Issuers, which decides whose tokens are accepted. For other settings,
// give the keys of IssuerKeys to NewJWT.
func FromIssuer(ctx context.Context, issuer string) (*JWT, error) {
	keys, err := IssuerKeys(ctx, issuer, nil)
	if err != nil {
		return nil, err
	}
	return NewJWT(JWTConfig{Keys: keys})
}

// IssuerKeys finds the keys of an issuer by its metadata. If the client is nil, it uses a
// client of its own.
func IssuerKeys(ctx context.Context, issuer string, client *http.Client) (*KeySet, error) {
	if err := secure(issuer); err != nil {
		return nil, err
	}
	c := noRedirects(client)
	policy := wire.ASMPolicy{Issuer: issuer, URL: wire.URLPolicy{AllowLoopbackHTTP: wire.IsLoopbackHTTP(issuer)}}
	var failures []error
	for _, at := range wire.ASMURLs(issuer, false) {
		m, last, err := metadata(ctx, c, at, policy)
		switch {
		case err != nil:
			failures = append(failures, err)
			if last {
				return nil, errors.Join(failures...)
			}
		case m.JWKSURI == "":
			return nil, fmt.Errorf("bearer: the metadata at %s names no keys (jwks_uri): the tokens of %s can only be verified by introspection", at, issuer)
		default:
			return NewKeySet(KeySetConfig{URL: m.JWKSURI, Client: client})
		}
	}
	return nil, errors.Join(failures...)
}

// metadata reads the metadata of an issuer at one address. last says that no other
// address may be tried.
func metadata(ctx context.Context, c *http.Client, at string, policy wire.ASMPolicy) (m wire.ASM, last bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, discoveryTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return m, true, fmt.Errorf("bearer: %q is no address", at)
	}
	req.Header.Set("Accept", "application/json")
	resp, err := c.Do(req)
	if err != nil {
		return m, ctx.Err() != nil, fmt.Errorf("bearer: no answer from %s: %s", at, reason(err))
	}
	body, err := read(resp)
	if err != nil {
		return m, false, fmt.Errorf("bearer: %s: %s", at, reason(err))
	}
	if resp.StatusCode != http.StatusOK {
		return m, false, fmt.Errorf("bearer: %s answered with HTTP status %d", at, resp.StatusCode)
	}
	m, _, bad := wire.ParseASM(wire.Response{
		Status: resp.StatusCode, Body: body, Header: wire.Fields{{Name: "Content-Type", Value: resp.Header.Get("Content-Type")}},
	}, policy)
	if bad != nil {
		return m, bad.Refuse, fmt.Errorf("bearer: %s: %w", at, bad)
	}
	return m, false, nil
}
