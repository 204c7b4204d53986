package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
)

func newStoreBind(a *app) *cobra.Command {
	var f accountFlags
	c := &cobra.Command{
		Use:   "bind URL --issuer ISSUER",
		Short: "Bind an imported login to its issuer",
		Long: `Binds the login to the server at URL, which stile store import put in quarantine,
to its issuer. The command fetches the metadata of the issuer.`,
		Args: takes("URL"),
		RunE: func(c *cobra.Command, given []string) (err error) {
			canonical, err := canonicalServer(given[0])
			if err != nil {
				return err
			}
			server := canonical.String()
			if f.issuer == "" {
				return usage("missing flag --issuer ISSUER")
			}
			st, closing, err := f.openExisting(c.Context(), a)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, closing()) }()
			e, err := st.Get(c.Context(), states.Key{Kind: states.KindCredential, Tenant: f.tenant, Subject: f.subject, Account: f.name, Name: server})
			if errors.Is(err, storage.ErrNotFound) {
				return notLoggedIn(given[0])
			}
			if err != nil {
				return storeFailed(err)
			}
			var rec states.Credential
			if _, err := states.DecodeCredential(wire.Secret(e.Value)); !errors.Is(err, states.ErrRecordUnbound) {
				return usage("the login to %s is bound already", given[0])
			}
			if err := states.Decode(wire.Secret(e.Value), &rec); err != nil || rec.Current == nil {
				return &failure{code: exitStore, err: fmt.Errorf("the record cannot be read: %w", fs.ErrInvalid)}
			}
			if err := f.bind(c.Context(), rec.Current, server, f.issuer); err != nil {
				return err
			}
			if err := f.putToken(c.Context(), st, server, rec.Current, false); err != nil {
				return err
			}
			return a.imported(given[0], rec.Current)
		},
	}
	f.addNetwork(c)
	c.Flags().StringVar(&f.issuer, "issuer", "", "the `ISSUER` of the tokens")
	return c
}

// bind fetches the metadata of the token's issuer and adds it to the token.
func (f *accountFlags) bind(ctx context.Context, t *states.Token, server, issuer string) error {
	transport, err := f.transport()
	if err != nil {
		return err
	}
	g, err := guard.New(guard.Options{Transport: transport, AllowPrivate: f.allowPrivate, AllowPrivateName: "--allow-private"})
	if err != nil {
		return usage("--allow-private: %w", err)
	}
	defer g.CloseIdleConnections()
	loopback := wire.IsLoopbackHTTP(server)
	policy := wire.ASMPolicy{Issuer: issuer, Machine: true, URL: wire.URLPolicy{AllowLoopbackHTTP: loopback}}
	if p := wire.CheckURL(issuer, policy.URL); p != nil {
		return usage("the issuer: %w", p)
	}
	var last error
	for _, url := range wire.ASMURLs(issuer, false) {
		r, failure := g.Do(ctx, guard.Call{Request: wire.GetMetadata(url, string(states.R4)), SameOriginHops: 3, Loopback: loopback})
		if failure != nil {
			last = networkFailed("%s: %s", url, failure.Detail)
			continue
		}
		asm, _, bad := wire.ParseASM(r, policy)
		if bad == nil {
			var p *wire.Problem
			if t.Client, _, p = wire.ChooseMethod(t.Client, asm.AuthMethods, false); p != nil {
				return peerFailed(p)
			}
			t.Server = asm
			return nil
		}
		last = peerFailed(bad)
		if bad.Refuse {
			break
		}
	}
	return last
}

// putToken stores a token as the login of a server. It always replaces a record that
// is not bound to an issuer.
func (f *accountFlags) putToken(ctx context.Context, st storage.Store, server string, t *states.Token, overwrite bool) error {
	key := states.Key{Kind: states.KindCredential, Tenant: f.tenant, Subject: f.subject, Account: f.name, Name: server}
	var expected states.Generation
	e, err := st.Get(ctx, key)
	switch {
	case err == nil:
		c, bad := states.DecodeCredential(wire.Secret(e.Value))
		if bad == nil && c.Current != nil && !overwrite {
			return &failure{code: exitUsage, err: fmt.Errorf("there is a login to %s already", server), advice: "pass --overwrite to replace it, or choose another --account"}
		}
		if errors.Is(bad, states.ErrRecordVersion) {
			return &failure{code: exitStore, err: bad}
		}
		expected = e.Generation
	case !errors.Is(err, storage.ErrNotFound):
		return storeFailed(err)
	}
	value, err := states.Encode(&states.Credential{Version: states.RecordVersion, Current: t})
	if err != nil {
		return err
	}
	if _, err = st.Put(ctx, key, []byte(value.Reveal()), expected, time.Time{}); errors.Is(err, storage.ErrConflict) {
		return &failure{code: exitStore, err: errors.New("the login has changed in the meantime; nothing was written")}
	}
	return storeFailed(err)
}

func (a *app) imported(server string, t *states.Token) error {
	v := struct {
		Server    string `json:"server"`
		Issuer    string `json:"issuer,omitempty"`
		ClientID  string `json:"client_id"`
		Expires   string `json:"expires,omitempty"`
		Renewable bool   `json:"renewable"`
		Bound     bool   `json:"bound"`
	}{server, t.Server.Issuer, t.Client.ID, stamp(t.Expires), t.RefreshToken != "", t.Server.Issuer != ""}
	return a.result(v, func() {
		if v.Bound {
			a.say("Took over the login to %s, bound to %s\n", server, v.Issuer)
			return
		}
		a.say("The login to %s is in quarantine, because its issuer is not known.\nTo bind it: stile store bind %s --issuer ISSUER\n", server, server)
	})
}
