package filestore_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/internal/backend"
)

// A file whose sum is right and whose header is not is damaged all the same.
func TestRightSumWrongHeader(t *testing.T) {
	d := dir(t)
	s := open(t, d)
	put(t, s, k, "value", 0, time.Time{})
	path := fileOf(t, d, k)
	key, err := json.Marshal(backend.EncodeKey(k))
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string]string{
		"good":             fmt.Sprintf(`{"key":%s,"generation":7,"size":5}`+"\nvalue", key),
		"no end of line":   fmt.Sprintf(`{"key":%s,"generation":7,"size":0}`, key),
		"another size":     fmt.Sprintf(`{"key":%s,"generation":7,"size":4}`+"\nvalue", key),
		"no generation":    fmt.Sprintf(`{"key":%s,"size":5}`+"\nvalue", key),
		"no JSON":          "{\nvalue",
		"more than JSON":   fmt.Sprintf(`{"key":%s,"generation":7,"size":5} {}`+"\nvalue", key),
		"another's key":    `{"key":"AAAA","generation":7,"size":5}` + "\nvalue",
		"nothing":          "",
		"a number for key": `{"key":1,"generation":7,"size":5}` + "\nvalue",
	} {
		sum := sha256.Sum256([]byte(body))
		if err := os.WriteFile(path, []byte("stile-entry-1 "+hex.EncodeToString(sum[:])+" "+body), 0o600); err != nil {
			t.Fatal(err)
		}
		e, err := s.Get(t.Context(), k)
		var unreadable *storage.UnreadableError
		if name == "good" {
			if err != nil || string(e.Value) != "value" || e.Generation != 7 {
				t.Errorf("%s: %+v, %v", name, e, err)
			}
		} else if !errors.As(err, &unreadable) {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
		if _, err := s.List(t.Context(), k.Tenant, k.Subject); (err == nil) != (name == "good") {
			t.Errorf("%s: listed with %v", name, err)
		}
	}
}

// What is discarded is told from what is not there, and stays where its number cannot
// be recorded.
func TestDiscard(t *testing.T) {
	d := dir(t)
	s := open(t, d)
	if err := s.Discard(t.Context(), k); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("nothing to discard: %v", err)
	}
	put(t, s, k, "v", 0, time.Time{})
	path := fileOf(t, d, k)
	mark := filepath.Join(filepath.Dir(path), "mark")
	for file, content := range map[string]string{path: "damaged", mark: "no number"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Discard(t.Context(), k); err == nil || fileOf(t, d, k) != path {
		t.Errorf("discarded without a number: %v", err)
	}
	if err := os.Remove(mark); err != nil {
		t.Fatal(err)
	}
	if err := s.Discard(t.Context(), k); err != nil || len(files(t, d, "*.entry")) != 0 {
		t.Errorf("%v, left %v", err, files(t, d, "*.entry"))
	}
}

// Files of the older format do not tell their owner by name: what they hold does.
func TestOlderFilesOfOthers(t *testing.T) {
	d := dir(t)
	s := open(t, d)
	others := []states.Key{k, k, k}
	others[1].Subject, others[2].Tenant = "other", "other"
	for _, k := range others {
		put(t, s, k, k.Tenant+" "+k.Subject, 0, time.Time{})
		if err := os.Rename(fileOf(t, d, k), filepath.Join(d, backend.KeyID(k)[:2], backend.KeyID(k)+".entry")); err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range others {
		if keys, err := s.List(t.Context(), k.Tenant, k.Subject); err != nil || len(keys) != 1 || keys[0] != k {
			t.Errorf("%s of %s: %v, %v", k.Subject, k.Tenant, keys, err)
		}
		n := 0
		err := s.Entries(t.Context(), k.Tenant, k.Subject, func(got states.Key, e storage.Entry, err error) error {
			if n++; got != k || string(e.Value) != k.Tenant+" "+k.Subject {
				t.Errorf("%s of %s gets %q", k.Subject, k.Tenant, e.Value)
			}
			return err
		})
		if err != nil || n != 1 {
			t.Errorf("%s of %s: %d entries, %v", k.Subject, k.Tenant, n, err)
		}
	}
}

// The record of a lease that this version cannot read is not swept.
func TestSweepKeepsNewerLeases(t *testing.T) {
	d := dir(t)
	s := open(t, d)
	if _, err := s.Lease(t.Context(), k, time.Second); err != nil {
		t.Fatal(err)
	}
	found := files(t, d, "*.lease")
	if len(found) != 1 {
		t.Fatal(found)
	}
	if err := os.WriteFile(found[0], []byte(`{"version":2}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := files(t, d, "*.lease"); len(left) != 1 {
		t.Errorf("left %v", left)
	}
}
