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
	// One byte more than there is, so that the end is seen.
	b := make([]byte, info.Size()+1)
	n, err := io.ReadFull(f, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return b[:n], nil
	}
	if err != nil {
		return nil, err
	}
	rest, err := io.ReadAll(f)
	return append(b, rest...), err
}

// syncDir makes a rename or removal in dir durable. File systems that cannot sync
// a directory answer EINVAL, which is no error here.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := fsync(d); !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}
