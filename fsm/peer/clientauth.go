package peer

import (
	"encoding/base64"
	"net/url"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
)

const (
	maxSecretTries = 20
	secretWindow   = time.Minute
)

// authenticate finds the client of a token, revocation or introspection
// request and authenticates it (OAuth 2.1 §2.4, §3.2.1) by the one method that
// it is registered for (none, Basic or body), with a limit on wrong secrets
// (clientauth-bruteforce).
func (a *AS) authenticate(c call) (*client, *reply) {
	if refused := a.formed(c); refused != nil {
		return nil, refused
	}
	if _, signed := c.req.Form.Get("client_assertion"); signed {
		return a.byAssertion(c)
	}
	id, secret := value(c.req.Form, "client_id"), value(c.req.Form, "client_secret")
	fields := c.req.Header.Header("Authorization")
	basic := len(fields) > 0
	if basic {
		user, pass, ok := basicCredentials(fields)
		switch {
		case !ok:
			return nil, unauthenticated(true, rules.ClientauthBasicEncoding, "the Authorization field is not that of client_secret_basic")
		case secret != "" && !a.faulty("client-two-ways"), id != "" && id != user:
			return nil, problem(400, "invalid_request", "the client authenticates in two ways at once").breaks(rules.ClientauthOneMethod)
		}
		id, secret = user, pass
	}
	k := a.client(id)
	key := "client " + hash(id)[:16]
	if a.state.counted(c.at, key) >= maxSecretTries {
		r := problem(429, "temporarily_unavailable", "too many failed attempts").breaks(rules.ClientauthBruteforce)
		r.set("Retry-After", "60")
		return nil, r
	}
	method := "none"
	switch {
	case basic:
		method = "client_secret_basic"
	case secret != "":
		method = "client_secret_post"
	}
	switch {
	case k == nil:
		return nil, unauthenticated(basic, rules.ASTokenClientAuth, "the client is not known")
	case k.Method != "" && method != k.Method, k.Method == "" && method == "none":
		return nil, unauthenticated(basic, rules.ClientauthMethodFromRegistration,
			"the client authenticates by "+method+", which is not the method that it is registered for")
	case k.SecretHash != "" && !same(hash(secret), k.SecretHash):
		a.state.count(c.at, key, secretWindow)
		return nil, unauthenticated(basic, rules.ASTokenClientAuth, "the secret is wrong")
	}
	return k, nil
}

// formed refuses a body that is no form, and a parameter that comes twice.
func (a *AS) formed(c call) *reply {
	if mediaType(c.req.Header.Header("Content-Type")) != "application/x-www-form-urlencoded" {
		return problem(400, "invalid_request", "the body must be application/x-www-form-urlencoded").breaks(rules.ASTokenErrorShape)
	}
	if repeated(c.req.Form) != "" && !a.faulty("token-repeat") {
		return problem(400, "invalid_request", "a parameter is repeated").breaks(rules.ASAuthorizeRepeatRefused)
	}
	return nil
}

// confidential says that the client proves who it is (RFC 6749 §2.1).
func (k *client) confidential() bool { return k.SecretHash != "" || len(k.JWKS) > 0 }

// unauthenticated is invalid_client; after a Basic attempt, with the matching
// challenge (RFC 6749 §5.2). The detail goes to the log and not to the client.
func unauthenticated(basic bool, rule rules.ID, detail string) *reply {
	r := problem(401, "invalid_client", "client authentication failed").breaks(rule)
	r.detail = detail
	if basic {
		r.set("WWW-Authenticate", `Basic realm="client"`)
	}
	return r
}

// basicCredentials reads one Basic field; both halves are form-encoded before
// they are joined (RFC 6749 §2.3.1).
func basicCredentials(fields []string) (id, secret string, ok bool) {
	if len(fields) != 1 {
		return "", "", false
	}
	scheme, rest, _ := strings.Cut(fields[0], " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(rest))
	if err != nil {
		return "", "", false
	}
	user, pass, found := strings.Cut(string(raw), ":")
	id, err1 := url.QueryUnescape(user)
	secret, err2 := url.QueryUnescape(pass)
	return id, secret, found && err1 == nil && err2 == nil && id != ""
}
