package keyringstore

import (
	"errors"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// FuzzKeyRecord: the entry that names the keys is either valid or reported as
// unreadable; nothing is sealed with a key that nobody named.
func FuzzKeyRecord(f *testing.F) {
	f.Add([]byte(`{"version":1,"keys":[{"id":"a","source":"keyring"}]}`))
	f.Add([]byte(`{"version":2,"keys":[{"id":"a"}]}`))
	f.Add([]byte(`{"version":1,"keys":[]}`))
	f.Add([]byte(`{"version":1,"keys":[{"id":"a","id":"b"}]}`))
	m, g := storage.NewMemory(), states.Generation(0)
	f.Fuzz(func(t *testing.T, b []byte) {
		var err error
		if g, err = m.Put(t.Context(), recordKey, b, g, time.Time{}); err != nil {
			t.Fatal(err)
		}
		rec, at, err := readKeys(t.Context(), m)
		if err != nil {
			if u, ok := errors.AsType[*storage.UnreadableError](err); !ok || u.Key != recordKey || at != 0 {
				t.Fatal(err)
			}
			return
		}
		if rec.Version != 1 || len(rec.Keys) == 0 || len(rec.Keys) > maxKeys || at != g {
			t.Fatalf("%+v", rec)
		}
	})
}
