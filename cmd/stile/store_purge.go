package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/keyringstore"
	"github.com/stile-oauth/stile/storage/open"
)

func newStorePurge(a *app) *cobra.Command {
	var (
		f                    entryFlags
		all, unreadable, yes bool
	)
	c := &cobra.Command{
		Use:   "purge [URL|ISSUER]",
		Short: "Remove entries without revoking anything",
		Long: `Removes what is stored for a server or an issuer, or everything. The command
revokes nothing: the tokens stay valid until they expire. To end a login, use
stile logout.

Without --unreadable, the command needs no sealing key. If the key of the store is lost,
--all --everyone removes everything, and the next login begins the store with a new key.`,
		Args: takes("[URL]"),
		RunE: func(c *cobra.Command, given []string) (err error) {
			if len(given) == 0 && !all && !unreadable && f.kind == "" {
				return usage("name a server or an issuer, or pass --all, --unreadable or --kind")
			}
			if len(given) > 0 && all {
				return usage("name a server or an issuer, or pass --all, but not both")
			}
			st, closing, err := f.openExisting(c.Context(), a)
			var key *keyringstore.KeyError
			if errors.As(err, &key) && !unreadable {
				st, closing, err = f.openAs(c.Context(), a, open.Options{MustExist: true, WithoutKey: true})
			}
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, closing()) }()
			keys, err := f.keys(c.Context(), st, given)
			if err != nil {
				return err
			}
			if err := a.purge(c.Context(), st, keys, unreadable, yes); err != nil {
				return err
			}
			return a.forgetKey(c.Context(), st)
		},
	}
	f.add(c)
	c.Flags().BoolVar(&all, "all", false, "remove every entry of this owner")
	c.Flags().BoolVar(&unreadable, "unreadable", false, "remove only entries that cannot be read")
	c.Flags().BoolVar(&yes, "yes", false, "remove without asking")
	return c
}

func (a *app) purge(ctx context.Context, st storage.Store, keys []states.Key, onlyUnreadable, yes bool) error {
	type doomed struct {
		key states.Key
		gen states.Generation
	}
	var list []doomed
	for _, k := range keys {
		e, err := st.Get(ctx, k)
		var unreadable *storage.UnreadableError
		switch {
		case errors.As(err, &unreadable):
			list = append(list, doomed{k, unreadable.Generation})
		case errors.Is(err, storage.ErrNotFound):
		case err != nil:
			return storeFailed(err)
		case !onlyUnreadable:
			list = append(list, doomed{k, e.Generation})
		}
	}
	if len(list) > 0 && !yes {
		for _, d := range list {
			a.note("  %s\n", d.key)
		}
		if !a.confirm("Remove " + plural(len(list), "entry") + " without revoking anything?") {
			return usage("nothing was removed; pass --yes to remove without being asked")
		}
	}
	removed := []string{}
	for _, d := range list {
		err := st.Delete(ctx, d.key, d.gen)
		switch {
		case errors.Is(err, storage.ErrNotFound):
		case err != nil:
			return &failure{code: exitStore, err: fmt.Errorf("%s: %w", d.key, err)}
		default:
			removed = append(removed, d.key.String())
		}
	}
	return a.result(struct {
		Removed []string `json:"removed"`
	}{removed}, func() { a.say("Removed %s\n", plural(len(removed), "entry")) })
}

// forgetKey lets the next login begin with a new key a store whose key is lost and that is
// empty now.
func (a *app) forgetKey(ctx context.Context, st storage.Store) error {
	lost, ok := st.(*open.Keyless)
	if !ok {
		return nil
	}
	begins, err := lost.Forget(ctx)
	switch {
	case err != nil:
		return storeFailed(err)
	case begins:
		a.notice("The store is empty. The next login begins it with a new sealing key.")
	default:
		a.notice("The store holds more entries, which nothing can read without its key; --all --everyone removes them.")
	}
	return nil
}
