package peer

import (
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states/rules"
)

// managed finds the client that a management request may touch (RFC 7592 §3).
func (a *AS) managed(c call) *client {
	k := a.client(c.id)
	if k == nil {
		k = a.client(a.config.base() + "/clients/" + c.id) // the fault register-https-id
	}
	auth := c.req.Header.Header("Authorization")
	if k == nil || k.ManageHash == "" || len(auth) != 1 {
		return nil
	}
	scheme, token, _ := strings.Cut(auth[0], " ")
	if !strings.EqualFold(scheme, "Bearer") || !same(hash(token), k.ManageHash) {
		return nil
	}
	return k
}

func unmanaged() *reply {
	r := problem(401, "invalid_token", "the registration access token is not that of this client").breaks(rules.ASTokenClientAuth)
	r.set("WWW-Authenticate", `Bearer error="invalid_token"`)
	return r
}

// showClient is RFC 7592 §2.1. The secret is not shown again: only its hash
// is kept.
func (a *AS) showClient(c call) *reply {
	k := a.managed(c)
	if k == nil {
		return unmanaged()
	}
	r := &reply{status: 200, doc: describeClient(*k)}
	noStore(r)
	return r
}

// deleteClient is RFC 7592 §2.3: the client's grants end with it.
func (a *AS) deleteClient(c call) *reply {
	k := a.managed(c)
	if k == nil {
		return unmanaged()
	}
	if a.faulty("register-delete-refused") {
		return problem(403, "access_denied", "a client cannot be deleted here").breaks(rules.DCRDelete)
	}
	if a.faulty("register-delete-forgotten") {
		k.ManageHash = ""
		return &reply{status: 204}
	}
	for i := range a.state.Grants {
		if a.state.Grants[i].Client == k.ID {
			a.state.Grants[i].Revoked = true
		}
	}
	id := k.ID
	a.state.Clients = slices.DeleteFunc(a.state.Clients, func(x client) bool { return x.ID == id })
	r := &reply{status: 204}
	noStore(r)
	return r
}
