//go:build !unix

package filestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

func defaultDir() (string, error) {
	// On Windows this is %LocalAppData%, which does not roam.
	d, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("filestore: no directory by default: %w", err)
	}
	return filepath.Join(d, "stile"), nil
}

// Windows refuses to replace, and may refuse to open, a file that another
// process has open at that instant: do is then tried again, for a while.
func patiently(do func() error) error {
	for end := time.Now().Add(2 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		err := do()
		if !errors.Is(err, fs.ErrPermission) && !sharingViolation(err) || time.Now().After(end) {
			return err
		}
	}
}

func replace(from, to string) error {
	return patiently(func() error { return os.Rename(from, to) })
}

func readFile(path string) (b []byte, err error) {
	err = patiently(func() error {
		b, err = os.ReadFile(path)
		return err
	})
	return b, err
}

// syncDir has no equivalent here.
func syncDir(string) error { return nil }
