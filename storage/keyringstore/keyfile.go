package keyringstore

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/stile-oauth/stile/storage/sealed"
)

// ReadKeyFile reads a sealing key from a file, which must be a regular file
// that nobody but its owner can read or write (not checked on Windows, where
// mode bits say nothing).
func ReadKeyFile(path string) (sealed.Key, error) {
	f, err := os.Open(path)
	if err != nil {
		return sealed.Key{}, fmt.Errorf("keyringstore: the key file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return sealed.Key{}, fmt.Errorf("keyringstore: the key file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return sealed.Key{}, fmt.Errorf("keyringstore: the key file %s is not a regular file", path)
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o077 != 0 {
		return sealed.Key{}, fmt.Errorf("keyringstore: the key file %s is open to others (mode %04o); \"chmod 600\" closes it", path, mode)
	}
	b, err := io.ReadAll(io.LimitReader(f, 1024))
	if err != nil {
		return sealed.Key{}, fmt.Errorf("keyringstore: the key file: %w", err)
	}
	k, err := sealed.ParseKey(string(b))
	if err != nil {
		return sealed.Key{}, fmt.Errorf("keyringstore: the key file %s: %w", path, err)
	}
	return k, nil
}

// WriteKeyFile keeps a key in a new file of mode 0600. It replaces nothing: an
// error that is fs.ErrExist says that the file is there already.
func WriteKeyFile(path string, k sealed.Key) error {
	if err := writeKeyFile(path, k); err != nil {
		return fmt.Errorf("keyringstore: the key file: %w", err)
	}
	return nil
}

func writeKeyFile(path string, k sealed.Key) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "tmp-key-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(k.Text() + "\n")
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	// A link appears whole or not at all, and never over another file.
	if os.Link(f.Name(), path) != nil {
		if _, err := os.Lstat(path); err == nil {
			return &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
		}
		// A file system without links.
		if err := os.Rename(f.Name(), path); err != nil {
			return err
		}
	}
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
