package auditor

import (
	"context"
	"encoding/base64"
	"encoding/json"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/httpdriver/keys"
)

// SignWith lets an audit sign with a key of the operator.
func SignWith(k *keys.Key) audit.Key { return given{k} }

type given struct{ key *keys.Key }

func (g given) Named() (alg, kid string) {
	about := g.key.About()
	return about.Alg, about.ID
}

// Public is the first key of the set, which has no other.
func (g given) Public() string {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal([]byte(g.key.About().Keys), &set) != nil || len(set.Keys) == 0 {
		return "{}"
	}
	return string(set.Keys[0])
}

// Sign makes a JWS; without a signature it is refused like any other wrong one.
func (g given) Sign(header, claims string) string {
	about := g.key.About()
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	sig, err := g.key.Sign(context.Background(), about.Name, about.Alg, []byte(text))
	if err != nil {
		return text + "."
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}
