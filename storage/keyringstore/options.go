package keyringstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/stile-oauth/stile/storage/sealed"
)

// Source says where a sealing key comes from.
type Source string

// The sources. Auto is the source that the store was begun with; for a new store it
// is a key file or passphrase if one is given, else the keyring, else a key file in
// Dir, which the Notice mentions.
const (
	Auto       Source = ""
	Keyring    Source = "keyring"
	KeyFile    Source = "keyfile"
	Passphrase Source = "passphrase"
)

// Options say where the sealing key is to be found.
type Options struct {
	// Source, if not Auto, is where the store's key must come from; a store that
	// was begun with another source is an error.
	Source Source
	// Dir is the directory of key files that were not named. OpenDefault takes the
	// store's own directory.
	Dir string
	// KeyFile names a key file. One that does not exist is created for a new
	// store.
	KeyFile string
	// Getenv, such as os.Getenv, tells $XDG_STATE_HOME for OpenDefault's default
	// directory. The package itself reads no environment variable.
	Getenv func(string) string
	// Passphrase is asked for the passphrase when a key is derived from one.
	Passphrase func(context.Context) (string, error)
}

// Notice is what users must be told about how their credentials are kept. Empty
// means that there is nothing to say.
type Notice string

func (o Options) source() (Source, error) {
	switch {
	case o.Source == Keyring, o.Source == KeyFile, o.Source == Passphrase:
		return o.Source, nil
	case o.Source != Auto:
		return "", fmt.Errorf("keyringstore: unknown source of the sealing key %q", string(o.Source))
	case o.KeyFile != "":
		return KeyFile, nil
	case o.Passphrase != nil:
		return Passphrase, nil
	}
	return Auto, nil
}

// fileFor is where the key file of a key is.
func (o Options) fileFor(id string) (string, error) {
	if o.KeyFile != "" {
		return o.KeyFile, nil
	}
	if o.Dir == "" {
		return "", errors.New("keyringstore: the sealing key is in a key file; say which")
	}
	return filepath.Join(o.Dir, "sealing-"+id+".key"), nil
}

func (o Options) fileNotice(id string) Notice {
	if o.KeyFile != "" || o.Source == KeyFile {
		return "" // the user asked for it
	}
	path, _ := o.fileFor(id) // the key has been found there
	return Notice("The key that seals the credentials is in the file " + path +
		", because no keyring answered when the store was created: anybody who can read your files can read your credentials. " +
		"When a keyring works, rekey the store to move the key there.")
}

// keyRef is how the store remembers where a key is.
type keyRef struct {
	ID         string `json:"id"`
	Source     Source `json:"source"`
	Salt       []byte `json:"salt,omitempty"`
	Iterations int    `json:"iterations,omitempty"`
}

// begin makes, or finds, the key for a new store. undo takes back what it made.
func (o Options) begin(ctx context.Context) (key sealed.Key, ref keyRef, undo func(), err error) {
	src, err := o.source()
	if err != nil {
		return sealed.Key{}, keyRef{}, nil, err
	}
	undo = func() {}
	if src == Keyring || src == Auto {
		key = sealed.NewKey()
		err = Save(ctx, key)
		none := (*NoKeyringError)(nil)
		switch {
		case err == nil:
			id := key.ID()
			undo = func() { _ = Remove(context.WithoutCancel(ctx), id) }
			return key, keyRef{ID: id, Source: Keyring}, undo, nil
		case src == Keyring || !errors.As(err, &none) || o.Dir == "":
			return sealed.Key{}, keyRef{}, nil, err
		}
	}
	if src == Passphrase {
		ref = keyRef{Source: Passphrase, Salt: newSalt(), Iterations: minIterations}
		key, err = derive(ctx, o.Passphrase, ref.Salt, ref.Iterations)
		ref.ID = key.ID()
		return key, ref, undo, err
	}
	key = sealed.NewKey()
	path, err := o.fileFor(key.ID())
	if err != nil {
		return sealed.Key{}, keyRef{}, nil, err
	}
	switch err = WriteKeyFile(path, key); {
	case err == nil:
		if o.KeyFile == "" { // one that was named may have been found by others already
			undo = func() { removeKeyFile(path) }
		}
	case errors.Is(err, fs.ErrExist):
		key, err = ReadKeyFile(path)
	}
	return key, keyRef{ID: key.ID(), Source: KeyFile}, undo, err
}

// load finds a key that the store was sealed with.
func (o Options) load(ctx context.Context, ref keyRef) (sealed.Key, error) {
	switch ref.Source {
	case Keyring:
		// A copy of the key in a named file serves where the keyring does not.
		if o.KeyFile != "" {
			if k, err := ReadKeyFile(o.KeyFile); err == nil && k.ID() == ref.ID {
				return k, nil
			}
		}
		k, err := Load(ctx, ref.ID)
		if errors.Is(err, ErrNoItem) {
			err = fmt.Errorf("%w; if it is in the keyring of another user or machine, rekey the store to a key file there and bring the file here", err)
		}
		if err != nil {
			return sealed.Key{}, fmt.Errorf("the store is sealed with the key %s, which was put into the keyring: %w", ref.ID, err)
		}
		return k, nil
	case KeyFile:
		path, err := o.fileFor(ref.ID)
		if err != nil {
			return sealed.Key{}, err
		}
		k, err := ReadKeyFile(path)
		if err != nil {
			return sealed.Key{}, fmt.Errorf("the store is sealed with the key %s, which is in a key file: %w", ref.ID, err)
		}
		if k.ID() != ref.ID {
			return sealed.Key{}, fmt.Errorf("keyringstore: the store is sealed with the key %s, and %s holds the key %s", ref.ID, path, k.ID())
		}
		return k, nil
	case Passphrase:
		k, err := derive(ctx, o.Passphrase, ref.Salt, ref.Iterations)
		if err != nil {
			return sealed.Key{}, err
		}
		if k.ID() != ref.ID {
			return sealed.Key{}, errors.New("keyringstore: this is not the passphrase that the store is sealed with")
		}
		return k, nil
	default: // the others need nothing here
	}
	return sealed.Key{}, fmt.Errorf("keyringstore: the store is sealed with a key from a source that this version does not know (%q)", string(ref.Source))
}
