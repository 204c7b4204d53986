package bearer

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sync/singleflight"

	"github.com/stile-oauth/stile/states/wire"
)

// IntrospectionConfig says where and as whom tokens are introspected
// (RFC 7662 §2.1).
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
	Now       func() time.Time
}

// Introspection is a Verifier that asks the authorization server.
type Introspection struct {
	config IntrospectionConfig
	client *http.Client
	cache  *cache
	flight singleflight.Group
}

// NewIntrospection checks the configuration.
func NewIntrospection(c IntrospectionConfig) (*Introspection, error) {
	if err := secure(c.URL); err != nil {
		return nil, err
	}
	if c.ClientID == "" || c.ClientSecret == "" && c.Secret == nil {
		return nil, errors.New("bearer: introspection needs a client id and a secret (RFC 7662 §2.1)")
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.CacheFor == 0 {
		c.CacheFor = 30 * time.Second
	}
	if c.CacheSize == 0 {
		c.CacheSize = 10_000
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Introspection{config: c, client: noRedirects(c.Client), cache: newCache(c.CacheSize)}, nil
}

// Verify asks, or remembers. Callers with the same token share one request;
// the one who gives up leaves it to the others.
func (v *Introspection) Verify(ctx context.Context, token string) (Claims, error) {
	key := sha256.Sum256([]byte(token))
	if v.config.CacheFor > 0 {
		if c, ok := v.cache.get(v.config.Now(), key); ok {
			return c, nil
		}
	}
	done := v.flight.DoChan(string(key[:]), func() (any, error) {
		// The answer to an earlier question may have come since we looked.
		if c, ok := v.cache.get(v.config.Now(), key); ok && v.config.CacheFor > 0 {
			return c, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), v.config.Timeout)
		defer cancel()
		return v.ask(ctx, token, key)
	})
	select {
	case r := <-done:
		c, _ := r.Val.(Claims)
		return c, r.Err
	case <-ctx.Done():
		return Claims{}, unavailable("the caller has left")
	}
}

func (v *Introspection) ask(ctx context.Context, token string, key [sha256.Size]byte) (Claims, error) {
	secret := v.config.ClientSecret
	if v.config.Secret != nil {
		s, err := v.config.Secret(ctx)
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
	req.SetBasicAuth(url.QueryEscape(v.config.ClientID), url.QueryEscape(secret.Reveal()))
	resp, err := v.client.Do(req)
	if err != nil {
		return Claims{}, unavailable("the introspection endpoint cannot be reached")
	}
	body, err := read(resp)
	if err != nil {
		return Claims{}, unavailable("the introspection answer cannot be read")
	}
	if resp.StatusCode != http.StatusOK {
		return Claims{}, unavailable("introspection was answered with status " + strconv.Itoa(resp.StatusCode))
	}
	c, err := ParseIntrospection(body)
	if err != nil {
		return Claims{}, err
	}
	if v.config.CacheFor > 0 {
		now := v.config.Now()
		until := now.Add(v.config.CacheFor)
		if !c.Expires.IsZero() && c.Expires.Before(until) {
			until = c.Expires
		}
		if now.Before(until) {
			v.cache.put(key, until, c)
		}
	}
	return c, nil
}

// ParseIntrospection judges the body of an introspection answer (RFC 7662
// §2.2). Only the JSON value true in active counts: everything else that is
// well formed is ErrInvalidToken; what is not, ErrUnavailable. It is pure.
func ParseIntrospection(body []byte) (Claims, error) {
	var m struct {
		Active    jsontext.Value `json:"active"`
		Scope     jsontext.Value `json:"scope"`
		Audience  jsontext.Value `json:"aud"`
		Issuer    string         `json:"iss"`
		Subject   string         `json:"sub"`
		ClientID  string         `json:"client_id"`
		Username  string         `json:"username"`
		TokenType string         `json:"token_type"`
		Expires   *float64       `json:"exp"`
		Issued    *float64       `json:"iat"`
		NotBefore *float64       `json:"nbf"`
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return Claims{}, unavailable("the introspection answer is not the JSON object of RFC 7662")
	}
	if string(m.Active) != "true" {
		return Claims{}, ErrInvalidToken
	}
	c := Claims{Issuer: m.Issuer, Subject: m.Subject, ClientID: m.ClientID, Username: m.Username, Type: m.TokenType}
	var ok, list, good bool
	if c.Scopes, list, good = words(m.Scope); !good {
		return Claims{}, unavailable("scope is neither a string nor a list")
	}
	if list {
		c.Findings = append(c.Findings, wire.Finding{Rule: "rs-introspect-scope-string", Detail: "scope came as an array"})
	}
	if c.Audience, good = oneOrMore(m.Audience); !good {
		return Claims{}, unavailable("aud is neither a string nor a list")
	}
	if c.Expires, ok = instant(m.Expires); !ok {
		return Claims{}, unavailable("exp is no date")
	}
	if c.Issued, ok = instant(m.Issued); !ok {
		return Claims{}, unavailable("iat is no date")
	}
	if c.NotBefore, ok = instant(m.NotBefore); !ok {
		return Claims{}, unavailable("nbf is no date")
	}
	return c, nil
}

// words reads a scope: a string of words, or, tolerated, a list.
func words(v jsontext.Value) (out []string, list, ok bool) {
	if len(v) == 0 || string(v) == "null" {
		return nil, false, true
	}
	var s string
	if json.Unmarshal(v, &s) == nil {
		return strings.Fields(s), false, true
	}
	if json.Unmarshal(v, &out) == nil {
		return out, true, true
	}
	return nil, false, false
}

// oneOrMore reads a string or a list of strings (RFC 7519 §4.1.3).
func oneOrMore(v jsontext.Value) ([]string, bool) {
	if len(v) == 0 || string(v) == "null" {
		return nil, true
	}
	var s string
	if json.Unmarshal(v, &s) == nil {
		return []string{s}, true
	}
	var out []string
	if json.Unmarshal(v, &out) == nil {
		return out, true
	}
	return nil, false
}
