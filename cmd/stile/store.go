package main

import (
	"context"
	"errors"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
)

func newStore(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "store",
		Short: "Look after the stored credentials",
		Long: `Looks after what is kept: credentials, client registrations, logins under way.
No command shows a secret.`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newStoreList(a), newStoreShow(a), newStoreMigrate(a), newStoreRekey(a), newStorePurge(a), newStoreImport(a), newStoreBind(a))
	return c
}

// entryFlags choose entries of the store.
type entryFlags struct {
	storeFlags
	account, tenant, subject, kind string
	everyone                       bool
}

func (f *entryFlags) add(c *cobra.Command) {
	f.storeFlags.add(c)
	fl := c.Flags()
	fl.StringVar(&f.account, "account", "", "only entries of this account")
	fl.StringVar(&f.tenant, "tenant", "", "tenant of the entries")
	fl.StringVar(&f.subject, "subject", "", "subject of the entries")
	fl.StringVar(&f.kind, "kind", "", "only entries of this kind: credential, registration, login, mark, ledger")
	fl.BoolVar(&f.everyone, "everyone", false, "the entries of every tenant and subject")
	_ = fl.MarkHidden("tenant")
	_ = fl.MarkHidden("subject")
	_ = c.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions([]string{"credential", "registration", "login", "mark", "ledger"}, cobra.ShellCompDirectiveNoFileComp))
}

// errNoList says that a store cannot be looked through.
var errNoList = &failure{code: exitUsage, err: errors.New("this store does not list what it holds")}

// allKeys lists the keys of one owner, or of everybody. With an error the keys
// are those that could be told in spite of it.
func allKeys(ctx context.Context, st storage.Store, owner storage.Owner, everyone bool) ([]states.Key, error) {
	l, ok := st.(storage.Lister)
	if !ok {
		return nil, errNoList
	}
	owners := []storage.Owner{owner}
	if everyone {
		o, ok := st.(storage.OwnerLister)
		if !ok {
			return nil, errNoList
		}
		var err error
		if owners, err = o.Owners(ctx); err != nil && owners == nil {
			return nil, storeFailed(err)
		}
	}
	var (
		all    []states.Key
		failed error // the same for each owner: what cannot be read is nobody's
	)
	for _, o := range owners {
		keys, err := l.List(ctx, o.Tenant, o.Subject)
		if err != nil {
			failed = storeFailed(err)
		}
		all = append(all, keys...)
	}
	return all, failed
}

// keys lists the entries that the flags and a server or issuer choose.
func (f *entryFlags) keys(ctx context.Context, st storage.Store, of []string) ([]states.Key, error) {
	all, failed := allKeys(ctx, st, storage.Owner{Tenant: f.tenant, Subject: f.subject}, f.everyone)
	name := ""
	if len(of) > 0 {
		var err error
		if name, err = wire.CanonicalServer(of[0]); err != nil {
			return nil, &failure{code: exitUsage, err: err}
		}
	}
	var out []states.Key
	for _, k := range all {
		switch {
		case f.kind != "" && string(k.Kind) != f.kind, f.account != "" && k.Account != f.account:
		case name == "" || k.Name == name || k.Name == of[0],
			k.Kind == states.KindRegistration && strings.HasPrefix(k.Name, strings.TrimSuffix(of[0], "/")):
			out = append(out, k)
		}
	}
	return out, failed
}

// entryView is an entry as it is shown: never with a secret.
type entryView struct {
	states.Key
	Expires string         `json:"expires,omitempty"`
	Problem string         `json:"problem,omitempty"`
	About   string         `json:"about,omitempty"`
	Record  jsontext.Value `json:"record,omitempty"`
}

// view reads an entry for showing. whole adds its record, with secrets masked.
func view(ctx context.Context, st storage.Store, k states.Key, whole bool) (entryView, error) {
	v := entryView{Key: k}
	e, err := st.Get(ctx, k)
	var unreadable *storage.UnreadableError
	switch {
	case errors.Is(err, storage.ErrNotFound):
		v.Problem = "gone meanwhile"
		return v, nil
	case errors.As(err, &unreadable):
		v.Problem = "cannot be read: " + unreadable.Err.Error()
		return v, nil
	case err != nil:
		return v, storeFailed(err)
	}
	v.Expires = stamp(e.Expires)
	record, about, problem := describe(k, wire.Secret(e.Value), e.Generation)
	v.About, v.Problem = about, problem
	if whole && record != nil {
		// Secrets mask themselves in every encoder that was not told otherwise.
		b, err := json.Marshal(record, json.Deterministic(true), jsontext.Multiline(true), jsontext.WithIndent("  "))
		if err != nil {
			return v, err
		}
		v.Record = b
	}
	return v, nil
}

