// Package open opens a store by a short text, as it stands on a command line or
// in a configuration:
//
//	file                    files of this user, in filestore.DefaultDir
//	file:DIR                files in DIR
//	sqlite:PATH             a SQLite database
//	postgres:URL            PostgreSQL (postgres://… may stand alone)
//	redis:URL               Redis (redis://…, rediss://…, redis+cluster://…, unix://…; may stand alone)
//	memory                  this process, and nothing after it
//	env:NAME                whatever of these the environment variable NAME holds,
//	                        as Options.Getenv tells it
//
// # Guarantees
//
// Each is sealed (package sealed) except memory. A password does not belong on
// a command line, where every user of the machine sees it: env:NAME keeps it
// out of there, and so do libpq's own ways (PGPASSFILE, PGPASSWORD).
//
// The build tag stile_light leaves SQLite, PostgreSQL and Redis out, and with them most of
// what a program downloads and compiles; a text that names one of them is an error then.
//
// # Who should not use it
//
// A program that knows its store opens it directly, and links no other.
package open

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/filestore"
	"github.com/stile-oauth/stile/storage/keyringstore"
)

// database is a store that has to be closed.
type database interface {
	storage.Store
	Close() error
}

// Options say what the text does not.
type Options struct {
	// Sealing says where the sealing key is. Dir, if empty, is the directory of
	// the files or of the SQLite database; for servers, "keys" in
	// filestore.DefaultDir.
	Sealing keyringstore.Options
	// Unsealed keeps everything in the clear, and the Notice says what that means.
	// A store that was begun sealed is not opened unsealed.
	Unsealed bool
	// WithoutKey opens a sealed store without its key, to remove what it holds: the
	// store is a *Keyless. A store in memory has no key and is opened as usual.
	WithoutKey bool
	// RedisPrefix is what the names of keys in Redis begin with; "stile:" if
	// empty.
	RedisPrefix string
	// MaxConns bounds the connections to PostgreSQL; 8 if 0.
	MaxConns int
	// Getenv, such as os.Getenv, looks up the variable of env:NAME, and
	// XDG_STATE_HOME for the default directory. The package reads no environment
	// variable: without Getenv, env:NAME is an error.
	Getenv func(string) string
	// MustExist opens only a store that exists: where there is none Open gives a
	// *NoStoreError and creates no directory, file or key. In a database of
	// PostgreSQL it may create the empty tables.
	MustExist bool
}

// NoStoreError says that Options.MustExist was set and there is no store.
type NoStoreError struct {
	// Place is the directory or the file; for servers it is the kind of the
	// store, because an address may hold a password.
	Place string
}

func (e *NoStoreError) Error() string { return "open: no store at " + e.Place }

// Notice is what users must be told about how their credentials are kept.
type Notice = keyringstore.Notice

// Kind tells what a text names: file, sqlite, postgres, redis or memory. Unlike
// the text, it is fit to be printed. getenv looks up the variable of env:NAME, as
// in Options.
func Kind(text string, getenv func(string) string) (string, error) {
	s, err := resolve(text, getenv)
	return s.kind, err
}

func resolve(text string, getenv func(string) string) (spec, error) {
	s, err := parse(text)
	if err != nil || s.kind != "env" {
		return s, err
	}
	name := s.rest
	if getenv == nil {
		return spec{}, fmt.Errorf("open: the store is named by the environment variable %q, which this program does not read (Options.Getenv)", name)
	}
	value := getenv(name)
	if value == "" {
		return spec{}, fmt.Errorf("open: the environment variable %q, which is to name the store, is not set", name)
	}
	if s, err = parse(value); err == nil && s.kind == "env" {
		err = ErrSpec
	}
	if err != nil {
		return spec{}, fmt.Errorf("open: the environment variable %q: %w", name, err)
	}
	return s, nil
}

// Open opens the store that the text names. The empty text is "file". The caller
// closes the store with the function that is returned, and shows the Notice, if
// not empty, to the user.
func Open(ctx context.Context, text string, o Options) (storage.Store, func() error, Notice, error) {
	s, err := resolve(text, o.Getenv)
	if err != nil {
		return nil, nil, "", err
	}
	if o.MustExist {
		if err := s.exists(o); err != nil {
			return nil, nil, "", err
		}
	}
	inner, closing, dir, err := s.open(ctx, o)
	if err != nil {
		return nil, nil, "", err
	}
	if o.MustExist && !o.Unsealed && s.kind != "memory" {
		begun, err := keyringstore.IsSealed(ctx, inner)
		if err == nil && !begun {
			err = &NoStoreError{s.place(o)}
		}
		if err != nil {
			_ = closing()
			return nil, nil, "", err
		}
	}
	store, notice, err := seal(ctx, inner, s, dir, o)
	if err != nil {
		_ = closing()
		return nil, nil, "", err
	}
	return store, closing, notice, nil
}

// open also tells where key files would be: beside what is kept. dir is empty
// for servers.
func (s spec) open(ctx context.Context, o Options) (st storage.Store, closing func() error, dir string, err error) {
	nothing := func() error { return nil }
	switch s.kind {
	case "file":
		if dir, err = s.dir(o); err != nil {
			return nil, nil, "", err
		}
		f, err := filestore.Open(dir)
		if err != nil {
			return nil, nil, "", err
		}
		return f, nothing, f.Dir(), nil
	case "sqlite", "postgres", "redis":
		d, err := s.openDatabase(ctx, o)
		if err != nil {
			return nil, nil, "", err
		}
		if s.kind == "sqlite" {
			dir = filepath.Dir(s.rest)
		}
		return d, d.Close, dir, nil
	}
	return storage.NewMemory(), nothing, "", nil
}

func seal(ctx context.Context, inner storage.Store, s spec, dir string, o Options) (storage.Store, Notice, error) {
	if s.kind == "memory" {
		return inner, "", nil
	}
	if o.Unsealed {
		sealed, err := keyringstore.IsSealed(ctx, inner)
		if err != nil {
			return nil, "", err
		}
		if sealed {
			return nil, "", errors.New("open: the store is sealed, and is not opened unsealed: what it holds could not be read")
		}
		return inner, "Credentials are stored unencrypted: anybody who can read the store can use them.", nil
	}
	if o.WithoutKey {
		st, err := newKeyless(inner)
		return st, "", err
	}
	k := o.Sealing
	shared := dir == ""
	if k.Dir == "" {
		k.Dir = dir
		if shared {
			base, err := filestore.DefaultDir(o.Getenv)
			if err != nil {
				return nil, "", err
			}
			k.Dir = filepath.Join(base, "keys")
		}
	}
	if err := os.MkdirAll(k.Dir, 0o700); err != nil {
		return nil, "", fmt.Errorf("open: the directory of the key file: %w", err)
	}
	st, notice, err := keyringstore.Seal(ctx, inner, k)
	if err != nil {
		return nil, "", err
	}
	if shared && k.Source == keyringstore.Auto && k.KeyFile == "" && k.Passphrase == nil {
		add := Notice("The sealing key is on this machine only. Other machines that share the store need it too: give all of them one key file, or one passphrase.")
		if notice != "" {
			notice += " "
		}
		notice += add
	}
	return st, notice, nil
}
