package audit

import (
	"strings"

	"github.com/stile-oauth/stile/states/rules"
)

// behaviour is what known clients do when a rule is broken; "" means that it is not known.
type behaviour struct{ typescript, gosdk, stile string }

// behaviours is indexed by the main rule of a finding. The versions are the TypeScript
// SDK 2.4.0 and the go-sdk whose sources were read for the table.
var behaviours = map[rules.ID]behaviour{
	rules.PRMHeaderURLDead:              {"stops: it does not go on to the well-known addresses", "goes on to the well-known addresses", "goes on to the well-known addresses"},
	rules.PRMServed:                     {"takes the origin for the issuer", "takes the origin for the issuer", "does so for servers of 2025-03-26 only"},
	rules.ASMIssuerMatch:                {"refuses", "refuses", "refuses"},
	rules.ASMIssuerSlash:                {"goes on where the document lacks the slash, and refuses otherwise", "goes on", "goes on, and records it"},
	rules.ASM5xxNotAbsent:               {"stops, unless it is 502", "stops", "tries again, and then the next place"},
	rules.ASMPKCEAdvertised:             {"goes on", "refuses", "refuses, unless the quirk assume-s256 is set"},
	rules.ASMServed:                     {"uses default endpoints", "uses default endpoints", "does so for servers of 2025-03-26 only"},
	rules.IssuerASAdvertises:            {"compares iss", "refuses iss that was not promised", "compares iss"},
	rules.Challenge403InsufficientScope: {"", "does not step up where error is missing", "steps up once if scopes are new"},
	rules.RefreshTransientKeeps:         {"sends the user to the browser", "", "keeps the refresh token and tries again"},
	rules.RegReregisterOnce:             {"drops its registration and its tokens, and tries again", "", "registers once more"},
	rules.TokenRespInvalidGrantHonest:   {"drops the tokens and sends the user to the browser", "sends the user to the browser", "reads its store first, then sends the user to the browser"},
}

// affects says what known clients do about a finding; "" if that is not known.
func affects(rule rules.ID) string {
	b, ok := behaviours[rule]
	if !ok {
		return ""
	}
	var out []string
	for _, c := range [][2]string{{"TypeScript SDK 2.4.0", b.typescript}, {"go-sdk", b.gosdk}, {"Stile", b.stile}} {
		if c[1] != "" {
			out = append(out, c[0]+" "+c[1])
		}
	}
	return strings.Join(out, "; ")
}
