//go:build unix

package backend

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// CheckDir refuses a directory that is not ours alone, and one whose parents
// CheckParents refuses.
func CheckDir(dir string) error {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	info, err := os.Stat(real)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory", dir)
	}
	if uid := owner(info); uid != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d and not to us (%d): credentials are not kept there", dir, uid, os.Geteuid())
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%s is open to others (mode %04o): credentials are not kept there; \"chmod 700\" closes it", dir, mode)
	}
	return CheckParents(dir)
}

// CheckParents refuses a path that somebody else could replace. Every directory
// above it, along the path as given and along the path behind symbolic links, must
// belong to us or to root and be writable by nobody else, unless it is sticky
// (like /tmp).
func CheckParents(path string) error {
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) { // it is about to be made
		real, err = filepath.EvalSymlinks(filepath.Dir(path)) // which itself is looked at by the path as given
	}
	if err != nil {
		return err
	}
	for _, p := range []string{real, path} {
		for parent := filepath.Dir(p); ; parent = filepath.Dir(parent) {
			if err := checkParent(parent); err != nil {
				return err
			}
			if parent == filepath.Dir(parent) {
				break
			}
		}
	}
	return nil
}

func checkParent(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if uid := owner(info); uid != os.Geteuid() && uid != 0 {
		return fmt.Errorf("%s belongs to user %d, who could replace what is in it: credentials are not kept below", dir, uid)
	}
	if info.Mode().Perm()&0o022 != 0 && info.Mode()&os.ModeSticky == 0 {
		return fmt.Errorf("%s can be written by others (mode %04o): credentials are not kept below; \"chmod go-w\" closes it", dir, info.Mode().Perm())
	}
	return nil
}

func owner(info os.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }
