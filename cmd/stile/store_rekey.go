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
		Long: `Creates a new sealing key, in the keyring, in a key file or from a passphrase, and
seals everything with it. Running programs find the new key automatically. If the
command is interrupted, run it again.`,
		Example: `  stile store rekey                   # a new key in the same place
  stile store rekey --to keyring      # from the key file into the keyring`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) (err error) {
			st, closing, err := f.openExisting(c.Context(), a)
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
			if err := a.result(v, func() { a.say("Sealed %s with the new key\n", plural(v.Sealed, "entry")) }); err != nil {
				return err
			}
			if v.Unreadable > 0 {
				for _, u := range done.Unreadable {
					a.note("%s\n", u)
				}
				return &failure{code: exitStore, err: fmt.Errorf("%s could not be read; the old keys are kept", plural(v.Unreadable, "entry"))}
			}
			return nil
		},
	}
	f.add(c)
	fl := c.Flags()
	fl.StringVar(&to.keySource, "to", "", "the `KIND` of the new key: keyring, keyfile or passphrase (default: the keyring, else a key file)")
	fl.StringVar(&to.keyFile, "to-key-file", "", "the `FILE` for the new key")
	fl.StringVar(&to.passphraseFile, "to-passphrase-file", "", "the `FILE` that holds the new passphrase")
	to.sealedOnce(fl, "to-")
	needs(fl, "!to=keyring", "to-key-file")
	return c
}
