package peer

import (
	"slices"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

func (a *AS) consentPage(c call) *reply {
	ticket := value(c.query, "ticket")
	i := a.waiting(c, ticket)
	if i == nil || i.Subject == "" {
		return a.failure(400, rules.ASConsentSessionBound, lostLogin)
	}
	p := Page{
		Kind: "consent", Action: a.config.base() + "/consent", Ticket: ticket, CSRF: a.csrf(a.cookie(c.req), ticket, "consent"),
		User: i.Subject, ClientID: i.Client, RedirectURI: i.Redirect, RedirectHost: redirectHost(i.Redirect),
		Resource: i.Resource, Scopes: i.Scopes,
	}
	if k := a.client(i.Client); k != nil {
		p.ClientName, p.ClientKind = k.Name, k.Kind
	}
	return a.page(p)
}

// consent takes the user's decision. Every authorization asks again: an
// earlier consent to the same client id proves nothing about who calls now
// (OAuth 2.1 §7.3.1).
func (a *AS) consent(c call) *reply {
	i, refused := a.posted(c, "consent")
	if refused != nil {
		return refused
	}
	decision := value(c.req.Form, "decision")
	if i.Subject == "" || decision != "allow" && decision != "deny" {
		return a.failure(400, rules.ASConsentPage, "Allow or deny was not chosen.")
	}
	done := *i
	a.state.Interactions = slices.DeleteFunc(a.state.Interactions, func(x interaction) bool { return x.Hash == done.Hash })
	if done.Device != "" {
		return a.decideDevice(c, done, decision == "allow")
	}
	if decision == "deny" {
		return a.back(done, wire.Field{Name: "error", Value: "access_denied"})
	}
	return a.grantCode(c.at, done, done.Subject)
}
