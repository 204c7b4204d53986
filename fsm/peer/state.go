package peer

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// client is a registered client. Secrets are kept as hashes.
type client struct {
	ID           string   `json:"id"`
	Kind         string   `json:"kind"` // configured, registered, document
	Name         string   `json:"name,omitempty"`
	RedirectURIs []string `json:"redirect_uris,omitempty"`
	GrantTypes   []string `json:"grant_types,omitempty"`
	// Method is how the client authenticates; empty is by secret, in either way.
	Method     string `json:"method"`
	SecretHash string `json:"secret_hash,omitempty"`
	// JWKS holds the public keys of a client that signs assertions.
	JWKS        jsontext.Value `json:"jwks,omitempty"`
	ManageHash  string         `json:"manage_hash,omitempty"`
	Scope       string         `json:"scope,omitempty"`
	About       about          `json:"about,omitzero"`
	Application string         `json:"application_type,omitempty"`
	Since       time.Time      `json:"since"`
	// Fresh is until when a fetched document may be used without fetching it again.
	Fresh time.Time `json:"fresh,omitzero"`
	Used  bool      `json:"used,omitzero"`
	// Introspect and Resource are PreClient's.
	Introspect bool   `json:"introspect,omitzero"`
	Resource   string `json:"resource,omitempty"`
	// Elsewhere is PreClient's.
	Elsewhere map[string]string `json:"elsewhere,omitempty"`
}

// grant is what a user granted to a client, or a client got for itself: the
// family of all tokens that descend from it.
type grant struct {
	ID      string   `json:"id"`
	Client  string   `json:"client"`
	Subject string   `json:"subject"`
	Scopes  []string `json:"scopes,omitempty"`
	// Resource is the audience; empty where none was named or configured.
	Resource string `json:"resource,omitempty"`
	Revoked  bool   `json:"revoked,omitzero"`
}

type code struct {
	Hash      string    `json:"hash"`
	Grant     string    `json:"grant"`
	Redirect  string    `json:"redirect"`
	Challenge string    `json:"challenge"`
	Expires   time.Time `json:"expires"`
	Used      bool      `json:"used,omitzero"`
}

type accessToken struct {
	Hash     string    `json:"hash"`
	Grant    string    `json:"grant"`
	Scopes   []string  `json:"scopes,omitempty"`
	Audience string    `json:"audience,omitempty"`
	Issued   time.Time `json:"issued"`
	Expires  time.Time `json:"expires"`
	// Thumbprint is that of the key that the token is bound to (RFC 9449 §6).
	Thumbprint string `json:"jkt,omitempty"`
}

type refreshToken struct {
	Hash    string    `json:"hash"`
	Grant   string    `json:"grant"`
	Expires time.Time `json:"expires"`
	// Spent is when it was exchanged for its successor.
	Spent time.Time `json:"spent,omitzero"`
	// Thumbprint is that of the key that a public client has to prove (RFC 9449 §5).
	Thumbprint string `json:"jkt,omitempty"`
}

// interaction is an authorization request that waits for the user.
type interaction struct {
	Hash      string    `json:"hash"`
	Browser   string    `json:"browser"` // hash of the cookie it is bound to
	Client    string    `json:"client"`
	Redirect  string    `json:"redirect"`
	State     string    `json:"state,omitempty"`
	HasState  bool      `json:"has_state,omitzero"`
	Scopes    []string  `json:"scopes,omitempty"`
	Resource  string    `json:"resource,omitempty"`
	Challenge string    `json:"challenge"`
	Expires   time.Time `json:"expires"`
	// Implicit asks for a token in place of a code (the fault authorize-implicit).
	Implicit bool `json:"implicit,omitzero"`
	// Device is the hash of the device code that the user decides about; there
	// is no redirect then.
	Device string `json:"device,omitempty"`
	// Subject is set once a user has logged in for it.
	Subject string `json:"subject,omitempty"`
}

// tally counts events of one kind in a window of time.
type tally struct {
	Key   string    `json:"key"`
	Count int       `json:"count"`
	Until time.Time `json:"until"`
}

type asState struct {
	Draws        uint64         `json:"draws"`
	Swept        time.Time      `json:"swept,omitzero"`
	Clients      []client       `json:"clients,omitempty"`
	Grants       []grant        `json:"grants,omitempty"`
	Codes        []code         `json:"codes,omitempty"`
	Access       []accessToken  `json:"access,omitempty"`
	Refresh      []refreshToken `json:"refresh,omitempty"`
	Interactions []interaction  `json:"interactions,omitempty"`
	Devices      []device       `json:"devices,omitempty"`
	Tallies      []tally        `json:"tallies,omitempty"`
	Fired        []tally        `json:"fired,omitempty"`
	Keys         []issuerKeys   `json:"keys,omitempty"`
	// Moved are the paths of endpoints that lie elsewhere by now.
	Moved []string `json:"moved,omitempty"`
}

