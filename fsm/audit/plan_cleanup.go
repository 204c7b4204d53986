package audit

import (
	"slices"
	"strconv"
	"strings"

	"github.com/stile-oauth/stile/states/wire"
)

// Kind says what kind of thing is left over.
type Kind string

// The kinds of what an audit can leave behind.
const (
	KeptRegistration Kind = "registration"
	KeptGrant        Kind = "grant"
)

// Leftover is something that an audit created and that still exists.
type Leftover struct {
	Kind     Kind   `json:"kind"`
	Probe    string `json:"probe"` // the probe that created it
	ClientID string `json:"client_id"`
	// Endpoint is where a registration was made, or where a grant is revoked.
	Endpoint  string `json:"endpoint,omitempty"`
	ManageURI string `json:"registration_client_uri,omitempty"`
	// Confidential says that the client of a grant has a secret, and Post that the
	// secret belongs in the form.
	Confidential bool   `json:"confidential,omitzero"`
	Post         bool   `json:"post,omitzero"`
	Why          string `json:"why"`

	// Token is what ends it. It is a secret and never part of a report.
	Token wire.Secret `json:"-"`
}

// Ends gives the request that ends it, and whether there is such a request. secret is
// the client's secret, if it has one.
func (l Leftover) Ends(secret wire.Secret) (wire.Request, bool) {
	if l.Token == "" {
		return wire.Request{}, false
	}
	switch l.Kind {
	case KeptRegistration:
		return bearer(wire.Request{Method: "DELETE", URL: l.ManageURI, Header: wire.Fields{{Name: "Accept", Value: "application/json"}}}, l.Token.Reveal()), l.ManageURI != ""
	case KeptGrant:
		form := wire.Fields{{Name: "token", Value: l.Token.Reveal()}}
		if l.Confidential {
			if secret == "" {
				return wire.Request{}, false
			}
			r := wire.Request{Method: "POST", URL: l.Endpoint, Header: formFields, Form: form}
			return authenticated(r, l.ClientID, secret, l.Post), l.Endpoint != ""
		}
		return wire.Request{Method: "POST", URL: l.Endpoint, Header: formFields, Form: append(form, wire.Field{Name: "client_id", Value: l.ClientID})}, l.Endpoint != ""
	}
	return wire.Request{}, false
}

// Ended reports whether the answer says that it is gone.
func (l Leftover) Ended(status int) bool {
	if l.Kind == KeptGrant {
		return status == 200
	}
	return status == 204 || status == 200 || status == 404 || status == 401 // 401: its token is gone with it
}

// authenticated adds the client's secret to a request.
func authenticated(r wire.Request, id string, secret wire.Secret, post bool) wire.Request {
	if post {
		r.Form = append(r.Form, wire.Field{Name: "client_id", Value: id}, wire.Field{Name: "client_secret", Value: secret.Reveal()})
	} else {
		r.Header = append(r.Header[:len(r.Header):len(r.Header)], basic(id, secret))
	}
	return r
}

// NextEnding gives the next request that ends something the audit created. It is like
// Next, but only for what an interrupted audit still has to send.
func NextEnding(e *Evidence) (Probe, bool) { return Next(e, cleanupChecks[:1]) }

// registered lists the accepted registrations, each with the address and the token that
// manage it (RFC 7592 §3).
func (e *Evidence) registered() []Leftover {
	var out []Leftover
	for i := range e.Exchanges {
		x := &e.Exchanges[i]
		if x.Leg != LegRegister || x.Probe == "" {
			continue
		}
		id, ok := e.member(x.Probe, "client_id")
		if !ok {
			continue
		}
		l := Leftover{Kind: KeptRegistration, Probe: x.Probe, ClientID: id, Endpoint: x.Request.URL}
		l.ManageURI, _ = e.member(x.Probe, "registration_client_uri")
		for _, from := range []string{x.Probe, probeCleanup + x.Probe + ".read"} { // reading may rotate it
			if t, ok := e.member(from, "registration_access_token"); ok {
				l.Token = wire.Secret(t)
			}
		}
		if l.ManageURI != "" && (!e.mayFetch(l.ManageURI) || wire.Origin(l.ManageURI) != wire.Origin(l.Endpoint)) {
			l.ManageURI = "" // no request is sent to somebody else's host
		}
		out = append(out, l)
	}
	return out
}

// grants lists the grants that gave a token, each with its newest token.
func (e *Evidence) grants() []Leftover {
	if e.Account == nil {
		return nil
	}
	var out []Leftover
	at := map[string]int{}
	for i := range e.Exchanges {
		x := &e.Exchanges[i]
		name, _, _ := strings.Cut(x.Probe, ".")
		if slices.Contains([]string{"cc", "ema", "wif"}, name) { // nobody granted it; planOwnEnd revokes what a client got
			continue
		}
		if x.Leg != LegToken && x.Leg != LegRefresh || x.Probe == "" || x.Response == nil || !gives(x) {
			continue
		}
		k, seen := at[name]
		if !seen {
			k = len(out)
			at[name] = k
			id, ok := requestForm(x).Get("client_id")
			if !ok {
				id = e.clientID()
			}
			secret := e.Account.ClientID != "" && e.clientID() == id && len(x.sent("Authorization")) > 0
			_, post := requestForm(x).Get("client_secret")
			out = append(out, Leftover{Kind: KeptGrant, Probe: name, ClientID: id, Endpoint: e.address("revocation_endpoint"), Confidential: secret || post, Post: post})
		}
		obj, _ := wire.ParseObject(x.Response.Body)
		if t, _, ok := obj.String("refresh_token"); ok && t != "" {
			out[k].Token = wire.Secret(t)
		} else if t, _, ok := obj.String("access_token"); ok && out[k].Token == "" {
			out[k].Token = wire.Secret(t)
		}
	}
	return out
}

