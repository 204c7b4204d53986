package bearer

import (
	"mime"
	"net/http"
	"net/url"

	"github.com/stile-oauth/stile/states/rules"
)

// isForm reports whether a request has a form of the kind in which RFC 6750 §2.2 would
// look for a token.
func isForm(r *http.Request) bool {
	if r.Body == nil || r.Body == http.NoBody {
		return false
	}
	// Broken parameters do not make it another kind.
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return kind == "application/x-www-form-urlencoded"
}

// form refuses a request that has a token in its Authorization field, which v has
// accepted, and another token in its form (RFC 6750 §3.1, rs-multiple-methods). A
// parameter without a value counts as left out (RFC 6749 §3.1).
func (g *Guard) form(r *http.Request, v Verdict) Verdict {
	body, read := g.body(r)
	if !read.OK() {
		return read
	}
	// What can be read of a form counts, also where the rest is broken.
	fields, _ := url.ParseQuery(string(body))
	for _, token := range fields["access_token"] {
		if token != "" {
			return Verdict{
				Status: 400, Error: "invalid_request", Rule: rules.RSMultipleMethods,
				Says: "there is a token in the Authorization field and one in the form",
			}
		}
	}
	return v
}
