package explore

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// What an identity provider says about a user.
var (
	identityHome = &Invariant{Name: "identity-home", Rule: rules.ExtEMAIDTokenStays,
		Says:  "an ID token and the client's secret at the identity provider go to the provider alone; an ID-JAG goes to the token endpoint of the issuer that is its audience",
		asked: identityAtHome}
	grantOnce = &Invariant{Name: "id-jag-once", Rule: rules.ExtEMAReplay,
		Says: "an ID-JAG is sent once", asked: grantSentOnce}
)

// said are the claims about a user in a JWT of the story's provider.
type said struct {
	iss, aud string
	grant    bool // it is an ID-JAG
}

func saidIn(text string) (s said, ok bool) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return s, false
	}
	var read [2]struct{ Typ, Iss, Aud string }
	for n := range read {
		raw, err := base64.RawURLEncoding.DecodeString(parts[n])
		if err != nil || json.Unmarshal(raw, &read[n], json.MatchCaseInsensitiveNames(true)) != nil {
			return s, false
		}
	}
	return said{read[1].Iss, read[1].Aud, read[0].Typ == "oauth-id-jag+jwt"}, true
}

func identityAtHome(m *moment, s states.Send) string {
	p := m.r.Machine.Data.Config.Provider
	if p == nil {
		return ""
	}
	dest, to := wire.Origin(s.Request.URL), s.Request.URL
	values := []string{}
	for _, f := range s.Request.Form {
		values = append(values, f.Value)
	}
	if _, secret, ok := basic(s); ok {
		values = append(values, secret)
	}
	if token, ok := bearer(s); ok {
		values = append(values, token)
	}
	for _, v := range values {
		switch x, ok := saidIn(v); {
		case v == p.Secret.Reveal() && dest != p.Issuer:
			return "the client's secret at the identity provider goes to " + to
		case !ok || x.iss != p.Issuer:
		case !x.grant && dest != p.Issuer:
			return "an ID token goes to " + to
		case x.grant && m.w.home(to) != x.aud:
			return "an ID-JAG for " + wire.Clean(x.aud, 80) + " goes to " + to
		}
	}
	return ""
}

func grantSentOnce(m *moment, s states.Send) string {
	jag, _ := s.Request.Form.Get("assertion")
	if x, ok := saidIn(jag); ok && x.grant && slices.Contains(m.w.ghost.assertions, jag) {
		return "an ID-JAG is sent again"
	}
	return ""
}
