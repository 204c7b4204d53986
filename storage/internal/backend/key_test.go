package backend_test

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage/internal/backend"
)

// The encoding is kept in stores and bound into ciphertexts: it may not change.
func TestEncodeKeyIsFixed(t *testing.T) {
	k := states.Key{Kind: states.KindCredential, Tenant: "acme", Account: "work", Name: "https://mcp.example/"}
	const want = "stile.key.1:10:credential,4:acme,0:,4:work,20:https://mcp.example/,"
	if got := string(backend.EncodeKey(k)); got != want {
		t.Errorf("EncodeKey = %q, want %q", got, want)
	}
	if got := backend.KeyID(k); len(got) != 64 {
		t.Errorf("KeyID = %q, want 64 hex digits", got)
	}
	sum := sha256.Sum256([]byte("stile.owner.1:1:a,3:b:,,"))
	if got, want := backend.OwnerID("a", "b:,"), hex.EncodeToString(sum[:]); got != want {
		t.Errorf("OwnerID = %q, want %q", got, want)
	}
}

func TestDecodeKeyRefuses(t *testing.T) {
	for _, s := range []string{
		"",
		"stile.key.2:0:,0:,0:,0:,0:,",
		"stile.key.1:0:,0:,0:,0:,",
		"stile.key.1:0:,0:,0:,0:,0:,0:,",
		"0:,0:,0:,0:,0:,",
		"stile.key.1:0",
		"stile.key.1:0:;0:,0:,0:,0:,",
		"stile.key.1:00:,0:,0:,0:,0:,",
		"stile.key.1:+0:,0:,0:,0:,0:,",
		"stile.key.1:-1:,0:,0:,0:,0:,",
		"stile.key.1:9:,0:,0:,0:,0:,",
		"stile.key.1:99999999999999999999:,0:,0:,0:,0:,",
		"stile.key.1:1:ab0:,0:,0:,0:,0:,",
		"stile.key.1:0:,0:,0:,0:,0:",
	} {
		if k, err := backend.DecodeKey([]byte(s)); err == nil {
			t.Errorf("DecodeKey(%q) = %v, want an error", s, k)
		}
	}
}

func FuzzKey(f *testing.F) {
	f.Add("credential", "a", "b", "c", "d", []byte("stile.key.1:0:,0:,0:,0:,0:,"))
	f.Add("", "1:a,", ",", ":", "\x00\xff", []byte("stile.key.1:1:,,0:,0:,0:,0:,"))
	f.Fuzz(func(t *testing.T, kind, tenant, subject, account, name string, raw []byte) {
		k := states.Key{Kind: states.Kind(kind), Tenant: tenant, Subject: subject, Account: account, Name: name}
		got, err := backend.DecodeKey(backend.EncodeKey(k))
		if err != nil || got != k {
			t.Fatalf("decode(encode(%q)) = %q, %v", k, got, err)
		}
		// Whatever is accepted is what EncodeKey gives: one form for each key.
		if k, err := backend.DecodeKey(raw); err == nil && string(backend.EncodeKey(k)) != string(raw) {
			t.Fatalf("%q is accepted and is not the encoding of %q", raw, k)
		}
	})
}