// describe decodes a record, and says in a few words what it is about. Members
// that this release does not know are left out: they may be secrets.
func describe(k states.Key, value wire.Secret, g states.Generation) (record any, about, problem string) {
	switch k.Kind {
	case states.KindCredential:
		c, err := states.DecodeCredential(value)
		if errors.Is(err, states.ErrRecordUnbound) {
			return nil, "", "bound to no issuer; nothing of it is sent anywhere"
		}
		if err != nil {
			return nil, "", err.Error()
		}
		c.Unknown = nil
		about := "no login"
		if t := c.Current; t != nil {
			about = "scopes " + strings.Join(t.Granted, " ") + ", from " + t.Server.Issuer
		}
		if n := len(c.Superseded); n > 0 {
			about += ", " + plural(n, "older grant") + " to revoke"
		}
		if c.Intent != nil {
			about += ", a refresh under way or interrupted"
		}
		return c, about, ""
	case states.KindRegistration:
		r, err := states.DecodeRegistration(value)
		if err != nil {
			return nil, "", err.Error()
		}
		r.Unknown = nil
		return r, "client " + r.Client.ID, ""
	case states.KindLogin:
		l, err := states.DecodeLogin(value, g)
		if err != nil {
			return nil, "", err.Error()
		}
		return l, "a login to " + l.Config.Server + " that waits for its redirect", ""
	case states.KindMark:
		var m states.Mark
		if err := states.Decode(value, &m); err != nil {
			return nil, "", err.Error()
		}
		return m, "a login is under way, by " + m.Holder + " since " + stamp(m.Since), ""
	case states.KindLedger:
		l := states.DecodeLedger(value)
		return l, plural(len(l.Attempts), "attempt") + " to get more scope", ""
	}
	return nil, "of a kind that this release does not know", ""
}

func newStoreList(a *app) *cobra.Command {
	var f entryFlags
	c := &cobra.Command{
		Use:   "list",
		Short: "List what is stored",
		Args:  args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			return f.showEntries(c.Context(), a, nil, false)
		},
	}
	f.add(c)
	return c
}

func newStoreShow(a *app) *cobra.Command {
	var f entryFlags
	c := &cobra.Command{
		Use:   "show [URL|ISSUER]",
		Short: "Show entries whole, their secrets masked",
		Args:  args(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, given []string) error {
			return f.showEntries(c.Context(), a, given, true)
		},
	}
	f.add(c)
	return c
}

func (f *entryFlags) showEntries(ctx context.Context, a *app, of []string, whole bool) error {
	st, closing, err := f.openStore(ctx, a, quiet)
	if err != nil {
		return err
	}
	defer func() { _ = closing() }()
	keys, bad := f.keys(ctx, st, of)
	if bad != nil && keys == nil {
		return bad
	}
	views := []entryView{}
	for _, k := range keys {
		v, err := view(ctx, st, k, whole)
		if err != nil {
			return err
		}
		views = append(views, v)
	}
	return errors.Join(a.result(views, func() {
		p := paint(a.colours(a.out))
		for _, v := range views {
			a.say("%s  %s\n", p.bold(string(v.Kind)), strings.TrimPrefix(v.Key.String(), string(v.Kind)+" of "))
			if v.About != "" {
				a.say("  %s\n", v.About)
			}
			if v.Problem != "" {
				a.say("  %s\n", p.red(v.Problem))
			}
			if v.Expires != "" {
				a.say("  until %s\n", v.Expires)
			}
			if whole && v.Record != nil {
				a.block("  " + strings.ReplaceAll(string(v.Record), "\n", "\n  "))
			}
		}
		if len(views) == 0 {
			a.say("Nothing is stored.\n")
		}
	}), bad)
}
