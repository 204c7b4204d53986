package transitions

import (
	"slices"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// admitted keeps the issuers that the host allows and that its own client
// belongs to, however they were found: named by the server, configured, or its
// origin. The one of the grant that is held comes first.
func (k *step) admitted() Event {
	f, list := k.flow(), k.Config.Issuers
	if len(list) > 0 {
		allowed := slices.DeleteFunc(slices.Clone(f.Issuers), func(i string) bool { return !slices.Contains(list, i) })
		if len(allowed) == 0 {
			return k.fail(IssuerNotAllowed, states.PartyHost, wire.Problem{
				Rule: rules.PRMASSelection, Detail: "the server names " + wire.Clean(f.Issuers[0], 200) + ", which is not among the allowed issuers",
			})
		}
		f.Issuers = allowed
	}
	if t := k.Token(); t != nil {
		f.Issuers = preferred(f.Issuers, t.Server.Issuer)
	}
	return k.preregistered()
}

// preregistered binds the configured client to its issuer (rules issuer-prereg-mismatch,
// issuer-no-cross-use). A client that was configured without an issuer is bound to the first
// issuer at which it was used.
func (k *step) preregistered() Event {
	f, c := k.Flow, k.Config.Client
	if c == nil {
		return Illegal
	}
	bound := c.Issuer
	if bound == "" {
		if t := k.Token(); t != nil && t.Client.ID == c.ID {
			bound = t.Server.Issuer
		} else {
			k.note(wire.Finding{Rule: rules.IssuerTrustFirstUse, Detail: "the configured client names no issuer; it is bound to " + wire.Clean(f.Issuers[0], 200)})
			return Illegal
		}
	}
	if alias := k.Config.Alias(states.IssuerAlias, bound); slices.Contains(f.Issuers, alias) {
		f.Issuers = preferred(f.Issuers, alias)
		return Illegal
	}
	for _, i := range f.Issuers {
		if i == bound || !k.Config.Strict && oneSlash(i, bound) {
			f.Issuers = preferred(f.Issuers, i)[:1]
			return Illegal
		}
	}
	return k.fail(PreregisteredElsewhere, states.PartyHost, wire.Problem{
		Rule:   rules.IssuerPreregMismatch,
		Detail: "the client belongs to " + wire.Clean(bound, 200) + ", the server names " + wire.Clean(f.Issuers[0], 200),
	})
}

func oneSlash(a, b string) bool { return a == b+"/" || b == a+"/" }

// preferred moves the issuer to the front if it is listed.
func preferred(list []string, issuer string) []string {
	i := slices.Index(list, issuer)
	if i <= 0 {
		return list
	}
	out := []string{issuer}
	return append(append(out, list[:i]...), list[i+1:]...)
}

// asmFound takes the metadata of the issuer, and the client that is configured for it.
func (k *step) asmFound(asm wire.ASM, on, configured Event) Event {
	f := k.flow()
	f.Server, f.Candidates, f.Candidate, f.Remembered = asm, nil, 0, nil
	k.Tries = 0
	if t := k.Token(); t != nil && t.Server.Issuer != asm.Issuer {
		k.note(wire.Finding{Rule: rules.IssuerASChangeReregister, Detail: "the issuer changed from " +
			wire.Clean(t.Server.Issuer, 200) + " to " + wire.Clean(asm.Issuer, 200) + "; nothing of the old one is used"})
	}
	if on := k.bindable(); on != Illegal {
		return on
	}
	switch {
	case k.Config.Grant == states.WorkloadGrant:
		return k.workloadWanted()
	case k.Config.Grant == states.EnterpriseGrant:
		return k.enterpriseWanted()
	case k.Config.Device() && f.Server.DeviceEndpoint == "":
		return k.fail(DeviceMissing, states.PartyPeer, wire.Problem{Rule: rules.ExtDeviceNotCore, Detail: "the issuer offers no device authorization"})
	case k.Config.Device():
		k.deviceGranted()
	}
	if k.Config.Client != nil {
		f.Client = k.configured()
		if k.Config.Own() {
			return k.ownClient()
		}
		if k.Config.Device() {
			return k.deviceClient()
		}
		return configured
	}
	if t := k.Token(); t != nil && t.Server.Issuer == asm.Issuer && t.Client.Source == wire.SourceConfigured && !t.ClientDead {
		k.note(wire.Finding{Rule: rules.RegPriority, Detail: "no client is configured; the one that an earlier login was configured with is used again"})
		f.Client = t.Client
		if k.Config.Device() {
			return k.deviceClient()
		}
		return configured
	}
	return on
}
