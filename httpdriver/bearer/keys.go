package bearer

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"

	"github.com/stile-oauth/stile/httpdriver/version"
)

// KeySetConfig says where an issuer's keys are (RFC 7517 §5).
type KeySetConfig struct {
	// URL of the set: https, or http on loopback.
	URL    string
	Client *http.Client
	// Timeout bounds one fetch; default 10 s.
	Timeout time.Duration
	// MaxAge is how long a set is used before it is fetched again; meanwhile the old one
	// stays in use. Default 10 minutes. A shorter max-age of the answer is honoured, down
	// to MinRefresh.
	MaxAge time.Duration
	// MinRefresh is the least time between two fetches, however many unknown
	// key ids come (rs-jwks-refresh); default 30 s.
	MinRefresh time.Duration
	// Stale is how long an old set is used when no newer one can be fetched; default 24
	// h.
	Stale time.Duration
	Now   func() time.Time
}

// KeySet holds the keys of an issuer. It fetches them when needed, and again when they
// rotate. It is safe for concurrent use.
type KeySet struct {
	config KeySetConfig
	client *http.Client
	flight singleflight.Group

	mu      sync.Mutex
	keys    []jose.JSONWebKey
	fetched time.Time // when keys came
	tried   time.Time // when a fetch was last begun
	fresh   time.Duration
	flying  bool  // a fetch is under way
	failed  error // why the last fetch brought no keys
}

// NewKeySet checks the configuration; nothing is fetched yet.
func NewKeySet(c KeySetConfig) (*KeySet, error) {
	if err := secure(c.URL); err != nil {
		return nil, err
	}
	for _, d := range []struct {
		v    *time.Duration
		zero time.Duration
	}{{&c.Timeout, 10 * time.Second}, {&c.MaxAge, 10 * time.Minute}, {&c.MinRefresh, 30 * time.Second}, {&c.Stale, 24 * time.Hour}} {
		if *d.v == 0 {
			*d.v = d.zero
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &KeySet{config: c, client: noRedirects(c.Client)}, nil
}

// Get returns the keys with that id. It waits for a fetch only if no keys are held, or if
// refresh asks for newer ones because the id is unknown. The error is ErrUnavailable if
// there are no keys at all. For an unknown id it returns no keys and no error.
func (s *KeySet) Get(ctx context.Context, id string, refresh bool) ([]jose.JSONWebKey, error) {
	keys, err := s.current(ctx, refresh)
	if err != nil {
		return nil, err
	}
	return StaticKeys(keys).Get(ctx, id, false)
}

func (s *KeySet) current(ctx context.Context, refresh bool) ([]jose.JSONWebKey, error) {
	s.mu.Lock()
	now := s.config.Now()
	age := now.Sub(s.fetched)
	have := s.keys != nil && age < s.config.Stale
	old := age >= s.fresh
	allowed := s.flying || s.due(now)
	keys := s.keys
	s.mu.Unlock()
	switch {
	case have && !refresh:
		if old && allowed {
			s.begin(ctx) // nobody waits for it, because these keys can be used
		}
		return keys, nil
	case !allowed && have:
		return keys, nil
	case !allowed:
		return nil, s.notFetched(nil)
	}
	done := s.begin(ctx)
	select {
	case r := <-done:
		if r.Err != nil && !have {
			return nil, s.notFetched(r.Err)
		}
	case <-ctx.Done():
		return nil, unavailable("the caller has left")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys, nil
}

// notFetched says why there are no keys: err, or what the last fetch failed with.
func (s *KeySet) notFetched(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		err = s.failed
	}
	if err == nil {
		return unavailable("the issuer's keys could not be fetched from " + address(s.config.URL))
	}
	return unavailable("the issuer's keys could not be fetched from " + address(s.config.URL) + ": " + reason(err))
}

// begin fetches the keys, or joins a fetch that is under way.
func (s *KeySet) begin(ctx context.Context) <-chan singleflight.Result {
	return s.flight.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.config.Timeout)
		defer cancel()
		return nil, s.fetch(ctx)
	})
}

// due reports whether enough time has passed since the last fetch.
func (s *KeySet) due(now time.Time) bool {
	return s.tried.IsZero() || now.Sub(s.tried) >= s.config.MinRefresh
}

func (s *KeySet) fetch(ctx context.Context) (err error) {
	s.mu.Lock()
	if now := s.config.Now(); s.due(now) {
		s.tried, s.flying = now, true
	} else {
		// Another fetch ended between our look and this one.
		defer s.mu.Unlock()
		if s.keys == nil {
			return s.failed
		}
		return nil
	}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.flying, s.failed = false, err
		s.mu.Unlock()
	}()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.config.URL, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	req.Header.Set("User-Agent", version.Get().UserAgent())
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	body, err := read(resp)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New("HTTP status " + strconv.Itoa(resp.StatusCode))
	}
	keys, err := parseKeys(body)
	if err != nil {
		return errors.New("the answer is no set of keys")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys, s.fetched = keys, s.config.Now()
	s.fresh = max(min(s.config.MaxAge, maxAge(resp.Header.Get("Cache-Control"), s.config.MaxAge)), s.config.MinRefresh)
	return nil
}

// parseKeys keeps the public keys that it understands. A set may hold others (RFC 7517
// §5), and secret keys are never used.
func parseKeys(body []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, err
	}
	out := []jose.JSONWebKey{}
	for _, raw := range set.Keys {
		var k jose.JSONWebKey
		if len(out) < 100 && k.UnmarshalJSON(raw) == nil && k.Valid() && k.IsPublic() {
			out = append(out, k)
		}
	}
	return out, nil
}

func maxAge(cacheControl string, otherwise time.Duration) time.Duration {
	for d := range strings.SplitSeq(cacheControl, ",") {
		if s, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(d)), "max-age="); ok {
			if n, err := strconv.Atoi(s); err == nil && n >= 0 {
				return time.Duration(min(n, 86400)) * time.Second
			}
		}
	}
	return otherwise
}

// StaticKeys are keys that do not change.
type StaticKeys []jose.JSONWebKey

// Get returns the keys with that id.
func (s StaticKeys) Get(_ context.Context, id string, _ bool) ([]jose.JSONWebKey, error) {
	if id == "" {
		return s, nil
	}
	var out []jose.JSONWebKey
	for _, k := range s {
		if k.KeyID == id {
			out = append(out, k)
		}
	}
	return out, nil
}