// clone copies the lists. What the elements point to is never changed in
// place, only replaced.
func (s asState) clone() asState {
	s.Clients = slices.Clone(s.Clients)
	s.Grants = slices.Clone(s.Grants)
	s.Codes = slices.Clone(s.Codes)
	s.Access = slices.Clone(s.Access)
	s.Refresh = slices.Clone(s.Refresh)
	s.Interactions = slices.Clone(s.Interactions)
	s.Devices = slices.Clone(s.Devices)
	s.Tallies = slices.Clone(s.Tallies)
	s.Fired = slices.Clone(s.Fired)
	s.Keys = slices.Clone(s.Keys)
	s.Moved = slices.Clone(s.Moved)
	return s
}

// prune forgets, once a minute, what has run out and can no longer matter.
// What has run out is refused in any case; this only keeps the lists short.
func (s *asState) prune(at time.Time) {
	if !at.Before(s.Swept) && at.Before(s.Swept.Add(time.Minute)) {
		return
	}
	s.sweep(at)
}

func (s *asState) sweep(at time.Time) {
	s.Swept = at
	s.Access = slices.DeleteFunc(s.Access, func(t accessToken) bool { return !at.Before(t.Expires) })
	s.Refresh = slices.DeleteFunc(s.Refresh, func(t refreshToken) bool { return !at.Before(t.Expires) })
	// A used code is remembered for an hour beyond its life, so that its
	// second use is still noticed.
	s.Codes = slices.DeleteFunc(s.Codes, func(c code) bool { return !at.Before(c.Expires.Add(time.Hour)) })
	// An expired device code is remembered, so that a poll learns why it fails.
	s.Devices = slices.DeleteFunc(s.Devices, func(d device) bool { return !at.Before(d.Expires.Add(time.Hour)) })
	s.Interactions = slices.DeleteFunc(s.Interactions, func(i interaction) bool { return !at.Before(i.Expires) })
	s.Tallies = slices.DeleteFunc(s.Tallies, func(t tally) bool { return !at.Before(t.Until) })
	live := map[string]bool{}
	for _, t := range s.Access {
		live[t.Grant] = true
	}
	for _, t := range s.Refresh {
		live[t.Grant] = true
	}
	for _, c := range s.Codes {
		live[c.Grant] = true
	}
	for _, d := range s.Devices {
		live[d.Grant] = true
	}
	s.Grants = slices.DeleteFunc(s.Grants, func(g grant) bool { return !live[g.ID] })
	s.Clients = slices.DeleteFunc(s.Clients, func(c client) bool {
		return c.Kind == "registered" && !c.Used && !at.Before(c.Since.Add(24*time.Hour))
	})
}

// latest finds the last element that is wanted, or -1. It searches from the end,
// because requests are mostly about what came last.
func latest[T any](list []T, want func(*T) bool) int {
	for i := len(list) - 1; i >= 0; i-- {
		if want(&list[i]) {
			return i
		}
	}
	return -1
}

// count adds one to a tally and returns the sum in the window.
func (s *asState) count(at time.Time, key string, window time.Duration) int {
	for i := range s.Tallies {
		if t := &s.Tallies[i]; t.Key == key {
			if !at.Before(t.Until) {
				t.Count, t.Until = 0, at.Add(window)
			}
			t.Count++
			return t.Count
		}
	}
	s.Tallies = append(s.Tallies, tally{key, 1, at.Add(window)})
	return 1
}

// counted reads a tally.
func (s *asState) counted(at time.Time, key string) int {
	for _, t := range s.Tallies {
		if t.Key == key && at.Before(t.Until) {
			return t.Count
		}
	}
	return 0
}

func (s *asState) grant(id string) *grant {
	if i := latest(s.Grants, func(g *grant) bool { return g.ID == id }); i >= 0 {
		return &s.Grants[i]
	}
	return nil
}

// hash is how a token, code or secret is kept and looked up.
func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// same compares two hashes in constant time.
func same(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }

// draw makes a fresh value of 256 bits from the seed (as-token-entropy).
func (a *AS) draw(label string) string {
	a.state.Draws++
	m := hmac.New(sha256.New, a.config.Seed)
	m.Write([]byte(a.config.Issuer + "\x00" + label + "\x00"))
	m.Write(binary.BigEndian.AppendUint64(nil, a.state.Draws))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// Snapshot returns the state as JSON: hashes of what was issued, no token.
func (a *AS) Snapshot() ([]byte, error) { return json.Marshal(a.state, json.Deterministic(true)) }

// Restore puts a snapshot in place of the state. An error changes nothing.
func (a *AS) Restore(snapshot []byte) error {
	var s asState
	if err := json.Unmarshal(snapshot, &s, json.RejectUnknownMembers(true)); err != nil {
		return err
	}
	a.state = s
	a.configured()
	return nil
}
