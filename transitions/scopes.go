package transitions

import (
	"slices"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// scopes chooses what to request, before offline_access (docs/decision-tables.md#t6).
func (k *step) scopes() []string {
	f, t := k.Flow, k.Token()
	base := f.Listed
	if f.Challenged {
		base = f.Scopes
	}
	if k.Config.OnlyScopes {
		if dropped := wire.Missing(k.Config.Scopes, base); f.Challenged && f.Why != states.WhyStepUp && len(dropped) > 0 {
			k.note(wire.Finding{Rule: rules.AuthzReqScopeChallenge, Detail: "the host asks for its own scopes only, without " + wire.Clean(wire.JoinScope(dropped), 200)})
		}
		if f.Why != states.WhyStepUp { // a step-up asks for its scopes in any case
			base = nil
		}
		base = wire.Union(k.Config.Scopes, base)
	}
	switch {
	case t == nil:
	case f.Why == states.WhyStepUp:
		base = wire.Union(wire.Union(t.Requested, t.Granted), base)
	case k.Config.OnlyScopes:
	case f.Challenged || len(t.Granted) == 0 || f.Why == states.WhyRequested:
		base = wire.Union(t.Granted, base)
	default: // a login again asks for what was granted last
		base = t.Granted
	}
	if k.Config.OnlyScopes {
		return base
	}
	return wire.Union(wire.Union(base, k.Config.Scopes), k.Wanted)
}

// withOffline adds or drops offline_access: it is requested when the issuer lists
// it, refresh is wanted, and never alone (rule authz-req-offline-access).
func (k *step) withOffline(scopes []string) []string {
	const offline = wire.OfflineAccess
	listed := slices.Contains(k.Flow.Server.ScopesSupported, offline)
	rest := wire.WithoutOfflineAccess(scopes)
	if listed && !k.Config.NoRefresh && (len(rest) > 0 || k.Config.Has(states.OfflineAlone)) {
		if len(rest) == 0 {
			k.acted("offline-alone", rules.AuthzReqOfflineAccess, "offline_access is asked for alone")
		}
		return append(rest, offline)
	}
	if slices.Contains(scopes, offline) {
		k.note(wire.Finding{Rule: rules.ChallengeScopeNoOfflineAccess, Detail: "offline_access was asked for; the issuer does not list it"})
	}
	return rest
}
