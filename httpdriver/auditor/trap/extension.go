package trap

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/states/wire"
)

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// possession is whether the servers take proofs, and whether these need nonces.
func (s *stage) possession() (peer.DPoP, bool) {
	if !s.trap.Proofs {
		return peer.NoDPoP, false
	}
	return peer.DPoPOffered, s.trap.ProofNonces
}

// hastened replaces the interval of the device grant.
func (s *stage) hastened(body []byte) []byte {
	var m map[string]any
	if json.Unmarshal(body, &m) != nil || m["interval"] == nil {
		return body
	}
	m["interval"] = int(s.trap.Interval / time.Second)
	out, _ := json.Marshal(m)
	return out
}

// proofs notes what is wrong with the client's proofs of possession. The caller holds the
// lock.
func (s *stage) proofs(note func(string)) {
	ids := map[string]bool{}
	keys := map[string]string{} // of the tokens that were asked for with a proof, by client
	for _, x := range s.all {
		for _, v := range x.Request.Header.Header("DPoP") {
			head, claims := assertionHeader(v), assertionClaims(v)
			if typ, _ := head["typ"].(string); !strings.EqualFold(typ, "dpop+jwt") {
				note(audit.SeenProofType)
			}
			if alg, _ := head["alg"].(string); alg == "" || alg == "none" || strings.HasPrefix(alg, "HS") {
				note(audit.SeenProofAlg)
			}
			key, _ := head["jwk"].(map[string]any)
			if key == nil || key["d"] != nil || key["k"] != nil {
				note(audit.SeenProofPrivate)
			}
			jti, _ := claims["jti"].(string)
			iat, timed := claims["iat"].(float64)
			htm, _ := claims["htm"].(string)
			htu, _ := claims["htu"].(string)
			if jti == "" || !timed || htm == "" || htu == "" {
				note(audit.SeenProofClaims)
			}
			if at, _, _ := strings.Cut(x.Request.URL, "?"); htm != "" && htm != x.Request.Method || htu != "" && htu != at {
				note(audit.SeenProofTarget)
			}
			if jti != "" && ids[jti] {
				note(audit.SeenProofAgain)
			}
			ids[jti] = true
			if when := time.Unix(int64(iat), 0); timed && (when.Sub(s.began.Add(x.At)).Abs() > wire.ProofWindow+10*time.Second) {
				note(audit.SeenProofTime)
			}
			if kind, token, _ := strings.Cut(strings.Join(x.Request.Header.Header("Authorization"), ""), " "); strings.EqualFold(kind, "DPoP") {
				sum := sha256.Sum256([]byte(token))
				if ath, _ := claims["ath"].(string); ath != base64.RawURLEncoding.EncodeToString(sum[:]) {
					note(audit.SeenProofToken)
				}
			}
			form, _ := wire.DecodeForm(string(x.Request.Body))
			if grant, _ := form.Get("grant_type"); x.Request.Method == http.MethodPost && grant != "" {
				id, _ := form.Get("client_id")
				text, _ := json.Marshal(key) // its members are in the order of their names
				if before, has := keys[id]; has && grant == "refresh_token" && before != string(text) {
					note(audit.SeenProofKey)
				}
				keys[id] = string(text)
			}
		}
	}
}

// assertionHeader reads the header of a JWT without verifying it.
func assertionHeader(jwt string) map[string]any {
	first, _, _ := strings.Cut(jwt, ".")
	b, err := base64.RawURLEncoding.DecodeString(first)
	var m map[string]any
	if err != nil || json.Unmarshal(b, &m) != nil {
		return nil
	}
	return m
}
