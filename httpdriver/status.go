package httpdriver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
)

// Status is what is known about a credential. It holds no secret.
type Status struct {
	Account    Account
	LoggedIn   bool
	Issuer     string
	ClientID   string
	Resource   string
	Scopes     []string
	Expires    time.Time
	Renewable  bool
	Received   time.Time
	Generation states.Generation
	Revision   states.Revision
	Bound      bool // the token is bound to a key (DPoP)
	Refreshing bool // a refresh is under way, or was interrupted
	GivenUp    bool // the issuer does not renew this login: a new one is needed when the token has expired
}

// Status reads the store. It never refreshes and never writes (rule
// refresh-readonly-status).
func (d *Driver) Status(ctx context.Context, a Account) (Status, error) {
	c, err := d.config(a)
	if err != nil {
		return Status{}, err
	}
	e, err := d.store.Get(ctx, c.CredentialKey())
	if errors.Is(err, storage.ErrNotFound) {
		return Status{Account: a}, nil
	}
	if err != nil {
		return Status{}, err
	}
	return statusOf(a, e)
}

// Statuses gives the status of every login of one owner, in one pass over the store
// where the store can. An error is that of one login's entry; the result of each
// ends it. A store that cannot list answers errors.ErrUnsupported.
func (d *Driver) Statuses(ctx context.Context, tenant, subject string, each func(Status, error) error) error {
	return storage.Entries(ctx, d.store, tenant, subject, func(k states.Key, e storage.Entry, err error) error {
		if k.Kind != states.KindCredential || errors.Is(err, storage.ErrNotFound) {
			return nil
		}
		a := Account{Server: k.Name, Tenant: k.Tenant, Subject: k.Subject, Name: k.Account}
		if err != nil {
			return each(Status{Account: a}, err)
		}
		return each(statusOf(a, e))
	})
}

// statusOf reads the status from a stored credential.
func statusOf(a Account, e storage.Entry) (Status, error) {
	c, err := states.DecodeCredential(wire.Secret(e.Value))
	if err != nil {
		return Status{Account: a}, fmt.Errorf("httpdriver: the stored credential: %w", err)
	}
	st := Status{Account: a, Refreshing: c.Intent != nil && !c.GivenUp(), GivenUp: c.GivenUp()}
	if t := c.Current; t != nil {
		st.LoggedIn, st.Issuer, st.ClientID, st.Resource = true, t.Server.Issuer, t.Client.ID, t.Resource
		st.Scopes, st.Expires, st.Renewable, st.Received = t.Granted, t.Expires, t.Renewable() && !c.GivenUp(), t.Received
		st.Generation, st.Revision, st.Bound = t.Generation, t.Revision, t.Thumbprint != ""
	}
	return st, nil
}
