package peer

import (
	"encoding/base64"
	"net/url"
	"strings"
	"time"
)

const (
	maxSecretTries = 20
	secretWindow   = time.Minute
)

// authenticate finds the client of a token, revocation or introspection
// request and checks that it is who it says (O21 §2.4, §3.2.1): none, Basic
// or body, one of them, with a limit on wrong secrets (clientauth-bruteforce).
func (a *AS) authenticate(c call) (*client, *reply) {
	if mediaType(c.req.Header.Header("Content-Type")) != "application/x-www-form-urlencoded" {
		return nil, problem(400, "invalid_request", "the body must be application/x-www-form-urlencoded")
	}
	if repeated(c.req.Form) != "" {
		return nil, problem(400, "invalid_request", "a parameter is repeated")
	}
	id, secret := value(c.req.Form, "client_id"), value(c.req.Form, "client_secret")
	fields := c.req.Header.Header("Authorization")
	basic := len(fields) > 0
	if basic {
		user, pass, ok := basicCredentials(fields)
		switch {
		case !ok:
			return nil, unauthenticated(true)
		case secret != "", id != "" && id != user:
			return nil, problem(400, "invalid_request", "the client authenticates in two ways at once")
		}
		id, secret = user, pass
	}
	k := a.client(id)
	key := "client " + hash(id)[:16]
	if a.state.counted(c.at, key) >= maxSecretTries {
		r := problem(429, "temporarily_unavailable", "too many failed attempts")
		r.set("Retry-After", "60")
		return nil, r
	}
	good := k != nil
	if good && k.SecretHash != "" {
		good = same(hash(secret), k.SecretHash)
	} else if good {
		good = secret == ""
	}
	if !good {
		if k != nil && k.SecretHash != "" {
			a.state.count(c.at, key, secretWindow)
		}
		return nil, unauthenticated(basic)
	}
	return k, nil
}

// unauthenticated is invalid_client; to a Basic attempt with the matching
// challenge (RFC 6749 §5.2).
func unauthenticated(basic bool) *reply {
	r := problem(401, "invalid_client", "client authentication failed")
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
