package bearer

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/stile-oauth/stile/states/rules"
)

// refuse answers with status, challenge and a small JSON body to read. bound says that
// the request came with a token by the scheme DPoP.
func (g *Guard) refuse(w http.ResponseWriter, r *http.Request, v Verdict, bound bool) {
	h := w.Header()
	if v.Status == 401 || v.Status == 403 || v.Status == 400 {
		h["Www-Authenticate"] = g.challenges(v, bound)
		exposed := "WWW-Authenticate"
		if g.dpop != nil {
			exposed += ", DPoP-Nonce"
		}
		h.Set("Access-Control-Expose-Headers", exposed)
	}
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "application/json")
	w.WriteHeader(v.Status)
	code := v.Error
	if code == "" {
		code = "unauthorized"
	}
	_, _ = fmt.Fprintf(w, `{"error":%q,"error_description":%q}`+"\n", code, v.Says)
	g.config.Logger.Info("refused", "method", r.Method, "status", v.Status, "error", v.Error, "rule", string(v.Rule))
}

func union(a, b []string) []string {
	if len(b) == 0 {
		return a
	}
	out := slices.Clone(a)
	for _, x := range b {
		if !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}

// challenges are the challenges that a request can meet with a bearer token, with a bound
// token, or with either. The error of a token is in the challenge of its own scheme, or
// in that of the scheme that would have been right.
func (g *Guard) challenges(v Verdict, bound bool) []string {
	if g.dpop == nil {
		return []string{Challenge(v, g.config.Realm, g.config.MetadataURL)}
	}
	proof := challenge("DPoP", v, g.config.Realm, g.config.MetadataURL, g.dpop.listed)
	switch {
	case bound, g.dpop.Required, v.Rule == rules.ExtDPoPNoDowngrade:
		return []string{proof}
	case v.Error == "":
		return []string{Challenge(v, g.config.Realm, g.config.MetadataURL), proof}
	}
	return []string{Challenge(v, g.config.Realm, g.config.MetadataURL)}
}
