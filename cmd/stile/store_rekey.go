package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/storage/keyringstore"
)

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
