package proving

import "github.com/stile-oauth/stile/fsm/audit"

const worked = `{"jsonrpc":"2.0","id":1,"result":{}}`

// servers are the deviations for checks that no fault of the peer can show (unshown).
var servers = map[string]deviation{
	"ch.host": {server: "http://127.0.0.1:8080/mcp", both: []edit{{"mcp.*", answers(401, "")}, {"mcp.host", answers(421, "")}},
		wrong: []edit{{"mcp.host", answers(200, worked)}}},
	"prm.dpop-flag": {both: []edit{{"prm.*", has("dpop_bound_access_tokens_required", true)}, {"asm.*", has("dpop_signing_alg_values_supported", []string{"ES256"})}},
		wrong: []edit{{"asm.*", has("dpop_signing_alg_values_supported", nil)}}},
	"tok.timing": {both: []edit{{"tok.secret.4", answers(429, `{"error":"temporarily_unavailable"}`)}},
		wrong: []edit{{"tok.secret.4", answers(401, `{"error":"invalid_client"}`)}}},
	"net.https":        {wrong: []edit{{"mcp.initialize", func(x *audit.Exchange) { x.TLS = &audit.TLS{Version: "1.0", NotAfter: start.AddDate(1, 0, 0)} }}}},
	"net.private-dns":  {wrong: []edit{{"names.as.example", func(x *audit.Exchange) { x.Addresses = []string{"203.0.113.7", "64:ff9b::a00:1"} }}}},
	"net.header-strip": {wrong: []edit{{"mcp.initialize", says("WWW-Authenticate", "")}}},
}
