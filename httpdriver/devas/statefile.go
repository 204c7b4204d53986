package devas

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// stateFile keeps the snapshots of an authorization server's tenants.
type stateFile struct {
	path string
	last []byte
}

type savedState struct {
	Version int           `json:"version"`
	Tenants []savedTenant `json:"tenants"`
}

type savedTenant struct {
	Issuer string         `json:"issuer"`
	State  jsontext.Value `json:"state"`
}

func (f *stateFile) load() (savedState, error) {
	raw, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return savedState{}, nil
	}
	if err != nil {
		return savedState{}, fmt.Errorf("devas: state file: %w", err)
	}
	var s savedState
	if err := json.Unmarshal(raw, &s); err != nil || s.Version != 1 {
		return savedState{}, fmt.Errorf("devas: %s is not a state file of this version; move it away to start afresh", f.path)
	}
	return s, nil
}

// save writes the file if it differs from what was last written: to a file beside it, synced, then renamed over it.
func (f *stateFile) save(s savedState) error {
	raw, err := json.Marshal(s, json.Deterministic(true))
	if err != nil || bytes.Equal(raw, f.last) {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(f.path), ".devas-*") // created 0600
	if err != nil {
		return fmt.Errorf("devas: state file: %w", err)
	}
	_, err = tmp.Write(raw)
	if err == nil {
		err = tmp.Sync()
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), f.path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
		return fmt.Errorf("devas: state file: %w", err)
	}
	f.last = raw
	return nil
}
