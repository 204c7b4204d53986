package wire

import (
	"slices"
	"strconv"
	"time"

	"github.com/stile-oauth/stile/states/rules"
)

// ParseRegistration judges the answer to a registration (RFC 7591 §3.2). What the
// answer says counts, whatever was asked for; what it does not say is as requested.
// listed is token_endpoint_auth_methods_supported, at the time of receipt. The problem
// carries the server's error response, if there was one.
//
// Rules: dcr-response-201, dcr-response-client-id, dcr-response-authoritative,
// dcr-response-redirect-kept, dcr-secret-expires-at, dcr-secret-expired,
// dcr-method-secret-consistent, dcr-error-shape, dcr-no-silent-copy,
// dcr-failure-shown.
func ParseRegistration(r Response, p RegistrationParams, listed []string, at time.Time) (Client, []Finding, *Problem) {
	var found []Finding
	if bad := registrationStatus(r); bad != nil {
		return Client{}, nil, bad
	}
	obj, err := ParseObject(r.Body)
	if err != nil {
		return Client{}, nil, refuse(rules.DCRErrorShape, "answer to the registration is unusable: "+err.Error())
	}
	if e := objectError(obj); e != nil {
		return Client{}, nil, &Problem{Rule: rules.DCRFailureHandled, Detail: "an error response with " + statusDetail(r), OAuth: e}
	}
	if r.Status != 201 {
		note(&found, rules.DCRResponse201, "registration answered with "+statusDetail(r)+" in place of 201")
	}
	c := Client{Source: SourceDynamic, Key: p.Key}
	var named bool
	var redirects, management, expires []byte
	for i := range obj {
		raw := obj[i].Raw
		switch obj[i].Name {
		case "client_id":
			c.ID, _ = rawString(raw)
		case "client_secret":
			s, _ := rawString(raw)
			c.Secret = Secret(s)
		case "client_secret_expires_at":
			expires = raw
		case "token_endpoint_auth_method":
			c.Method, _ = rawString(raw)
			named = c.Method != ""
		case "redirect_uris":
			redirects = raw
		case "registration_access_token":
			s, _ := rawString(raw)
			c.RegistrationToken = Secret(s)
		case "registration_client_uri":
			management = raw
		case "grant_types":
			if list, ok := rawStrings(raw); ok && len(list) > 0 && p.wants("authorization_code") && !slices.Contains(list, "authorization_code") {
				note(&found, rules.DCRResponseAuthoritative, "registered without the grant authorization_code")
			}
		}
	}
	if bad := clientIdentifier(c.ID); bad != "" {
		return Client{}, found, refuse(rules.DCRResponseClientID, bad)
	}
	if !printable(c.Secret.Reveal()) {
		return Client{}, found, refuse(rules.DCRErrorShape, "client_secret holds a control character or is too long")
	}
	if bad := c.keepRedirects(redirects, p); bad != nil {
		return Client{}, found, bad
	}
	if bad := c.secretExpiry(expires, at, &found); bad != nil {
		return Client{}, found, bad
	}
	c.manage(management, p.Endpoint, &found)
	c, more, bad := registeredMethod(c, named, p.Method, listed)
	found = append(found, more...)
	if bad != nil {
		return Client{}, found, bad
	}
	return c, found, nil
}

// registrationStatus judges everything but a usable 2xx.
func registrationStatus(r Response) *Problem {
	if r.Status >= 200 && r.Status < 300 {
		if r.Oversized {
			return refuse(rules.NetSizeLimit, "answer is longer than the limit")
		}
		return nil
	}
	if e := ParseOAuthError(r); e != nil {
		return &Problem{Rule: rules.DCRFailureHandled, Detail: statusDetail(r), OAuth: e}
	}
	switch {
	case r.Status >= 300 && r.Status < 400:
		return refuse(rules.NetRedirectPost, statusDetail(r)+", a redirect that is not followed")
	case r.Status == 401 || r.Status == 403:
		return &Problem{Rule: rules.DCRInitialAccessToken, Detail: statusDetail(r)}
	}
	return &Problem{Rule: rules.DCRErrorShape, Detail: statusDetail(r)}
}

func (p RegistrationParams) wants(grant string) bool {
	return p.GrantTypes == nil || slices.Contains(p.GrantTypes, grant)
}

