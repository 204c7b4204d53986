package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/keyringstore"
	"github.com/stile-oauth/stile/storage/open"
)

// storeFlags say where credentials are kept and what seals them.
type storeFlags struct {
	store, keySource, keyFile, passphraseFile string
}

func (f *storeFlags) add(c *cobra.Command) {
	fl := c.Flags()
	fl.StringVar(&f.store, "store", "", "the `STORE` of credentials: file, file:DIR, sqlite:PATH, postgres:URL, redis:URL, memory or env:NAME (default: STILE_STORE, or file)")
	fl.StringVar(&f.keySource, "store-key", "", "the `KIND` of key that the store must be sealed with: keyring, keyfile or passphrase (default: the kind it was created with)")
	fl.StringVar(&f.keyFile, "key-file", "", "the `FILE` that holds the sealing key")
	fl.StringVar(&f.passphraseFile, "passphrase-file", "", "the `FILE` that holds the passphrase; - is standard input (default: STILE_PASSPHRASE)")
	f.sealedOnce(fl, "")
	_ = c.RegisterFlagCompletionFunc("store", cobra.FixedCompletions([]string{"file", "file:", "sqlite:", "postgres://", "redis://", "memory", "env:"}, cobra.ShellCompDirectiveNoSpace))
	_ = c.RegisterFlagCompletionFunc("store-key", cobra.FixedCompletions([]string{"keyring", "keyfile", "passphrase"}, cobra.ShellCompDirectiveNoFileComp))
}

// sealedOnce refuses the flags of one kind of key beside another kind; before is what their names
// begin with. The key of a keyring may also be in a key file.
func (f *storeFlags) sealedOnce(fl *pflag.FlagSet, before string) {
	kind := before + "store-key"
	if fl.Lookup(kind) == nil {
		kind = "to" // of stile store rekey
	}
	needs(fl, "!"+kind+"=passphrase", before+"key-file")
	needs(fl, "!"+kind+"=keyring,keyfile", before+"passphrase-file")
	needs(fl, "!"+before+"key-file", before+"passphrase-file")
}

// sealing says where the sealing key is.
func (f *storeFlags) sealing(a *app) keyringstore.Options {
	o := keyringstore.Options{Source: keyringstore.Source(f.keySource), KeyFile: f.keyFile}
	switch env := a.getenv("STILE_PASSPHRASE"); {
	case f.passphraseFile != "":
		o.Passphrase = func(context.Context) (string, error) {
			s, err := readSecret(a, "--passphrase-file", f.passphraseFile)
			return s.Reveal(), err
		}
	case env != "":
		o.Passphrase = func(context.Context) (string, error) { return env, nil }
	}
	return o
}

// spec is the text that names the store.
func (f *storeFlags) spec(a *app) string {
	if f.store != "" {
		return f.store
	}
	return a.getenv("STILE_STORE")
}

// openExisting opens the store that the flags name and creates nothing. If there is no
// store, the error is an *open.NoStoreError.
func (f *storeFlags) openExisting(ctx context.Context, a *app) (storage.Store, func() error, error) {
	return f.openSpec(ctx, a, true)
}

// openOrCreate opens the store that the flags name, and creates it if there is none.
// When it creates a store, it prints what the user must know about the key; later it
// prints that only with --verbose.
func (f *storeFlags) openOrCreate(ctx context.Context, a *app) (storage.Store, func() error, error) {
	st, closing, err := f.openSpec(ctx, a, true)
	if noStore(err) == nil {
		return st, closing, err
	}
	return f.openSpec(ctx, a, false)
}

func (f *storeFlags) openSpec(ctx context.Context, a *app, mustExist bool) (storage.Store, func() error, error) {
	return f.openAs(ctx, a, open.Options{MustExist: mustExist})
}

func (f *storeFlags) openAs(ctx context.Context, a *app, o open.Options) (storage.Store, func() error, error) {
	spec, mustExist := f.spec(a), o.MustExist
	o.Sealing, o.Getenv = f.sealing(a), a.getenv
	st, closing, notice, err := open.Open(ctx, spec, o)
	var own *failure
	switch {
	case errors.As(err, &own):
		return nil, nil, err
	case errors.Is(err, open.ErrSpec):
		return nil, nil, &failure{code: exitUsage, err: err, advice: "check --store and STILE_STORE; for example: --store file:DIR"}
	case noStore(err) != nil:
		return nil, nil, &failure{
			code: exitStore, err: err,
			advice: "check --store and STILE_STORE; stile login creates the store",
		}
	case err != nil:
		f := &failure{code: exitStore, err: fmt.Errorf("the credential store: %w", err)}
		f.adviseOnStore()
		return nil, nil, f
	}
	if kind, err := open.Kind(spec, a.getenv); err == nil && kind == "memory" {
		a.notice("The store is in the memory of this process; its contents are lost when the command ends.")
	} else if notice != "" && (!mustExist || a.verbose) {
		a.notice(string(notice) + " To do so: stile store rekey --to keyring")
	}
	return st, closing, nil
}

// noStore gives the error that says there is no store; nil if err is another.
func noStore(err error) *open.NoStoreError {
	var none *open.NoStoreError
	errors.As(err, &none)
	return none
}

// nothingThere handles err when a command lists a store that does not exist. If the
// user named the store, that is an error; the default store is just empty, and the
// command says so. v is what --json prints then.
func (f *storeFlags) nothingThere(a *app, err error, v any) error {
	none := noStore(err)
	if none == nil || f.spec(a) != "" {
		return err
	}
	text := "There is no store at " + none.Place + " yet; stile login creates it."
	if a.json {
		a.notice(text)
	}
	return a.result(v, func() { a.say("%s\n", text) })
}

// confirm asks the user a question. If nobody can answer, the answer is no.
func (a *app) confirm(question string) bool {
	if !a.tty.in || a.json {
		return false
	}
	a.note("%s [y/N] ", question)
	line, err := bufio.NewReader(io.LimitReader(a.in, 100)).ReadString('\n')
	return err == nil && strings.EqualFold(strings.TrimSpace(line), "y")
}