// over reports whether a grant has ended: its newest token was revoked, or the
// issuer no longer knows it. A revocation is answered with 200 whether or
// not there was something to revoke.
func (e *Evidence) over(l Leftover) bool {
	for i := range e.Exchanges {
		x := &e.Exchanges[i]
		form := requestForm(x)
		if x.Leg == LegRevoke {
			t, _ := form.Get("token")
			if id, has := form.Get("client_id"); has && id != l.ClientID {
				continue
			}
			if t == l.Token.Reveal() && x.status() == 200 {
				return true
			}
		}
		if t, _ := form.Get("refresh_token"); x.Leg == LegRefresh && t == l.Token.Reveal() && x.status() == 400 {
			if id, has := form.Get("client_id"); !has || id == l.ClientID {
				oe := wire.ParseOAuthError(*x.Response)
				if oe != nil && oe.Code == "invalid_grant" {
					return true
				}
			}
		}
	}
	return false
}

// planCleanup ends every grant and deletes every registration of the audit. It reads
// the first registration before that, and tries its token once more afterwards.
func planCleanup(e *Evidence) []Probe {
	var out []Probe
	for _, l := range e.grants() {
		var secret wire.Secret
		if l.Confidential {
			secret = e.Account.ClientSecret
		}
		if r, ok := l.Ends(secret); ok && !e.over(l) {
			out = append(out, Probe{Label: probeCleanup + "grant." + l.Probe, Leg: LegRevoke, Request: r})
		}
	}
	out = append(out, planOwnEnd(e)...)
	for i, l := range e.registered() {
		r, ok := l.Ends("")
		if !ok {
			continue
		}
		ask := func(name, method string) {
			r.Method = method
			out = append(out, Probe{Label: probeCleanup + l.Probe + name, Leg: LegOther, Request: r})
		}
		if i == 0 {
			ask(".read", "GET")
		}
		ask(".delete", "DELETE")
		if i == 0 {
			ask(".again", "GET")
		}
	}
	return out
}

const probeCleanup = "cleanup."

// planAfterDelete asks for a login as the first deleted client.
func planAfterDelete(e *Evidence) []Probe {
	out := planCleanup(e)
	endpoint := ""
	if e.Account != nil {
		endpoint = e.address("authorization_endpoint")
	}
	if all := e.registered(); len(all) > 0 && endpoint != "" && answered(e, out) && e.deleted(all[0]) {
		q := put(e.question("az"), "client_id", all[0].ClientID)
		out = append(out, Probe{Label: probeDeleted, Leg: LegOther, Request: wire.Request{Method: "GET", URL: at(endpoint, q), Header: wire.Fields{{Name: "Accept", Value: "text/html"}}}})
	}
	return out
}

// probeDeleted asks for a login as a deleted client.
const probeDeleted = "deleted.authorize"

// deleted reports whether the server says that a registration no longer exists.
func (e *Evidence) deleted(l Leftover) bool {
	x := e.probe(probeCleanup + l.Probe + ".delete")
	return x != nil && (x.status() == 204 || x.status() == 200)
}

// Leftovers lists what the audit created and what still exists, as far as the
// evidence shows it. The list has tokens as long as the evidence has them.
func (e *Evidence) Leftovers() []Leftover {
	var out []Leftover
	for _, l := range e.grants() {
		if !e.over(l) {
			out = append(out, e.left(l, probeCleanup+"grant."+l.Probe, "its revocation", "the issuer has no revocation endpoint; it ends when its tokens do"))
		}
	}
	for _, l := range e.registered() {
		x := e.probe(probeCleanup + l.Probe + ".delete")
		if x == nil || !(x.status() == 204 || x.status() == 200 || x.status() == 404) {
			out = append(out, e.left(l, probeCleanup+l.Probe+".delete", "its deletion", "the server gives no address to delete it at (RFC 7592)"))
		}
	}
	return out
}

// left says why something still exists.
func (e *Evidence) left(l Leftover, label, what, nowhere string) Leftover {
	x := e.probe(label)
	_, can := l.Ends("-")
	switch {
	case x != nil && x.Response != nil:
		l.Why = what + " was answered " + strconv.Itoa(x.status())
	case x != nil:
		l.Why = what + " was not answered: " + x.Failure
	case !can:
		l.Why = nowhere
	default:
		l.Why = "the audit ended before"
	}
	l.ClientID, l.Endpoint, l.ManageURI, l.Why = wire.Clean(l.ClientID, 300), wire.Clean(l.Endpoint, 300), wire.Clean(l.ManageURI, 300), wire.Clean(l.Why, 300)
	return l
}
