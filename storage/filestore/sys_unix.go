//go:build unix

package filestore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

func defaultDir() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("filestore: no directory by default: %w", err)
	}
	return filepath.Join(home, ".local", "state", "stile"), nil
}

// checkDir refuses a directory that is not ours alone, or that somebody else
// could put another one in the place of: every parent, by the path as given and
// by the path behind symbolic links, belongs to us or to root, and can be
// written by nobody else, unless it is sticky (like /tmp).
func checkDir(dir string) error {
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
	if uid, ok := owner(info); ok && uid != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d and not to us (%d): credentials are not kept there", dir, uid, os.Geteuid())
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%s is open to others (mode %04o): credentials are not kept there; \"chmod 700\" closes it", dir, mode)
	}
	for _, path := range []string{real, dir} {
		for parent := filepath.Dir(path); ; parent = filepath.Dir(parent) {
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
	if uid, ok := owner(info); ok && uid != os.Geteuid() && uid != 0 {
		return fmt.Errorf("%s belongs to user %d, who could exchange what is in it: credentials are not kept below", dir, uid)
	}
	if info.Mode().Perm()&0o022 != 0 && info.Mode()&os.ModeSticky == 0 {
		return fmt.Errorf("%s can be written by others (mode %04o): credentials are not kept below; \"chmod go-w\" closes it", dir, info.Mode().Perm())
	}
	return nil
}

func owner(info os.FileInfo) (int, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(st.Uid), true
}

func replace(from, to string) error { return os.Rename(from, to) }

// readFile reads a file of ours. It follows no symbolic link and waits for no
// pipe.
func readFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	return io.ReadAll(f)
}

// syncDir makes a rename or removal in dir last. File systems that cannot sync
// a directory say so with EINVAL, and need not.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}
