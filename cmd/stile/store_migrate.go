package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
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
		Long: `Copies every entry of every owner from --store to --to. Each store seals with its
own key. Entries that the other store already has stay as they are, unless
--overwrite is given.

The old store does not change. Stop the programs that use it before you migrate,
and purge it afterwards: two programs must not use copies of one refresh token.`,
		Example: `  stile store migrate --to sqlite:$HOME/stile.db`,
		Args:    takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if to.store == "" {
				return usage("missing flag --to STORE")
			}
			if to.store == from.spec(a) {
				return usage("--store and --to name the same store")
			}
			return a.migrate(c.Context(), &from, &to, overwrite)
		},
	}
	from.add(c)
	fl := c.Flags()
	fl.StringVar(&to.store, "to", "", "the other `STORE`, in the form of --store")
	fl.StringVar(&to.keySource, "to-store-key", "", "the `KIND` of key of the other store, in the form of --store-key")
	fl.StringVar(&to.keyFile, "to-key-file", "", "the `FILE` that holds the sealing key of the other store")
	fl.StringVar(&to.passphraseFile, "to-passphrase-file", "", "the `FILE` that holds the passphrase of the other store")
	to.sealedOnce(fl, "to-")
	fl.BoolVar(&overwrite, "overwrite", false, "replace entries that the other store already has")
	return c
}

func (a *app) migrate(ctx context.Context, from, to *storeFlags, overwrite bool) (err error) {
	src, closeSrc, err := from.openExisting(ctx, a)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeSrc()) }()
	dst, closeDst, err := to.openOrCreate(ctx, a)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeDst()) }()
	keys, bad := allKeys(ctx, src, "", "", true)
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
	line := progress{a: a}
	defer line.end()
	for i, k := range keys {
		line.to("copying entry %d of %d", i+1, len(keys))
		if k.Kind == states.KindMark {
			continue // the entry belongs to a running process
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
			a.note("not copied: %s\n", err)
		case err != nil:
			return storeFailed(err)
		case copied:
			done.Copied++
		default:
			done.Kept++
		}
	}
	line.end()
	if err := a.result(done, func() {
		a.say("Copied %s; %d were already there\n", plural(done.Copied, "entry"), done.Kept)
	}); err != nil {
		return err
	}
	if n := len(done.Unreadable); n > 0 {
		return &failure{code: exitStore, err: fmt.Errorf("%s could not be read and copied", plural(n, "entry"))}
	}
	return bad
}

// copyEntry copies one entry; false if the other store already has it.
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
