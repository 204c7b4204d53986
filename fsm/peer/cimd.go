package peer

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// clientDocument is the part of a client ID metadata document that is read
// (CIMD §4).
type clientDocument struct {
	ClientID     string         `json:"client_id"`
	Name         string         `json:"client_name"`
	RedirectURIs []string       `json:"redirect_uris"`
	GrantTypes   []string       `json:"grant_types"`
	Method       string         `json:"token_endpoint_auth_method"`
	Methods      []string       `json:"token_endpoint_auth_methods_supported"` // SEP-3149, a draft
	Secret       any            `json:"client_secret"`
	SecretExpiry any            `json:"client_secret_expires_at"`
	JWKS         jsontext.Value `json:"jwks"`
	about
}

// isDocumentID says that a client_id has the form of a document's address
// (CIMD §3): https, a path that is more than a slash, no dot segments, no
// fragment, no userinfo. On loopback, http is accepted, for development.
func isDocumentID(id string) bool {
	if !sound(id) {
		return false
	}
	u, err := url.Parse(id)
	if err != nil || strings.Trim(u.Path, "/") == "" {
		return false
	}
	for seg := range strings.SplitSeq(u.Path, "/") {
		if seg == "." || seg == ".." {
			return false
		}
	}
	return true
}

// Needs names the client document that has to be fetched before the request
// can be answered, or "". The caller fetches it (through its guard), gives it
// to Learn, and then calls Answer.
func (a *AS) Needs(at time.Time, req wire.Request) string {
	e, _, ok := a.route(req.URL)
	if ok && e.name == "register" && req.Method == "POST" && a.faults.has("register-fetches") {
		var m registration
		_ = json.Unmarshal(req.Body, &m) // a body that is no registration names nothing
		return m.LogoURI
	}
	if !ok || !a.config.CIMD || e.name != "authorize" {
		return ""
	}
	_, _, raw := split(req.URL)
	query, ok := wire.DecodeForm(raw)
	if req.Method == "POST" {
		query = req.Form
	}
	id := value(query, "client_id")
	if !ok || !isDocumentID(id) || repeated(query) == "client_id" {
		return ""
	}
	if k := a.client(id); k != nil && (k.Kind == "configured" || at.Before(k.Fresh)) {
		return ""
	}
	return id
}

// Learn judges a fetched client document and keeps it for as long as its
// Cache-Control says, between one minute and one hour. A bad one is not kept,
// and what was known before is dropped (as-cimd-match, as-cimd-valid,
// as-cimd-no-secret, as-cimd-cache). The error says what is wrong with it.
func (a *AS) Learn(at time.Time, id string, resp wire.Response) error {
	a.forget(id)
	if !a.config.CIMD {
		return documentError("client ID metadata documents are switched off here")
	}
	if !isDocumentID(id) {
		return documentError("the client_id is not the address of a document")
	}
	if resp.Status != 200 {
		return documentError("the document was answered with status " + strconv.Itoa(resp.Status))
	}
	ctype := mediaType(resp.Header.Header("Content-Type"))
	if ctype != "application/json" && !strings.HasSuffix(ctype, "+json") {
		return documentError("the document is not JSON")
	}
	if resp.Oversized || len(resp.Body) > 5<<10 {
		return documentError("the document is larger than 5 KiB")
	}
	var d clientDocument
	if err := json.Unmarshal(resp.Body, &d); err != nil {
		return documentError("the document is not a JSON object with client metadata")
	}
	method := a.documentMethod(d)
	if method == "" && a.faulty("cimd-any-method") {
		method = "none"
	}
	switch {
	case d.ClientID != id && !a.faulty("cimd-any-id"):
		return documentError("the document's client_id is not its address")
	case d.Name == "" || len(d.Name) > 200:
		return documentError("client_name is missing or too long")
	case len(d.RedirectURIs) == 0:
		return documentError("redirect_uris is missing")
	case d.Secret != nil || d.SecretExpiry != nil:
		return documentError("the document holds a client secret")
	case d.Methods != nil && d.Method != "" && !slices.Contains(d.Methods, d.Method):
		return documentError("token_endpoint_auth_method is not one of token_endpoint_auth_methods_supported")
	case method == "":
		return documentError("the document names no authentication method that a client without a secret can use here")
	case !keysFit(d.keyed(), d.JWKS):
		return documentError("private_key_jwt goes with jwks, a set of public keys, and no other method does")
	}
	if wrong := d.about.check(); wrong != "" {
		return documentError(wrong)
	}
	for _, u := range d.RedirectURIs {
		if !redirectable(u) {
			return documentError("a redirect URI is not https, or http on loopback")
		}
	}
	if len(d.GrantTypes) == 0 {
		d.GrantTypes = []string{"authorization_code"}
	}
	if n := slices.IndexFunc(a.state.Clients, func(k client) bool { return k.Kind == "document" }); n >= 0 && a.config.MaxClients > 0 && a.documents() >= a.config.MaxClients {
		a.state.Clients = slices.Delete(a.state.Clients, n, n+1)
	}
	a.state.Clients = append(a.state.Clients, client{
		ID: id, Kind: "document", Name: d.Name, RedirectURIs: d.RedirectURIs, GrantTypes: d.GrantTypes,
		Method: method, JWKS: d.JWKS, Since: at, About: d.about, Fresh: at.Add(freshness(resp.Header)),
	})
	return nil
}

