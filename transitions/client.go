package transitions

import (
	"slices"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

func findingClient(k *step) Event {
	switch in := k.in.(type) {
	case states.Loaded:
		reg, on := k.readRegistration(in)
		if reg == nil {
			return on
		}
		on = k.registrationRead(*reg, in.Generation)
		if k.AtDevice() {
			return k.deviceClient()
		}
		return on
	case states.NotFound:
		if k.Flow.Unread {
			k.flow().Unread = false
			return RegistrationWanted // the one that was refused is gone
		}
		if k.AtDevice() {
			return k.deviceClient()
		}
		return RegistrationMissing
	case states.StoreFailed:
		return k.storeLost(in, StoreLost, Illegal)
	case states.Cancelled:
		return k.cancelled(Cancelled)
	}
	return Illegal
}

// registrationRead decides whether the stored client may be used. A login that took its
// client from a grant reads the registration only when that client is of no use. It then
// continues with what another process registered, or registers.
func (k *step) registrationRead(reg states.Registration, g states.Generation) Event {
	f := k.flow()
	f.Registration, f.NoDocument = g, reg.RefusedDocument != "" && reg.RefusedDocument == k.Config.CIMD
	stale, again := RegistrationStale, f.Unread
	f.Unread = false
	if again {
		stale = RegistrationWanted
	}
	c := reg.Client
	switch {
	case reg.Issuer != f.Server.Issuer:
		// Such a record cannot be under this key; it is refused nevertheless.
		return stale
	case !c.SecretExpires.IsZero() && !k.at.Before(c.SecretExpires):
		k.note(wire.Finding{Rule: rules.DCRSecretExpired, Detail: "the stored client secret has expired"})
		return stale
	case c.Method == wire.MethodJWT && c.Key != k.keyName():
		k.note(wire.Finding{Rule: rules.ClientauthConfidential, Detail: "the client that is stored signs with a key that this program does not have"})
		return stale
	case c.ID == f.Refused || c.ID == k.RefusedClient || k.knownDead(reg) || f.NewClient:
		return stale
	case again && !slices.Contains(c.RedirectURIs, f.RedirectURI):
		return stale
	}
	if c.Source == wire.SourceDynamic {
		c.Source = wire.SourceStored
	}
	if t := k.Token(); t != nil && t.Client.ID == c.ID && t.Server.Issuer == reg.Issuer {
		c.Method, c.Inferred, c.Refused = t.Client.Method, t.Client.Inferred, t.Client.Refused // what worked last
	}
	f.Client, f.Filed = c, reg.Client.Method
	if again {
		return k.park(ClientReady)
	}
	return RegistrationFound
}

// knownDead: an earlier process learnt that the issuer does not know the client of the held
// grant, and could not begin a login.
func (k *step) knownDead(reg states.Registration) bool {
	t := k.Token()
	return t != nil && t.ClientDead && t.Client.ID == reg.Client.ID && t.Server.Issuer == reg.Issuer
}

func binding(k *step) Event {
	if _, ok := k.in.(states.Cancelled); ok {
		return k.cancelled(Cancelled)
	}
	v, _, ok := k.answer("")
	switch {
	case !ok:
		return Illegal
	case v == "" && k.deviceInstead():
		return k.toDevice()
	case v == "":
		return k.fail(RedirectUnavailable, states.PartyHost, wire.Problem{
			Rule: rules.RegBindBeforeRegister, Detail: "no address is listening for the redirect",
		})
	case !states.RedirectAllowed(v):
		return Illegal
	}
	f := k.flow()
	f.RedirectURI = v
	f.Requested = k.withOffline(f.Scopes)
	k.quirksOfRequest()
	return k.client()
}

// client tries the ways to get a client id in order (#t5).
func (k *step) client() Event {
	f, c := k.flow(), k.Config
	if f.Client.ID != "" && !states.RedirectUsable(f.Client.RedirectURIs, f.RedirectURI) {
		k.note(wire.Finding{Rule: rules.RegRedirectRegistered, Detail: "the stored client is not registered for " + f.RedirectURI})
		f.Client = wire.Client{}
	}
	document := c.CIMD != "" && f.Server.CIMD && !f.NoDocument && f.Refused != c.CIMD
	if c.CIMD != "" && !document && f.Refused == "" && f.Why != states.WhyStepUp {
		k.documentLeftOut()
	}
	if document && f.Client.Source == wire.SourceStored && f.Why != states.WhyStepUp {
		k.note(wire.Finding{Rule: rules.RegPriority, Detail: "the client ID metadata document is used in place of the client that was registered earlier"})
		return k.useDocument()
	}
	if dynamic(f.Client) && k.canRegister() && !slices.Contains(f.Client.RedirectURIs, f.RedirectURI) && len(f.Client.RedirectURIs) > 0 {
		// Another program uses its port. RFC 8252 §7.3 allows another port, but some issuers
		// compare the whole address: the user would not come back from their error page.
		k.note(wire.Finding{Rule: rules.RegRedirectRegistered, Detail: "the client is registered for another port than " + f.RedirectURI + "; it is registered once more"})
		f.Client = wire.Client{}
		if f.Registration == 0 {
			if bad := wire.JudgeAuthorization(f.AuthorizationParams(c)); bad != nil {
				return k.fail(RequestRefused, states.PartyPeer, *bad)
			}
			f.Unread = true
			return ClientUnread
		}
		return RegistrationWanted
	}
	switch {
	case f.Client.ID != "":
		if f.Client.Method == "" || f.Client.Source == wire.SourceConfigured {
			if on := k.chooseMethod(); on != Illegal {
				return on
			}
		}
		return k.park(ClientReady)
	case document:
		return k.useDocument()
	case k.canRegister():
		return RegistrationWanted
	case c.HostDecides(states.AskClient):
		return ClientNeeded
	}
	return k.clientMissing(rules.RegAskUser, "the issuer offers no registration of clients, and none is configured")
}

// documentLeftOut says why the configured document is not used as the client.
func (k *step) documentLeftOut() {
	if !k.Flow.Server.CIMD {
		k.note(wire.Finding{Rule: rules.CIMDCheckFlag, Detail: "the client ID metadata document is not used: the issuer does not say that it reads them"})
		return
	}
	k.note(wire.Finding{Rule: rules.CIMDAdvertisedButRefused, Detail: "the client ID metadata document is not used: the issuer refused it in an earlier login"})
}

// useDocument makes the configured metadata document the client, with a method that the
// document and the issuer have in common (docs/decision-tables.md#t7-3). This login ignores a
// stored registration. An issuer that does not list "none" is asked without authentication
// nevertheless if the document says so, because many list only what needs a secret.
func (k *step) useDocument() Event {
	f, ours := k.flow(), k.Config.DocumentMethods()
	f.Client = wire.Client{ID: k.Config.CIMD, Method: ours[0], Source: wire.SourceCIMD}
	listed := f.Server.AuthMethods
	switch common := wire.DocumentMethod(ours, ours[0], listed); {
	case common != "":
		f.Client.Method = common
	case slices.Contains(ours, wire.MethodNone):
		f.Client.Method = wire.MethodNone
	case len(listed) > 0:
		k.fail(MethodUnusable, states.PartyHost, wire.Problem{
			Rule: rules.CIMDMethodsArray, Detail: "the client ID metadata document names " + wire.JoinScope(ours) +
				", and the issuer lists " + wire.Clean(wire.JoinScope(listed), 200),
		})
		k.Fault.Advice = "publish a document that names another method as well, or use another client"
		return MethodUnusable
	}
	if len(ours) > 1 && len(listed) > 0 && f.Client.Method != ours[0] {
		k.note(wire.Finding{Rule: rules.CIMDMethodsArray, Detail: "the issuer does not list " + ours[0] + "; the client ID metadata document must offer " +
			f.Client.Method + " as well (SEP-3149, a draft)"})
	}
	if f.Client.Method == wire.MethodJWT {
		f.Client.Key = k.keyName()
		k.algListed()
	}
	return k.park(ClientReady)
}

func (k *step) canRegister() bool {
	return k.Flow.Server.RegistrationEndpoint != "" && !k.Config.NoRegistration
}

func (k *step) clientMissing(rule rules.ID, why string) Event {
	return k.fail(ClientMissing, states.PartyHost, wire.Problem{Rule: rule, Detail: why})
}

func needingClient(k *step) Event {
	switch in := k.in.(type) {
	case states.Cancelled:
		return k.cancelled(Cancelled)
	case states.Ticked:
		if k.at.Before(k.Flow.Deadline) {
			return Illegal
		}
		return k.clientMissing(rules.RegAskUser, "nobody gave a client id in time")
	case states.Answered:
		if in.Value == "" {
			return k.clientMissing(rules.RegAskUser, "no client id was given")
		}
		f := k.flow()
		c := wire.Client{ID: in.Value, Secret: in.Secret, Source: wire.SourceHost, RedirectURIs: []string{f.RedirectURI}}
		chosen, found, bad := wire.ChooseMethod(c, f.Server.AuthMethods, false)
		k.note(found...)
		if bad != nil {
			return k.fail(ClientMissing, states.PartyPeer, *bad)
		}
		f.Client = chosen
		return ClientGiven
	}
	return Illegal
}
