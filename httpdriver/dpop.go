package httpdriver

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/stile-oauth/stile/httpdriver/keys"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
)

// ErrBound says that the token of an account is bound to a key (DPoP, RFC 9449), and
// that the caller cannot make the proofs that it needs. Driver.Client and
// Driver.Transport make them.
var ErrBound = errors.New("httpdriver: the token is bound to a key, and each request needs a proof of it: send requests through Driver.Client or Driver.Transport")

// proofKeyName is the name by which the machine asks for the key of proofs.
const proofKeyName = "proof"

// prover makes the proofs of one account. Requests use it without a lock.
type prover struct {
	signer Signer
	name   string // what signer knows the key by
	key    states.ProofKey
	rand   func([]byte) error

	// nonce is the last nonce that the MCP server gave for proofs.
	nonce atomic.Pointer[string]
	// offset is how far the clock of the MCP server is ahead, by its last refusal of a
	// proof.
	offset atomic.Pointer[time.Duration]
}

// ahead is how far the clock of the MCP server is known to be ahead of the local clock:
// by the server's own time, or else by the issuer's.
func (p *prover) ahead(t *token) time.Duration {
	if off := p.offset.Load(); off != nil {
		return *off
	}
	return t.offset
}

// aboutProofKey says what the machine must know about a signer. What the signer gives as
// its public key goes out with every proof, so it must be nothing else.
func aboutProofKey(k states.SigningKey) (states.ProofKey, error) {
	var set jose.JSONWebKeySet
	var public []byte
	if json.Unmarshal([]byte(k.Keys), &set) == nil && len(set.Keys) == 1 {
		public, _ = json.Marshal(jose.JSONWebKey{Key: set.Keys[0].Key})
	}
	key := states.ProofKey{Name: proofKeyName, Alg: k.Alg, Public: string(public), Thumbprint: wire.Thumbprint(public)}
	switch {
	case key.Thumbprint == "":
		return key, errors.New("httpdriver: Options.ProofSigner does not say what its public key is")
	case !slices.Contains(wire.ProofAlgs, k.Alg):
		return key, fmt.Errorf("httpdriver: Options.ProofSigner: %q is not an algorithm for proofs", k.Alg)
	}
	return key, nil
}

// possession prepares the key that tokens are bound to, if they are bound. The ID tokens
// of a login at an identity provider are not.
func (r *run) possession() error {
	d := r.s.d
	if d.o.Policy.Binding == states.NoBinding || r.s.prover.Load() != nil {
		return nil
	}
	c, err := d.config(r.s.account)
	if err != nil || c.Identity() {
		return err
	}
	p := &prover{signer: d.o.ProofSigner, name: d.proofName, key: d.proofKey, rand: d.random}
	if p.signer == nil {
		if err := r.keptKey(p, c.ProofKeyKey()); err != nil {
			return fmt.Errorf("httpdriver: the key that tokens are bound to: %w", err)
		}
	}
	r.s.prover.Store(p)
	return nil
}

// keptProofKey is the stored form of a key that the driver made.
type keptProofKey struct {
	Version int             `json:"version"`
	Key     json.RawMessage `json:"key"` // the private JWK
}

// keptKey reads the key of the account from the store, or makes one and stores it. If
// several processes make one, the first to store it wins.
func (r *run) keptKey(p *prover, at states.Key) error {
	d := r.s.d
	ctx, cancel := context.WithTimeout(context.Background(), storeTime)
	defer cancel()
	for range 3 {
		e, err := d.store.Get(ctx, at)
		switch {
		case err == nil:
			var kept keptProofKey
			if err := json.Unmarshal(e.Value, &kept); err != nil || kept.Version != 1 {
				return errors.New("the stored key is of another release")
			}
			return p.take(kept.Key)
		case !errors.Is(err, storage.ErrNotFound):
			return err
		}
		made, err := newProofKey()
		if err != nil {
			return err
		}
		value, err := json.Marshal(keptProofKey{1, made})
		if err != nil {
			return err
		}
		_, err = d.store.Put(ctx, at, value, 0, time.Time{})
		if err == nil {
			return p.take(made)
		}
		if !errors.Is(err, storage.ErrConflict) {
			return err
		}
	}
	return errors.New("it keeps changing in the store")
}

// forgetKey removes the key of the account from the store; the next login makes another.
func (s *session) forgetKey(ctx context.Context) error {
	c, err := s.d.config(s.account)
	if err != nil {
		return err
	}
	s.prover.Store(nil)
	e, err := s.d.store.Get(ctx, c.ProofKeyKey())
	if err == nil {
		err = s.d.store.Delete(ctx, c.ProofKeyKey(), e.Generation)
	}
	if errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrConflict) {
		return nil // another process removed it, or has made another one since
	}
	return err
}

