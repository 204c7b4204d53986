package httpdriver

import (
	"cmp"
	"errors"
	"net/http"
	"strconv"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states/wire"
)

// ClientDocument gives the client ID metadata document to publish at p.CIMD. It
// describes the client like a registration, with p.Redirects and p.Scopes. An issuer
// that reads it needs no registration. With a key and no p.AuthMethod the document names two
// methods, the key and none, and the login uses one that the issuer lists (SEP-3149, a draft);
// an issuer that reads only the first needs the key.
// Rules: cimd-doc-self-id, cimd-doc-fields, cimd-methods-array.
func (p Policy) ClientDocument() ([]byte, error) {
	switch {
	case p.CIMD == "":
		return nil, &fsm.FieldError{Field: "CIMD", Err: errors.New("the document needs the address at which it is served")}
	case len(p.Redirects) == 0:
		return nil, &fsm.FieldError{Field: "Redirects", Err: errors.New("the document needs the redirect URIs that the client listens on")}
	}
	// Any server will do, because the document is the same for all. Before one on loopback,
	// the document may be on loopback too.
	m, err := fsm.New(p.Config(Account{Server: "http://127.0.0.1/"}))
	if err != nil {
		return nil, err
	}
	c := m.Data.Config
	id, _ := wire.ParseURL(c.CIMD) // fsm.New has read it
	params := wire.RegistrationParams{
		Name: cmp.Or(c.ClientName, "Stile"), URI: c.ClientURI, Profile: c.Profile, RedirectURIs: c.Redirects,
		ApplicationType: wire.ApplicationType(c.Redirects), Method: c.AuthMethod, GrantTypes: c.Grants, Scope: wire.JoinScope(c.Scopes),
	}
	switch {
	case c.AuthMethod == wire.MethodBasic || c.AuthMethod == wire.MethodPost:
		return nil, &fsm.FieldError{Field: "AuthMethod", Err: errors.New("a client of a public document has no secret: none, or private_key_jwt with a key")}
	case c.Key != nil && c.Key.Keys != "":
		ours := c.DocumentMethods()
		params.Method, params.Keys = ours[0], c.Key.Keys
		if len(ours) > 1 {
			params.Methods = ours
		}
	}
	if len(c.Grants) == 0 && c.NoRefresh {
		params.GrantTypes = []string{"authorization_code"}
	}
	return wire.ClientDocument(id, params), nil
}

// ClientDocumentHandler serves ClientDocument, to be mounted at the path of p.CIMD:
//
//	h, err := policy.ClientDocumentHandler()
//	mux.Handle("/client.json", h)
func (p Policy) ClientDocumentHandler() (http.Handler, error) {
	document, err := p.ClientDocument()
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "public, max-age=3600")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Length", strconv.Itoa(len(document)))
		if r.Method == http.MethodGet {
			_, _ = w.Write(document)
		}
	}), nil
}
