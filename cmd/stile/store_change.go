package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/keyringstore"
)

func newStoreMigrate(a *app) *cobra.Command {
	var (
		from      storeFlags
		to        storeFlags
		overwrite bool
	)
	c := &cobra.Command{
		Use:   "migrate --to STORE",
		Short: "Copy everything into another store",
		Long: `Copies every entry of every owner from --store to --to; each store seals with its
own key. What is in the other store already is kept unless --overwrite is given.
The old store is left as it is; purge it when no program uses it any more, and
let none refresh meanwhile: two copies of one refresh token are one too many.`,
		Example: `  stile store migrate --to sqlite:$HOME/stile.db`,
		Args:    args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if to.store == "" {
				return usage("--to says where to")
			}
			if to.store == from.spec(a) {
				return usage("--store and --to are the same")
			}
			return a.migrate(c.Context(), &from, &to, overwrite)
		},
	}
	from.add(c)
	fl := c.Flags()
	fl.StringVar(&to.store, "to", "", "the other store, as --store has it")
	fl.StringVar(&to.keySource, "to-store-key", "", "what the other store is sealed with, as --store-key has it")
	fl.StringVar(&to.keyFile, "to-key-file", "", "file that holds the other store's sealing key")
	fl.StringVar(&to.passphraseFile, "to-passphrase-file", "", "file that holds the other store's passphrase")
	fl.BoolVar(&overwrite, "overwrite", false, "replace what is there already")
	return c
}

func (a *app) migrate(ctx context.Context, from, to *storeFlags, overwrite bool) (err error) {
	src, closeSrc, err := from.openStore(ctx, a, aloud)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSrc()) }()
	dst, closeDst, err := to.openStore(ctx, a, aloud)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeDst()) }()
	keys, bad := allKeys(ctx, src, storage.Owner{}, true)
	if bad != nil && keys == nil {
		return bad
	}
	var done struct {
		Copied     int      `json:"copied"`
		Kept       int      `json:"kept"`
		Gone       int      `json:"gone"`
		Unreadable []string `json:"unreadable"`
	}
	done.Unreadable = []string{}
	for _, k := range keys {
		if k.Kind == states.KindMark {
			continue // it says that a process of now is at work there
		}
		copied, err := copyEntry(ctx, src, dst, k, overwrite)
		var unreadable *storage.UnreadableError
		switch {
		case errors.Is(err, storage.ErrNotFound):
			done.Gone++
		case errors.Is(err, storage.ErrConflict):
			done.Kept++
		case errors.As(err, &unreadable):
			done.Unreadable = append(done.Unreadable, k.String())
			a.note("left out: %s\n", err)
		case err != nil:
			return storeFailed(err)
		case copied:
			done.Copied++
		default:
			done.Kept++
		}
	}
	if err := a.result(done, func() {
		a.say("copied %d, kept %d that were there already\n", done.Copied, done.Kept)
	}); err != nil {
		return err
	}
	if n := len(done.Unreadable); n > 0 {
		return &failure{code: exitStore, err: fmt.Errorf("%s could not be read and stayed behind", plural(n, "entry"))}
	}
	return bad
}

// copyEntry copies one entry; false when the other store has it already.
func copyEntry(ctx context.Context, src, dst storage.Store, k states.Key, overwrite bool) (bool, error) {
	e, err := src.Get(ctx, k)
	if err != nil {
		return false, err
	}
	var expected states.Generation
	there, err := dst.Get(ctx, k)
	switch {
	case err == nil && !overwrite:
		return false, nil
	case err == nil:
		expected = there.Generation
	case !errors.Is(err, storage.ErrNotFound):
		return false, err
	}
	_, err = dst.Put(ctx, k, e.Value, expected, e.Expires)
	return err == nil, err
}

func newStoreRekey(a *app) *cobra.Command {
	var (
		f  storeFlags
		to storeFlags
	)
	c := &cobra.Command{
		Use:   "rekey",
		Short: "Seal everything with a new key",
		Long: `Makes a new sealing key, in the keyring, in a key file or from a passphrase, and
seals everything with it. Programs that are running find it by themselves. It
may be run again if it was interrupted.`,
		Example: `  stile store rekey                            # a new key where the old one is
  stile store rekey --to keyring               # out of the key file, into the keyring`,
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) (err error) {
			st, closing, err := f.openStore(c.Context(), a, quiet)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, closing()) }()
			sealed, ok := st.(*keyringstore.Store)
			if !ok {
				return usage("this store is not sealed")
			}
			done, notice, err := sealed.Rekey(c.Context(), to.sealing(a))
			if err != nil {
				return storeFailed(err)
			}
			if notice != "" {
				a.note("%s\n", string(notice))
			}
			v := struct {
				Sealed     int `json:"sealed"`
				Current    int `json:"sealed_already"`
				Unreadable int `json:"unreadable"`
			}{done.Sealed, done.Current, len(done.Unreadable)}
			if err := a.result(v, func() { a.say("sealed %d entries with the new key\n", v.Sealed) }); err != nil {
				return err
			}
			if v.Unreadable > 0 {
				for _, u := range done.Unreadable {
					a.note("%s\n", u)
				}
				return &failure{code: exitStore, err: fmt.Errorf("%s could not be read; the older keys are kept", plural(v.Unreadable, "entry"))}
			}
			return nil
		},
	}
	f.add(c)
	fl := c.Flags()
	fl.StringVar(&to.keySource, "to", "", "where the new key goes: keyring, keyfile, passphrase (default: the keyring, else a key file)")
	fl.StringVar(&to.keyFile, "to-key-file", "", "file for the new key")
	fl.StringVar(&to.passphraseFile, "to-passphrase-file", "", "file that holds the new passphrase")
	return c
}

func newStorePurge(a *app) *cobra.Command {
	var (
		f                    entryFlags
		all, unreadable, yes bool
	)
	c := &cobra.Command{
		Use:   "purge [URL|ISSUER]",
		Short: "Remove entries, without revoking anything",
		Long: `Removes what is stored for a server or an issuer, or everything. Nothing is
revoked: the tokens stay good until they expire. To end a login use stile logout.`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, given []string) (err error) {
			if len(given) == 0 && !all && !unreadable && f.kind == "" {
				return usage("name a server or an issuer, or say --all, --unreadable or --kind")
			}
			if len(given) > 0 && all {
				return usage("name a server or an issuer, or say --all: not both")
			}
			st, closing, err := f.openStore(c.Context(), a, quiet)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, closing()) }()
			keys, err := f.keys(c.Context(), st, given)
			if err != nil {
				return err
			}
			return a.purge(c.Context(), st, keys, unreadable, yes)
		},
	}
	f.add(c)
	c.Flags().BoolVar(&all, "all", false, "remove everything of this owner")
	c.Flags().BoolVar(&unreadable, "unreadable", false, "remove only what cannot be read")
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
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
			return usage("nothing was removed; say --yes to remove without being asked")
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
	}{removed}, func() { a.say("removed %s\n", plural(len(removed), "entry")) })
}
