package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage/open"
)

// stored reads the credential as the store has it, with its secrets.
func stored(t *testing.T, c *cli, server string) *states.Credential {
	t.Helper()
	st, closing, _, err := open.Open(t.Context(), c.env["STILE_STORE"], open.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = closing() }()
	e, err := st.Get(t.Context(), states.Key{Kind: states.KindCredential, Name: server})
	if err != nil {
		t.Fatal(err)
	}
	rec, err := states.DecodeCredential(wire.Secret(e.Value))
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// No command but token shows a secret, whatever it is asked.
func TestSecretsAreMasked(t *testing.T) {
	_, server := peers(t, nil, nil)
	c := newCLI(t)
	traces := filepath.Join(t.TempDir(), "traces")
	c.env["STILE_TRACE"] = traces
	text := ""
	add := func(r result) { text += r.out + r.err }
	add(c.ok("login", server, "-v"))
	rec := stored(t, c, server)
	for _, args := range [][]string{
		{"status", "-v"}, {"status", "--json"}, {"store", "list"}, {"store", "list", "--json"}, {"store", "show"}, {"store", "show", "--json"},
		{"call", server, "add_note", `{"text":"x"}`, "-v"}, {"store", "show", "--everyone"},
	} {
		add(c.ok(args...))
	}
	contains(t, text, "secret(…)")
	after := stored(t, c, server)
	add(c.ok("logout", server, "-v"))
	files, err := filepath.Glob(filepath.Join(traces, "*"))
	if err != nil || len(files) < 3 {
		t.Fatalf("traces: %v %v", files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		text += string(b)
		if st, err := os.Stat(f); err != nil || st.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v %v", f, st.Mode(), err)
		}
		c.ok("replay", f)
	}
	for _, s := range []wire.Secret{
		rec.Current.AccessToken, rec.Current.RefreshToken, rec.Current.Client.RegistrationToken, after.Current.AccessToken, after.Current.RefreshToken,
	} {
		if s == "" || strings.Contains(text, s.Reveal()) {
			t.Errorf("a secret is missing or shown")
		}
	}
}

func TestStoreCommands(t *testing.T) {
	_, server := peers(t, nil, nil)
	c := newCLI(t)
	c.ok("login", server)
	c.ok("login", server, "--account", "second")
	token := c.ok("token", server).out

	entries := decode[[]entryView](t, c.ok("store", "list", "--json").out)
	if len(entries) < 3 {
		t.Errorf("entries: %+v", entries)
	}
	contains(t, c.ok("store", "show", server, "--kind", "credential", "--account", "second").out, "token_endpoint", "account second")

	// Another key, then another place.
	keyFile := filepath.Join(t.TempDir(), "key")
	contains(t, c.ok("store", "rekey", "--to", "keyfile", "--to-key-file", keyFile).out, "Sealed")
	if got := c.ok("token", server, "--key-file", keyFile).out; got != token {
		t.Error("another token after rekey")
	}
	db := "sqlite:" + filepath.Join(t.TempDir(), "stile.db")
	migrate := []string{"store", "migrate", "--key-file", keyFile, "--to", db}
	if r := c.ok(migrate...); !strings.Contains(r.out, "Copied") {
		t.Errorf("migrate: %s", r.out)
	}
	if done := decode[struct{ Copied, Kept int }](t, c.ok(append(migrate, "--json")...).out); done.Copied != 0 || done.Kept == 0 {
		t.Errorf("again: %+v", done)
	}
	if got := c.ok("token", server, "--store", db).out; got != token {
		t.Error("another token after migrate")
	}

	// Nothing is removed without being asked.
	r := c.exit(exitUsage, "store", "purge", server, "--store", db)
	contains(t, r.err, "credential of "+server, "--yes")
	c.ok("token", server, "--store", db)
	contains(t, c.ok("store", "purge", server, "--yes", "--account", "second", "--store", db).out, "Removed")
	c.exit(exitLogin, "token", server, "--account", "second", "--store", db)
	c.ok("token", server, "--store", db)
	c.ok("store", "purge", "--all", "--yes", "--store", db)
	contains(t, c.ok("store", "list", "--store", db).out, "Nothing is stored.")
}

// The key of a store without a keyring is in a file, and the command says so
// where something is put there.
func TestStoreNotice(t *testing.T) {
	t.Parallel()
	_, server := peers(t, nil, nil)
	c := newCLI(t)
	c.env["STILE_PASSPHRASE"] = "correct horse battery staple"
	c.ok("login", server)
	delete(c.env, "STILE_PASSPHRASE")
	contains(t, c.exit(exitStore, "token", server).err, "--passphrase-file")
	file := filepath.Join(t.TempDir(), "passphrase")
	if err := os.WriteFile(file, []byte("correct horse battery staple\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.ok("token", server, "--passphrase-file", file)
}

// A stored entry that cannot be read is kept, even by a login that the user asks for:
// the error says what to do, and then the login works.
func TestLoginOverUnreadable(t *testing.T) {
	for _, c := range []struct{ name, record, says string }{
		{"no record", "nonsense", "cannot be read"},
		{"of a newer release", `{"version":99}`, "newer release"},
		{"bound to no issuer", `{"version":1,"current":{"access_token":"a"}}`, "stile store bind"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, server := peers(t, nil, nil)
			cl := newCLI(t)
			cl.ok("login", server)
			put(t, cl, states.Key{Kind: states.KindCredential, Name: server}, c.record)
			for _, args := range [][]string{{"status", server}, {"login", server}, {"login", server, "--again"}, {"logout", server}} {
				contains(t, cl.exit(exitStore, args...).err, c.says, "what to do", "log in: stile store purge")
			}
			cl.ok("store", "purge", server, "--yes")
			contains(t, cl.ok("login", server, "--again").out, "Logged in")
		})
	}
}

// put replaces what is stored under a key.
func put(t *testing.T, c *cli, key states.Key, value string) {
	t.Helper()
	st, closing, _, err := open.Open(t.Context(), c.env["STILE_STORE"], open.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = closing() }()
	e, err := st.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Put(t.Context(), key, []byte(value), e.Generation, e.Expires); err != nil {
		t.Fatal(err)
	}
}
