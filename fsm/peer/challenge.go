package peer

import (
	"strings"

	"github.com/stile-oauth/stile/states/rules"
)

// bearerChallenge is a Bearer challenge (RFC 6750 §3, RFC 9728 §5.1) in parts,
// so that a fault can change one of them. An empty part is left out.
type bearerChallenge struct {
	code     string
	scope    []string
	metadata string
	realm    string
	dpop     bool // of the scheme DPoP (RFC 9449 §7.1)
}

func (c bearerChallenge) String() string {
	var params []string
	add := func(name, v string) {
		if v != "" {
			v = strings.ReplaceAll(strings.ReplaceAll(v, `\`, `\\`), `"`, `\"`)
			params = append(params, name+`="`+v+`"`)
		}
	}
	add("realm", c.realm)
	add("error", c.code)
	add("scope", strings.Join(c.scope, " "))
	add("resource_metadata", c.metadata)
	if c.dpop {
		add("algs", strings.Join(proofAlgs, " "))
		return "DPoP " + strings.Join(params, ", ")
	}
	if len(params) == 0 {
		add("realm", "mcp")
	}
	return "Bearer " + strings.Join(params, ", ")
}

// refuse is a refusal with its challenge and the rule that the request broke.
// The body repeats error and scope for readers.
func refuse(status int, rule rules.ID, detail string, c bearerChallenge) *reply {
	r := &reply{status: status, challenge: &c, rule: rule, detail: detail}
	r.doc.put("error", c.code)
	if c.code == "" {
		r.doc.put("error", "unauthorized")
	}
	r.doc.add("scope", strings.Join(c.scope, " "))
	noStore(r)
	return r
}