// clientIdentifier says what is wrong with a client_id (RFC 6749 §2.2, A.1: visible
// ASCII and space); "" if nothing is.
func clientIdentifier(id string) string {
	switch {
	case id == "":
		return "no client_id with content"
	case len(id) > longest || !plain(id):
		return "client_id holds a character that no client_id has, or is too long"
	}
	return ""
}

// longest is the length that an identifier or a secret may have.
const longest = 8192

// printable reports whether s has a reasonable length and no control characters.
func printable(s string) bool {
	if len(s) > longest {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] == 0x7f {
			return false
		}
	}
	return true
}

func (c *Client) keepRedirects(raw []byte, p RegistrationParams) *Problem {
	c.RedirectURIs = slices.Clone(p.RedirectURIs)
	if raw == nil || isNull(raw) {
		return nil
	}
	list, ok := rawStrings(raw)
	if len(p.RedirectURIs) > 0 && !slices.Contains(list, p.RedirectURIs[0]) {
		return refuse(rules.DCRResponseRedirectKept, "registered redirect URIs are "+quoted(JoinScope(list))+", without "+quoted(p.RedirectURIs[0]))
	}
	if ok && len(list) > 0 {
		c.RedirectURIs = list
	}
	return nil
}

// farFuture is the limit for times that a peer names: later ones read as "never".
const farFuture = 253402300799 // the last second of the year 9999

func (c *Client) secretExpiry(raw []byte, at time.Time, found *[]Finding) *Problem {
	if c.Secret == "" {
		return nil
	}
	if raw == nil || isNull(raw) {
		note(found, rules.DCRSecretExpiresAt, "client_secret without client_secret_expires_at; read as never")
		return nil
	}
	n, kind := rawSeconds(raw)
	if kind == numberJunk || kind == numberNegative {
		note(found, rules.DCRSecretExpiresAt, "client_secret_expires_at is no time; read as never")
		return nil
	}
	if kind == numberText {
		note(found, rules.DCRSecretExpiresAt, "client_secret_expires_at is a string")
	}
	switch {
	case n == 0:
		return nil
	case n > farFuture:
		note(found, rules.DCRSecretExpiresAt, "client_secret_expires_at is beyond the year 9999; read as never")
		return nil
	}
	c.SecretExpires = time.Unix(n, 0).UTC()
	if !c.SecretExpires.After(at) {
		return refuse(rules.DCRSecretExpired, "client secret expired at "+c.SecretExpires.Format(time.RFC3339)+", it is "+at.UTC().Format(time.RFC3339))
	}
	return nil
}

// manage keeps the registration's own token only together with an address to which it
// may be sent (rule dcr-management-secret).
func (c *Client) manage(raw []byte, endpoint string, found *[]Finding) {
	uri, _ := rawString(raw)
	if uri == "" || c.RegistrationToken == "" || !printable(c.RegistrationToken.Reveal()) {
		c.RegistrationToken = ""
		return
	}
	if bad := CheckURL(uri, URLPolicy{AllowLoopbackHTTP: IsLoopbackHTTP(endpoint)}); bad != nil {
		note(found, rules.DCRManagementSecret, "registration_client_uri not kept: "+bad.Words())
		c.RegistrationToken = ""
		return
	}
	c.RegistrationURI = uri
}

// registeredMethod decides the method after registration (docs/decision-tables.md#t7). If a
// secret came without a method, the method has to be inferred, because the server may
// have made the client confidential.
func registeredMethod(c Client, named bool, asked string, listed []string) (Client, []Finding, *Problem) {
	if asked == "" {
		asked = MethodNone
	}
	if !named {
		c.Method = asked
		if c.Secret != "" && asked == MethodNone {
			c.Method = ""
		}
	}
	c, found, bad := ChooseMethod(c, listed, false)
	if !named {
		found = append(found, Finding{Rule: rules.DCRResponseComplete, Detail: "answer names no token_endpoint_auth_method; " + strconv.Quote(c.Method) + " is used"})
	}
	if bad == nil && named && c.Method == MethodNone && c.Secret != "" {
		found = append(found, Finding{Rule: rules.DCRMethodSecretConsistent, Detail: "registered with none, yet a client secret came; it is used if the issuer refuses the client without it"})
		c.Inferred = true
	}
	return c, found, bad
}
