package main

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/keyringstore"
	"github.com/stile-oauth/stile/storage/sealed"
)

// adviseOnStore adds to a failure of the store what to do about it, and the entry of the
// troubleshooting page if there is one.
func (f *failure) adviseOnStore() {
	var (
		key     *keyringstore.KeyError
		unread  *storage.UnreadableError
		network net.Error
	)
	switch {
	case f.advice != "":
	case newerFormat(f.err) && !errors.As(f.err, &unread):
		f.see, f.advice = string(rules.StoreVersioned), "use the release that wrote it, or name another store with --store"
	case errors.As(f.err, &key):
		f.see, f.advice = "store-key", adviceOnKey(key)
	case errors.As(f.err, &unread), errors.Is(f.err, states.ErrRecordUnbound), errors.Is(f.err, states.ErrRecordVersion), errors.Is(f.err, states.ErrRecordUnreadable):
		// describe has advice about a single entry
	case strings.Contains(f.err.Error(), `"chmod `):
		f.advice = "run the chmod that the message names"
	case errors.Is(f.err, fs.ErrNotExist), errors.Is(f.err, fs.ErrPermission), errors.Is(f.err, syscall.ENOTDIR), errors.Is(f.err, syscall.EROFS):
		f.advice = "name a place where you may create files, with --store or STILE_STORE"
	case errors.As(f.err, &network), errors.Is(f.err, syscall.ECONNREFUSED):
		f.advice = "check the address in --store or STILE_STORE, and that the database is running"
	default:
		f.advice = "check --store and STILE_STORE, the disk and the permissions, or the database"
	}
}

// newerFormat reports whether a newer release wrote what cannot be read.
func newerFormat(err error) bool {
	return errors.Is(err, storage.ErrFormat) || errors.Is(err, sealed.ErrVersion)
}

// adviceOnKey says how to go on without the key that the store is sealed with.
func adviceOnKey(e *keyringstore.KeyError) string {
	const lost = "; if it is lost, nothing can read the logins any more: stile store purge --all --everyone, then log in"
	switch {
	case e.Source == keyringstore.Passphrase:
		return "give the right passphrase with --passphrase-file or STILE_PASSPHRASE" + lost
	case errors.Is(e, os.ErrNotExist):
		return "put the key file back, or name its copy with --key-file FILE" + lost
	case errors.Is(e, keyringstore.ErrNoItem):
		return "use the keyring that holds the key, or a copy with --key-file FILE" + lost
	case strings.Contains(e.Error(), `"chmod 600"`):
		return "close the key file to others: chmod 600 FILE"
	case e.Source == keyringstore.Keyring:
		return "unlock the keyring, or name a copy of the key with --key-file FILE" + lost
	}
	return "name the right key file with --key-file FILE" + lost
}
