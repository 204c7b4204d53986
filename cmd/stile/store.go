package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

func newStore(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "store",
		Short: "List, move and remove what is stored",
		Long: `Manages what is stored: credentials, client registrations and logins under way.
No command shows a secret.`,
		Args: subcommand,
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
	fl.StringVar(&f.account, "account", "", "only entries of the account `NAME`")
	fl.StringVar(&f.tenant, "tenant", "", "tenant of the entries")
	fl.StringVar(&f.subject, "subject", "", "subject of the entries")
	fl.StringVar(&f.kind, "kind", "", "only entries of this `KIND`: credential, registration, login, mark or ledger")
	fl.BoolVar(&f.everyone, "everyone", false, "entries of every tenant and subject")
	needs(fl, "!everyone", "tenant", "subject")
	_ = fl.MarkHidden("tenant")
	_ = fl.MarkHidden("subject")
	_ = c.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions([]string{"credential", "registration", "login", "mark", "ledger"}, cobra.ShellCompDirectiveNoFileComp))
}

// errNoList says that a store cannot list its entries.
var errNoList = &failure{code: exitUsage, err: errors.New("this store cannot list its entries")}

// allKeys lists the keys of one owner, or of all owners. It may return both an error
// and the keys that could be read.
func allKeys(ctx context.Context, st storage.Store, tenant, subject string, everyone bool) (keys []states.Key, err error) {
	if everyone {
		l, ok := st.(storage.KeyLister)
		if !ok {
			return nil, errNoList
		}
		err = l.Keys(ctx, func(k states.Key) error {
			keys = append(keys, k)
			return nil
		})
		slices.SortFunc(keys, func(a, b states.Key) int {
			return cmp.Or(strings.Compare(a.Tenant, b.Tenant), strings.Compare(a.Subject, b.Subject), strings.Compare(string(a.Kind), string(b.Kind)),
				strings.Compare(a.Account, b.Account), strings.Compare(a.Name, b.Name))
		})
	} else {
		l, ok := st.(storage.Lister)
		if !ok {
			return nil, errNoList
		}
		keys, err = l.List(ctx, tenant, subject)
	}
	if err != nil {
		err = storeFailed(err)
	}
	return keys, err
}

// keys lists the entries that the flags and a server or issuer select.
func (f *entryFlags) keys(ctx context.Context, st storage.Store, of []string) ([]states.Key, error) {
	all, failed := allKeys(ctx, st, f.tenant, f.subject, f.everyone)
	name := ""
	if len(of) > 0 {
		server, err := canonicalServer(of[0])
		if err != nil {
			return nil, err
		}
		name = server.String()
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
