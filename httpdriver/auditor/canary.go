package auditor

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/states/wire"
)

// canary listens on loopback while an audit runs: a server that fetches what it
// should not is seen here.
type canary struct {
	base   string
	server *http.Server
	mu     sync.Mutex
	hits   []wire.Request // those that were not taken yet
	seen   int
}

// maxHits bounds what a server can make the audit keep.
const maxHits = 50

// listen starts it; documents are given its address.
func listen(documents func(base string) map[string]wire.Response) (*canary, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &canary{base: "http://" + l.Addr().String()}
	answers := documents(c.base)
	c.server = &http.Server{ReadTimeout: timeout, WriteTimeout: timeout, MaxHeaderBytes: 16 << 10, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.hit(wire.Request{Method: r.Method, URL: c.base + r.URL.EscapedPath()})
		resp, ok := answers[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		for _, f := range resp.Header {
			w.Header().Set(f.Name, f.Value)
		}
		w.WriteHeader(resp.Status)
		_, _ = w.Write(resp.Body) // a client that does not read the answer is noticed too
	})}
	go func() { _ = c.server.Serve(l) }() // close ends it
	return c, nil
}

func (c *canary) hit(r wire.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen++; c.seen <= maxHits {
		c.hits = append(c.hits, r)
	}
}

// take gives the requests that came since the last time.
func (c *canary) take() []wire.Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.hits
	c.hits = nil
	return out
}

func (c *canary) close() { _ = c.server.Close() }

// watch adds to the evidence what came to the listener.
func (r *run) watch() {
	if r.canary == nil {
		return
	}
	for _, req := range r.canary.take() {
		r.caught++
		r.evidence.Add(audit.Exchange{Probe: "canary." + strconv.Itoa(r.caught), Leg: audit.LegCanary, Request: req, At: r.Now().Sub(r.began)})
	}
}

// key signs what an audit forges. It is good for nothing else and kept nowhere.
type key struct{ private *ecdsa.PrivateKey }

func newKey() (audit.Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return key{private}, nil
}

func (k key) Public() string {
	point, err := k.private.PublicKey.Bytes() // 4, x, y
	if err != nil {
		return "{}"
	}
	b := base64.RawURLEncoding
	return `{"kty":"EC","crv":"P-256","x":"` + b.EncodeToString(point[1:33]) + `","y":"` + b.EncodeToString(point[33:]) + `"}`
}

// Named is what every key of an audit is: of one kind, and without an id.
func (key) Named() (alg, kid string) { return "ES256", "" }

// Sign makes a JWS with ES256 (RFC 7518 §3.4).
func (k key) Sign(header, claims string) string {
	b := base64.RawURLEncoding
	text := b.EncodeToString([]byte(header)) + "." + b.EncodeToString([]byte(claims))
	sum := sha256.Sum256([]byte(text))
	der, err := k.private.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		return text + "."
	}
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &sig); err != nil {
		return text + "."
	}
	raw := make([]byte, 64)
	sig.R.FillBytes(raw[:32])
	sig.S.FillBytes(raw[32:])
	return text + "." + b.EncodeToString(raw)
}

// lateHit is how long an audit listens after its last probe.
const lateHit = 200 * time.Millisecond

// forges reports whether one of the checks sends more than a good client does, and
// so may need a key and a listener.
func (r *run) forges(checks []audit.Check) bool {
	return slices.ContainsFunc(checks, func(c audit.Check) bool { return c.Safety != audit.Passive })
}

// prepare draws the key of the audit and, for a server of this machine, listens.
func (r *run) prepare() (end func(), err error) {
	if r.evidence.Key, err = newKey(); err != nil {
		return nil, err
	}
	if r.evidence.Stranger, err = newKey(); err != nil {
		return nil, err
	}
	if !wire.IsLoopbackHTTP(r.evidence.Target) {
		return func() {}, nil
	}
	redirect := ""
	if r.Account != nil {
		redirect = r.Account.RedirectURI
	}
	r.canary, err = listen(func(base string) map[string]wire.Response { return audit.Documents(base, redirect, r.evidence.Key) })
	if err != nil {
		return nil, fmt.Errorf("auditor: %w", err)
	}
	r.evidence.Canary = r.canary.base
	return r.canary.close, nil
}

// lastWatch listens a little longer, for what a server fetches after it answered.
func (r *run) lastWatch(ctx context.Context) error {
	if r.canary == nil {
		return nil
	}
	err := r.Wait(ctx, lateHit)
	r.watch()
	return err
}
