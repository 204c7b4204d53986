package filestore

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage/internal/backend"
)

// FuzzFiles puts arbitrary bytes in place of an entry, a lease and a shard's mark.
// The entry's sum is made to fit, because otherwise none would be read.
func FuzzFiles(f *testing.F) {
	key := backend.EncodeKey(states.Key{Kind: states.KindCredential, Subject: "alice", Name: "https://mcp.example/"})
	whole, err := (&record{Key: key, Generation: 7, Expires: 1, Size: 5, value: []byte("value")}).bytes()
	if err != nil {
		f.Fatal(err)
	}
	_, rest, _ := bytes.Cut(whole[len(entryHead):], []byte(" "))
	f.Add(rest)
	f.Add([]byte("{\"key\":\"\",\"generation\":0,\"size\":-1}\n"))
	f.Add([]byte("{\"generation\":18446744073709551615,\"size\":1}\n\n"))
	f.Add([]byte(`{"version":1,"fence":3,"at":-9223372036854775808,"until":9223372036854775807}`))
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte("18446744073709551615\n"))
	f.Add([]byte("-1"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := parseRecord(b); err == nil && !bytes.HasPrefix(b, []byte(entryHead)) {
			t.Fatalf("%q is an entry: %+v", b, r)
		}
		r, err := parseRecord(append([]byte(entryHead+sumOf(b)+" "), b...))
		if err == nil {
			if r.Generation == 0 || len(r.value) != r.Size {
				t.Fatalf("%+v", r)
			}
			_ = r.entry()
			again, err := r.bytes()
			if err != nil {
				t.Fatal(err)
			}
			back, err := parseRecord(again)
			if err != nil || back.Generation != r.Generation || back.Expires != r.Expires || !bytes.Equal(back.value, r.value) || !bytes.Equal(back.Key, r.Key) {
				t.Fatalf("%+v goes round as %+v, %v", r, back, err)
			}
		} else if !errors.Is(err, errDamaged) {
			t.Fatal(err)
		}
		for _, name := range []string{"lease", markName} {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		l, err := readLease(filepath.Join(dir, "lease"))
		if err != nil && !errors.Is(err, errNewer) || err == nil && l.Version > 1 {
			t.Fatalf("%+v, %v", l, err)
		}
		if n, err := readMark(dir); err != nil && n != 0 {
			t.Fatalf("%d, %v", n, err)
		}
	})
}
