package open_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/storage/keyringstore"
	"github.com/stile-oauth/stile/storage/open"
)

// The error names a store that must exist and does not, and nothing is created.
func TestMustExist(t *testing.T) {
	sealing := keyringstore.Options{Source: keyringstore.KeyFile}
	for _, kind := range []string{"file:", "sqlite:"} {
		t.Run(kind, func(t *testing.T) {
			parent := t.TempDir()
			place := filepath.Join(parent, "store")
			look := func() error {
				_, closing, _, err := open.Open(t.Context(), kind+place, open.Options{Sealing: sealing, MustExist: true})
				if err == nil {
					err = closing()
				}
				return err
			}
			missing := func() {
				t.Helper()
				err := look()
				var none *open.NoStoreError
				if !errors.As(err, &none) || none.Place != place || !strings.Contains(err.Error(), "no store at "+place) {
					t.Fatalf("%v", err)
				}
			}
			missing()
			if left, _ := os.ReadDir(parent); len(left) > 0 {
				t.Fatalf("created: %v", left)
			}
			// An empty directory or file is no store either.
			if kind == "file:" {
				if err := os.Mkdir(place, 0o700); err != nil {
					t.Fatal(err)
				}
			} else if err := os.WriteFile(place, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			missing()
			// Nor is one that is to be opened unsealed, and it stays empty.
			_, _, _, err := open.Open(t.Context(), kind+place, open.Options{Unsealed: true, MustExist: true})
			if none := (*open.NoStoreError)(nil); !errors.As(err, &none) {
				t.Errorf("unsealed: %v", err)
			}
			if kind == "sqlite:" {
				if info, err := os.Stat(place); err != nil || info.Size() > 0 {
					t.Errorf("the empty file: %v, %v", info, err)
				}
			}
			_, closing, _, err := open.Open(t.Context(), kind+place, open.Options{Sealing: sealing})
			if err != nil {
				t.Fatal(err)
			}
			if err := closing(); err != nil {
				t.Fatal(err)
			}
			if err := look(); err != nil {
				t.Errorf("a store that exists: %v", err)
			}
		})
	}
}