// methods are those that the document lists; a document that lists none means a client
// that does not authenticate.
func (d clientDocument) methods() []string {
	if d.Methods != nil {
		return d.Methods
	}
	return []string{cmp.Or(d.Method, "none")}
}

// keyed is private_key_jwt if the document lists it.
func (d clientDocument) keyed() string {
	if slices.Contains(d.methods(), "private_key_jwt") {
		return "private_key_jwt"
	}
	return "none"
}

// documentMethod chooses how the client authenticates here (cimd-methods-array); "" if there
// is no way.
func (a *AS) documentMethod(d clientDocument) string {
	known := []string{"none"}
	if a.config.Verify != nil {
		known = []string{"private_key_jwt", "none"}
	}
	return wire.DocumentMethod(d.methods(), d.Method, known)
}

type documentError string

func (e documentError) Error() string { return "peer: client document: " + string(e) }

func (a *AS) documents() int {
	n := 0
	for _, k := range a.state.Clients {
		if k.Kind == "document" {
			n++
		}
	}
	return n
}

func (a *AS) forget(id string) {
	a.state.Clients = slices.DeleteFunc(a.state.Clients, func(k client) bool { return k.Kind == "document" && k.ID == id })
}

func freshness(h wire.Fields) time.Duration {
	life := 5 * time.Minute
	for _, v := range h.Header("Cache-Control") {
		for d := range strings.SplitSeq(v, ",") {
			d = strings.ToLower(strings.TrimSpace(d))
			if d == "no-store" || d == "no-cache" {
				return time.Second
			}
			if s, ok := strings.CutPrefix(d, "max-age="); ok {
				if n, err := strconv.Atoi(s); err == nil && n >= 0 {
					life = time.Duration(min(n, 3600)) * time.Second
				}
			}
		}
	}
	return min(max(life, time.Minute), time.Hour)
}

// clientFor finds the client of an authorization request; without one it says
// why, in a sentence for the user at the browser, and by which rule.
func (a *AS) clientFor(at time.Time, id string) (*client, rules.ID, string) {
	k := a.client(id)
	switch {
	case id == "":
		return nil, rules.ASAuthorizeNoBadRedirect, "The request does not say which application it comes from (client_id is missing)."
	case a.faulty("authorize-unknown-client"):
		return nil, rules.ASAuthorizeNoBadRedirect, "The application is not known here."
	case k != nil && k.Kind == "document" && a.faulty("cimd-refused"):
		return nil, rules.ASAuthorizeNoBadRedirect, "The application is not known here."
	case k != nil && k.Kind == "document" && !at.Before(k.Fresh):
		return nil, rules.ASCIMDAbort, "The application's metadata document could not be read again."
	case k != nil:
		return k, "", ""
	case isDocumentID(id) && a.config.CIMD:
		return nil, rules.ASCIMDAbort, "The application's metadata document could not be read."
	case isDocumentID(id):
		return nil, rules.ASAuthorizeNoBadRedirect, "Applications that are known by a metadata document are not accepted here."
	}
	return nil, rules.ASAuthorizeNoBadRedirect, "The application is not known here (its client_id was never registered, or was removed)."
}
