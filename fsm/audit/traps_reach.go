package audit

import (
	"time"

	"github.com/stile-oauth/stile/states/rules"
)

// reachTraps are about where a client looks, and which servers it asks.
var reachTraps = []Trap{
	naming(trap("ssrf-any", High, SSRF, "Names an issuer by the address 0.0.0.0, which is this machine.", "Nothing is fetched there.", "Refuse http on all but loopback, and addresses that name no host.", canaryClean, nil, rules.PRMIssuerEntrySyntax, rules.NetIPPolicy), "authorization_servers", `["{zero}"]`),
	proxied(naming(trap("ssrf-issuer", High, SSRF, "Names the address of a cloud's metadata service as the issuer.", "Nothing is fetched there.", "Refuse link-local addresses, by name and by what a name resolves to.", judgeMetadataService, nil, rules.NetMetadataService, rules.NetIPPolicy), "authorization_servers", `["https://169.254.169.254"]`)),
	proxied(trap("ssrf-header", High, SSRF, "Names the address of a cloud's metadata service in the challenge.", "Nothing is fetched there.", "Refuse link-local addresses, by name and by what a name resolves to.", judgeMetadataService, []string{"challenge-metadata-private"}, rules.NetMetadataService, rules.NetIPPolicy)),
	proxied(published(trap("ssrf-endpoint", High, SSRF, "Publishes endpoints at the address of a cloud's metadata service.", "Nothing is sent there.", "Refuse link-local addresses, by name and by what a name resolves to.", judgeMetadataService, nil, rules.NetMetadataService, rules.NetIPPolicy),
		"registration_endpoint", "https://169.254.169.254/register", "token_endpoint", "https://169.254.169.254/token")),
	naming(trap("tls", Critical, Leak, "Names an issuer whose certificate nobody has signed.", "The client ends the connection.", "Verify certificates.", judgeTLS, nil, rules.NetTLSVerify), "authorization_servers", `["{tls}"]`),
	headerOnly(trap("header-first", High, Mixup, "Serves the resource metadata where the challenge says, and documents that name another issuer at the well-known addresses.", "The client takes the one of the challenge.", "Read resource_metadata of the challenge, and probe only without it.", all(judgeDecoy, goesOn), nil, rules.PRMProbeOrder)),
	decoyed(trap("prm-order", High, Mixup, "Sends no address in the challenge, and serves a document that names another issuer at the root.", "The client takes the one for its path.", "Probe the address with the path before the root.", all(judgeDecoy, goesOn), []string{"challenge-none"}, rules.PRMProbeOrder)),
	pathed(trap("asm-path", Medium, Interop, "Names an issuer with a path.", "The client finds its metadata.", "Put the path behind the well-known part (RFC 8414 §3.1).", getsThrough, nil, rules.ASMProbeOrder)),
	naming(observes(trap("scope-challenge", Medium, Takeover, "Demands one scope in the challenge, and lists further ones in the resource metadata.", "The one of the challenge is asked for.", "Ask for the scopes of the challenge; those of the metadata are for a challenge without.", judgeDemandedScope, nil, rules.AuthzReqScopeChallenge)), "scopes_supported", `["user","stile-audit:all"]`),
	refreshing("endpoint-moved", Medium, Interop, "Moves the token endpoint after a token was issued, and lets the token expire.", "The client reads the metadata again and gets through.", "Read the metadata again after 404 at an endpoint.", judgeLastStart, []string{"token-moves-later"}, 1, rules.ASMCacheBounded),
	killing(refreshing("refresh-crash", High, Interop, "Kills the client during its first refresh, which the issuer has carried out, and starts it again.", "The client gets through in the end: by the same refresh token, or by a login.", "Let a lock end with its process, and take the refresh token for perhaps spent.", judgeLastStart, nil, 2, rules.StoreLeaseTTL, rules.RefreshAmbiguousOnce)),
	away(refreshing("refresh-away", High, Interop, "Answers every refresh 503, until the client is started once more.", "The refresh token is kept and used then; no login.", "Keep the refresh token after every failure but invalid_grant.", judgeTransient, nil, 2, rules.RefreshTransientKeeps)),
	waiting(observes(trap("expired-use", Info, Interop, "Issues tokens for three seconds, and starts the client again after that.", "The token that has expired is not sent.", "Look at expires_in before a token is sent.", judgeExpiredSent, nil, rules.BearerNoExpired))),
}

// WaitLife is how long tokens really live, by every clock, in a trap that waits.
const WaitLife = 3 * time.Second

// naming replaces a member of the resource's metadata.
func naming(t Trap, member, value string) Trap {
	t.Resource = map[string]string{member: value}
	return t
}

func proxied(t Trap) Trap    { t.Proxied = true; return t }
func headerOnly(t Trap) Trap { t.HeaderOnly = true; return t }
func decoyed(t Trap) Trap    { t.RootDecoy = true; return t }
func pathed(t Trap) Trap     { t.IssuerPath = "/stile-audit/tenant"; return t }
func killing(t Trap) Trap    { t.KillRefresh = true; return t }

func away(t Trap) Trap { t.Away = true; return t }

func waiting(t Trap) Trap {
	t.Runs, t.TokenLife, t.Waits = 2, WaitLife, true
	return t
}
