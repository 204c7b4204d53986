package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/httpdriver"
)

// statusView is a login as --json shows it. It holds no secret.
type statusView struct {
	Server     string   `json:"server"`
	Account    string   `json:"account,omitempty"`
	Tenant     string   `json:"tenant,omitempty"`
	Subject    string   `json:"subject,omitempty"`
	LoggedIn   bool     `json:"logged_in"`
	Issuer     string   `json:"issuer,omitempty"`
	ClientID   string   `json:"client_id,omitempty"`
	Resource   string   `json:"resource,omitempty"`
	Scopes     []string `json:"scopes,omitempty"`
	Expires    string   `json:"expires,omitempty"`
	Expired    bool     `json:"expired,omitempty"`
	Renewable  bool     `json:"renewable"`
	Received   string   `json:"received,omitempty"`
	Generation uint64   `json:"generation,omitempty"`
	Revision   string   `json:"revision,omitempty"`
	Refreshing bool     `json:"refreshing,omitempty"`
	Bound      bool     `json:"bound,omitempty"` // to a key (DPoP)
}

func statusJSON(st httpdriver.Status) statusView {
	return statusView{
		Server: st.Account.Server, Account: st.Account.Name, Tenant: st.Account.Tenant, Subject: st.Account.Subject,
		LoggedIn: st.LoggedIn, Issuer: st.Issuer, ClientID: st.ClientID, Resource: st.Resource, Scopes: st.Scopes,
		Expires: stamp(st.Expires), Expired: !st.Expires.IsZero() && time.Now().After(st.Expires), Renewable: st.Renewable,
		Received: stamp(st.Received), Generation: uint64(st.Generation), Revision: string(st.Revision), Refreshing: st.Refreshing,
		Bound: st.Bound,
	}
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func newStatus(a *app) *cobra.Command {
	var f accountFlags
	c := &cobra.Command{
		Use:   "status [URL]",
		Short: "Show a login, or all of them",
		Long: `Shows the login to the server at URL, or every login in the store. The command
sends no request and changes nothing. With a URL, the exit status is 3 if nobody
is logged in.`,
		Args: takes("[URL]"),
		RunE: func(c *cobra.Command, given []string) error {
			if len(given) == 0 {
				return f.statusAll(c.Context(), a)
			}
			cl, err := f.open(c.Context(), a, given[0])
			if err != nil {
				return neverLoggedIn(given[0], err)
			}
			st, err := cl.driver.Status(c.Context(), cl.account)
			if err := errors.Join(storeFailed(err), cl.close()); err != nil {
				return err
			}
			if err := a.result(statusJSON(st), func() {
				if st.LoggedIn {
					a.say("%s\n", st.Account.Server)
					a.printStatus(st)
				}
			}); err != nil || st.LoggedIn {
				return err
			}
			return notLoggedIn(given[0])
		},
	}
	f.addStored(c)
	return c
}

func notLoggedIn(url string) error {
	return &failure{code: exitLogin, err: errors.New("nobody is logged in to " + url), advice: "log in first: stile login " + url}
}

// neverLoggedIn turns the error that there is no store into an error that asks for a
// login, for a command about one server.
func neverLoggedIn(url string, err error) error {
	none := noStore(err)
	if none == nil {
		return err
	}
	return &failure{
		code: exitLogin, err: none,
		advice: "stile login " + url + " creates it; if you logged in before, check --store and STILE_STORE",
	}
}

// statusAll lists the logins of one subject.
func (f *accountFlags) statusAll(ctx context.Context, a *app) error {
	st, closing, err := f.openExisting(ctx, a)
	if err != nil {
		return f.nothingThere(a, err, []statusView{})
	}
	defer func() { _ = closing() }()
	d, err := httpdriver.New(httpdriver.Options{Store: st})
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	views, shown := []statusView{}, []httpdriver.Status{}
	var bad error
	err = d.Statuses(ctx, f.tenant, f.subject, func(one httpdriver.Status, err error) error {
		switch {
		case f.name != "" && one.Account.Name != f.name:
		case err != nil:
			a.note("%s: %s\n", one.Account.Server, err)
			bad = errors.Join(bad, storeFailed(err))
		default:
			views, shown = append(views, statusJSON(one)), append(shown, one)
		}
		return nil
	})
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return errNoList
	case err != nil && len(views) == 0 && bad == nil:
		return storeFailed(err)
	case err != nil:
		bad = errors.Join(bad, storeFailed(err))
	}
	err = a.result(views, func() { a.together(func() { a.printAll(shown) }) })
	return errors.Join(err, bad)
}

func (a *app) printAll(all []httpdriver.Status) {
	if len(all) == 0 {
		a.say("Nobody is logged in anywhere.\n")
	}
	for _, one := range all {
		name := one.Account.Server
		if one.Account.Name != "" {
			name += " (account " + one.Account.Name + ")"
		}
		a.say("%s\n", name)
		a.printStatus(one)
	}
}

// printStatus prints the facts of one login, indented.
func (a *app) printStatus(st httpdriver.Status) {
	line := func(name, value string) {
		if value != "" {
			a.say("  %-9s %s\n", name, value)
		}
	}
	if !st.LoggedIn {
		line("login", "none; what is left is kept to be revoked")
		return
	}
	line("issuer", st.Issuer)
	line("client", st.ClientID)
	line("scopes", strings.Join(st.Scopes, " "))
	line("token", tokenLine(st, time.Now()))
	if st.Bound {
		line("bound", "to a key of this program (DPoP)")
	}
	line("revision", string(st.Revision))
	if st.Refreshing {
		line("refresh", "under way, or interrupted")
	}
}

func tokenLine(st httpdriver.Status, now time.Time) string {
	renew := "cannot be renewed: log in again after that"
	if st.Renewable {
		renew = "renewed automatically"
	}
	switch {
	case st.Expires.IsZero():
		return "valid; the issuer did not say for how long; " + renew
	case now.After(st.Expires):
		if st.Renewable {
			return "expired " + stamp(st.Expires) + "; renewed at the next use"
		}
		return "expired " + stamp(st.Expires) + "; log in again"
	}
	return "valid until " + stamp(st.Expires) + " (" + st.Expires.Sub(now).Round(time.Second).String() + "); " + renew
}
