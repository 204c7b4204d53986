//go:build unix

package trap_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// do sends a request. A client that proves the possession of a key adds a proof, and
// repeats the request once with a nonce that the server asks for.
func (c *client) do(req *http.Request) (*http.Response, error) {
	if !c.broken("dpop") {
		return c.http.Do(req)
	}
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
	}
	tries := 2
	if c.broken("nonce-storm") {
		tries = 40
	}
	for try := 1; ; try++ {
		req.Body = io.NopCloser(strings.NewReader(string(body)))
		c.prove(req)
		resp, err := c.http.Do(req)
		if err != nil {
			return nil, err
		}
		nonce := resp.Header.Get("DPoP-Nonce")
		if nonce != "" {
			c.nonces[req.URL.Host] = nonce
		}
		again := nonce != "" && (resp.StatusCode == http.StatusBadRequest || resp.StatusCode == http.StatusUnauthorized && strings.Contains(resp.Header.Get("WWW-Authenticate"), "use_dpop_nonce"))
		if !again || try >= tries || c.broken("nonce-ignored") {
			return resp, nil
		}
		_ = resp.Body.Close()
	}
}

// prove puts a proof into a request.
func (c *client) prove(req *http.Request) {
	req.Header.Del("DPoP")
	kind, token, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	bound := strings.EqualFold(kind, "DPoP")
	posts := strings.HasPrefix(req.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
	if !bound && !posts || bound && c.broken("proofless") || c.broken("refresh-proofless") && posts && c.tokens.Refresh != "" {
		return
	}
	key := c.key(c.broken("key-each") && posts)
	x, y := make([]byte, 32), make([]byte, 32)
	key.X.FillBytes(x)
	key.Y.FillBytes(y)
	enc := base64.RawURLEncoding.EncodeToString
	at := *req.URL
	at.RawQuery, at.Fragment = "", ""
	claims := map[string]any{"jti": draw(), "htm": req.Method, "htu": at.String(), "iat": time.Now().Unix()}
	jwk := map[string]string{"kty": "EC", "crv": "P-256", "x": enc(x), "y": enc(y)}
	head := map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}
	if bound {
		sum := sha256.Sum256([]byte(token))
		claims["ath"] = enc(sum[:])
	}
	if nonce := c.nonces[req.URL.Host]; nonce != "" {
		claims["nonce"] = nonce
	}
	switch {
	case c.broken("proof-typ"):
		head["typ"] = "JWT"
	case c.broken("proof-none"):
		head["alg"] = "none"
	case c.broken("proof-private"):
		d, _ := key.Bytes()
		jwk["d"] = enc(d)
	case c.broken("proof-no-iat"):
		delete(claims, "iat")
	case c.broken("proof-origin"):
		claims["htu"] = at.Scheme + "://" + at.Host
	case c.broken("proof-again"):
		claims["jti"] = "always-the-same"
	case c.broken("proof-old"):
		claims["iat"] = time.Now().Add(-time.Hour).Unix()
	case c.broken("proof-no-ath"):
		delete(claims, "ath")
	}
	part := func(v any) string { b, _ := json.Marshal(v); return enc(b) }
	text := part(head) + "." + part(claims)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		panic(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	req.Header.Add("DPoP", text+"."+enc(signature))
	if c.broken("proof-twice") {
		req.Header.Add("DPoP", text+"."+enc(signature))
	}
}

// key is the client's key, which it keeps.
func (c *client) key(fresh bool) *ecdsa.PrivateKey {
	name := filepath.Join(c.home, "proof-key")
	if b, err := os.ReadFile(name); err == nil && !fresh {
		if key, err := x509.ParseECPrivateKey(seal(b)); err == nil {
			return key
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	b, _ := x509.MarshalECPrivateKey(key)
	_ = os.WriteFile(name, seal(b), 0o600)
	return key
}
