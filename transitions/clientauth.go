package transitions

import (
	"slices"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// How the client authenticates, whichever request it makes.

// configured is the configured client, before its authentication method is chosen.
func (k *step) configured() wire.Client {
	c := k.Config.Client
	return wire.Client{
		ID: c.ID, Secret: c.Secret, Method: c.Method, Source: wire.SourceConfigured,
		Raw: k.Config.Has(states.BasicRaw), Key: k.keyName(),
	}
}

// keyName is the name of the key that the client signs with; "" when it has none.
func (k *step) keyName() string {
	if k.Config.Key == nil {
		return ""
	}
	return k.Config.Key.Name
}

// chooseMethod settles how the client authenticates (docs/decision-tables.md#t7).
func (k *step) chooseMethod() Event {
	f := k.flow()
	chosen, found, bad := wire.ChooseMethod(f.Client, f.Server.AuthMethods, f.Client.Method != "")
	k.note(found...)
	if bad != nil {
		return k.fail(MethodUnusable, states.PartyPeer, *bad)
	}
	f.Client = chosen
	k.quirkOfBasic()
	k.algListed()
	return Illegal
}

// algListed notes an algorithm that the issuer does not list for assertions (rule
// clientauth-jwt-alg).
func (k *step) algListed() {
	f, key := k.Flow, k.Config.Key
	if key == nil || f.Client.Method != wire.MethodJWT || f.Server.SigningAlgs == nil || slices.Contains(f.Server.SigningAlgs, key.Alg) {
		return
	}
	k.note(wire.Finding{Rule: rules.ClientauthJWTAlg, Detail: "the client signs with " + wire.Clean(key.Alg, 40) +
		", the issuer lists " + wire.Clean(wire.JoinScope(f.Server.SigningAlgs), 200)})
}

// dynamic reports whether the client came from the issuer itself, so that a
// new one may be had.
func dynamic(c wire.Client) bool {
	return slices.Contains([]string{wire.SourceDynamic, wire.SourceStored}, c.Source)
}
