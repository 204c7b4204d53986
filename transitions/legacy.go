package transitions

import (
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// legacyAllowed: the rows of 2025-03-26 apply if that revision is pinned, or if nothing
// contradicts it: the challenge named no metadata and nothing is stored for this server
// (rule asm-legacy-default-endpoints, CVE-2026-115563: a downgrade never carries stored
// credentials).
func (k *step) legacyAllowed() bool {
	if k.Record != nil && k.Config.Revision != states.R1 {
		return false
	}
	return k.Config.Revision == states.R1 || k.Config.Revision == states.Auto && !k.Flow.Named
}

func (k *step) legacy() Event {
	f := k.flow()
	f.Revision, f.Legacy, f.Metadata, f.Resource = states.R1, true, "", ""
	f.Issuers, f.Issuer = []string{k.Config.Resource.Origin()}, 0
	f.Scopes = k.scopes()
	k.note(wire.Finding{Rule: rules.ASMLegacyBaseURL, Detail: "no resource metadata: the rows of 2025-03-26 apply"})
	if on := k.admitted(); on != Illegal {
		return on
	}
	k.probeIssuer()
	return LegacyServer
}

// legacyDefaults takes the endpoints that MCP 2025-03-26 names for servers
// without metadata.
func (k *step) legacyDefaults() Event {
	k.note(wire.Finding{Rule: rules.ASMLegacyDefaultEndpoints, Detail: "no metadata at all: the default endpoints of 2025-03-26 are used"})
	return k.asmFound(wire.DefaultASM(k.Flow.Issuers[k.Flow.Issuer]), LegacyDefaults, LegacyDefaultsConfigured)
}
