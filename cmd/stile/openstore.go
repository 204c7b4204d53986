package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	redislog "github.com/redis/go-redis/v9/logging"
	"github.com/spf13/cobra"

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
	fl.StringVar(&f.store, "store", "", "where credentials are kept: file, file:DIR, sqlite:PATH, postgres:URL, redis:URL, memory, env:NAME (or STILE_STORE; default: file)")
	fl.StringVar(&f.keySource, "store-key", "", "what a store must be sealed with: keyring, keyfile, passphrase (default: what it was begun with)")
	fl.StringVar(&f.keyFile, "key-file", "", "file that holds the sealing key")
	fl.StringVar(&f.passphraseFile, "passphrase-file", "", "file that holds the passphrase (or STILE_PASSPHRASE; - is standard input)")
	_ = c.RegisterFlagCompletionFunc("store", cobra.FixedCompletions([]string{"file", "file:", "sqlite:", "postgres://", "redis://", "memory", "env:"}, cobra.ShellCompDirectiveNoSpace))
	_ = c.RegisterFlagCompletionFunc("store-key", cobra.FixedCompletions([]string{"keyring", "keyfile", "passphrase"}, cobra.ShellCompDirectiveNoFileComp))
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

// loudness says whether a command tells what is to be known of the store. Those
// that put something there do, the others only with --verbose: a notice that
// comes each time is not read.
type loudness bool

const (
	quiet loudness = false
	aloud loudness = true
)

// openStore opens the store that the flags name.
func (f *storeFlags) openStore(ctx context.Context, a *app, loud loudness) (storage.Store, func() error, error) {
	return openSpec(ctx, a, f.spec(a), f.sealing(a), loud)
}

func openSpec(ctx context.Context, a *app, spec string, sealing keyringstore.Options, loud loudness) (storage.Store, func() error, error) {
	redislog.Disable() // what it would say, the error says
	st, closing, notice, err := open.Open(ctx, spec, open.Options{Sealing: sealing, Getenv: a.getenv})
	if err != nil {
		var own *failure
		if errors.As(err, &own) {
			return nil, nil, err
		}
		if errors.Is(err, open.ErrSpec) {
			return nil, nil, &failure{code: exitUsage, err: err}
		}
		f := &failure{code: exitStore, err: fmt.Errorf("the credential store: %w", err)}
		if sealing.Passphrase == nil && strings.Contains(err.Error(), "passphrase") {
			f.advice = "give the passphrase with --passphrase-file or STILE_PASSPHRASE"
		}
		return nil, nil, f
	}
	if kind, err := open.Kind(spec, a.getenv); err == nil && kind == "memory" {
		notice = "The store is this process's memory: what is stored in it ends with this command."
	}
	if notice != "" && (bool(loud) || a.verbose) {
		a.notice(string(notice))
	}
	return st, closing, nil
}

// confirm asks the user, when there is one to ask.
func (a *app) confirm(question string) bool {
	in, ok := a.in.(*os.File)
	if !ok || !a.terminal(in) || a.json {
		return false
	}
	a.note("%s [y/N] ", question)
	line, err := bufio.NewReader(io.LimitReader(in, 100)).ReadString('\n')
	return err == nil && strings.EqualFold(strings.TrimSpace(line), "y")
}