func newProofKey() ([]byte, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return json.Marshal(jose.JSONWebKey{Key: k})
}

// take uses a private JWK.
func (p *prover) take(jwk []byte) error {
	k, err := keys.Parse(jwk, keys.Options{Name: proofKeyName})
	if err != nil {
		return err
	}
	about := k.About()
	p.signer, p.name = k, about.Name
	p.key, err = aboutProofKey(about)
	return err
}

// sign signs the text of a proof, and gives the proof.
func (p *prover) sign(ctx context.Context, header, claims string) (string, error) {
	enc := base64.RawURLEncoding
	size := enc.EncodedLen(len(header)) + 1 + enc.EncodedLen(len(claims))
	text := make([]byte, 0, size+1+enc.EncodedLen(64))
	text = append(enc.AppendEncode(text, []byte(header)), '.')
	text = enc.AppendEncode(text, []byte(claims))
	var sig []byte
	err := contain("Options.ProofSigner", func() (err error) {
		sig, err = p.signer.Sign(ctx, p.name, p.key.Alg, text)
		return err
	})
	if err == nil && len(sig) == 0 {
		err = errors.New("the signature is empty")
	}
	if err != nil {
		return "", fmt.Errorf("httpdriver: no proof could be made: %w", err)
	}
	return string(enc.AppendEncode(append(text, '.'), sig)), nil
}

// prove adds to a request, which owns its header, a new proof for the token (RFC 9449
// §7.1).
func (p *prover) prove(out *http.Request, t *token, tries *proofTries, now time.Time) error {
	var id [18]byte
	if err := p.rand(id[:]); err != nil {
		return err
	}
	tries.ahead = p.ahead(t)
	params := wire.ProofParams{
		Method: out.Method, URL: out.URL.Scheme + "://" + out.URL.Host + out.URL.EscapedPath(), ID: base64.RawURLEncoding.EncodeToString(id[:]),
		At: now.Add(tries.ahead), Token: t.secret(), Alg: p.key.Alg, Key: p.key.Public,
	}
	if params.Method == "" {
		params.Method = http.MethodGet
	}
	if n := p.nonce.Load(); n != nil {
		params.Nonce = *n
	}
	header, claims := wire.Proof(params)
	proof, err := p.sign(out.Context(), header, claims)
	if err != nil {
		return err
	}
	out.Header["Dpop"] = []string{proof}
	return nil
}

// proofTries says why a request was sent again because of its proof; ahead is the clock
// offset of the last proof.
type proofTries struct {
	nonced, dated bool
	ahead         time.Duration
}

// heard reads what an answer of the MCP server says about proofs: a nonce, which any
// answer may carry, and whether the proof was refused. again says that the request may
// be sent once more, with the nonce or with the server's time (rules
// ext-dpop-rs-nonce, ext-dpop-nonce-cap, ext-dpop-clock).
func (p *prover) heard(resp *http.Response, t *token, tries *proofTries, now time.Time) (refused, again bool) {
	h := wire.Response{Header: fields(resp.Header)}
	if n := wire.ProofNonce(h); n != "" {
		p.nonce.Store(&n)
	}
	if resp.StatusCode != http.StatusUnauthorized {
		return false, false
	}
	all, _ := wire.ParseChallenges(h.Header)
	for _, c := range all {
		if c.Scheme != "dpop" {
			continue
		}
		switch code, _ := c.Get("error"); wire.ErrorCode(code) {
		case wire.CodeUseDPoPNonce:
			again = !tries.nonced && wire.ProofNonce(h) != ""
			tries.nonced = true
			return true, again
		case wire.CodeInvalidDPoPProof:
			if !tries.dated {
				p.learnClock(resp.Header.Get("Date"), now, tries.ahead)
				again = differ(p.ahead(t), tries.ahead) // also where another request has learned it
			}
			tries.dated = true
			return true, again
		}
	}
	return false, false
}

// learnClock adopts the time of a server that refused a proof, if it differs from the
// time in the proof.
func (p *prover) learnClock(date string, now time.Time, had time.Duration) {
	at, err := http.ParseTime(date)
	if err != nil {
		return
	}
	if off := at.Sub(now); differ(off, had) {
		p.offset.Store(&off)
	}
}

// differ reports whether two clocks are so far apart that a server may refuse a proof.
func differ(a, b time.Duration) bool { return (a - b).Abs() >= 30*time.Second }
