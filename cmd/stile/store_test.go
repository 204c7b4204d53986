package main

import (
	"crypto/md5" //nolint:gosec // how mcp-remote names its files
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver/devas"
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
	contains(t, c.ok("store", "rekey", "--to", "keyfile", "--to-key-file", keyFile).out, "sealed")
	if got := c.ok("token", server, "--key-file", keyFile).out; got != token {
		t.Error("another token after rekey")
	}
	db := "sqlite:" + filepath.Join(t.TempDir(), "stile.db")
	migrate := []string{"store", "migrate", "--key-file", keyFile, "--to", db}
	if r := c.ok(migrate...); !strings.Contains(r.out, "copied") {
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
	contains(t, c.ok("store", "purge", server, "--yes", "--account", "second", "--store", db).out, "removed")
	c.exit(exitLogin, "token", server, "--account", "second", "--store", db)
	c.ok("token", server, "--store", db)
	c.ok("store", "purge", "--all", "--yes", "--store", db)
	contains(t, c.ok("store", "list", "--store", db).out, "Nothing is stored.")
}

// The key of a store without a keyring is in a file, and that is said aloud
// where something is put there.
func TestStoreNotice(t *testing.T) {
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

// writeMCPRemote leaves the files that mcp-remote leaves.
func writeMCPRemote(t *testing.T, dir, server string, rec *states.Credential) {
	t.Helper()
	sum := md5.Sum([]byte(server)) //nolint:gosec // see above
	base := filepath.Join(dir, "mcp-remote-0.1.38", hex.EncodeToString(sum[:]))
	if err := os.MkdirAll(filepath.Dir(base), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]any{
		"_tokens.json": map[string]any{
			"access_token": rec.Current.AccessToken.Reveal(), "refresh_token": rec.Current.RefreshToken.Reveal(),
			"token_type": "Bearer", "expires_in": 3600, "scope": strings.Join(rec.Current.Granted, " "),
		},
		"_client_info.json": map[string]any{"client_id": rec.Current.Client.ID, "redirect_uris": rec.Current.Client.RedirectURIs},
	} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(base+name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Written an hour and more ago: the token has expired since.
	then := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(base+"_tokens.json", then, then); err != nil {
		t.Fatal(err)
	}
}

func TestImport(t *testing.T) {
	issuer, server := peers(t, nil, nil)
	first := newCLI(t)
	first.ok("login", server)
	dir := t.TempDir()
	writeMCPRemote(t, dir, server, stored(t, first, server))

	c := newCLI(t)
	c.env["MCP_REMOTE_CONFIG_DIR"] = dir
	c.browse = nil
	contains(t, c.exit(exitUsage, "store", "import", server+"/other").err, "exactly as mcp-remote was given it")

	// Nobody knows who issued it: nothing of it is sent anywhere.
	contains(t, c.ok("store", "import", server).out, "quarantine", "store bind")
	contains(t, c.exit(exitStore, "status", server).err, "stile store bind")
	contains(t, c.exit(exitStore, "token", server).err, "stile store bind", "stile store purge")
	contains(t, c.exit(exitStore, "token", server).err, "issuer")
	contains(t, c.ok("store", "list").out, "bound to no issuer")

	contains(t, c.exit(exitPeer, "store", "bind", server, "--issuer", issuer+"/nobody").err, "error:")
	contains(t, c.ok("store", "bind", server, "--issuer", issuer).out, "bound to "+issuer)
	// It has expired; the refresh token is good.
	r := c.ok("call", server, "get_time", "-v")
	contains(t, r.err, "Refreshing")
	contains(t, c.exit(exitUsage, "store", "import", server, "--issuer", issuer).err, "--overwrite")
	c.exit(exitUsage, "store", "bind", server, "--issuer", issuer)
	c.ok("store", "import", server, "--issuer", issuer, "--account", "other")

	// Files that are something else name themselves and show nothing.
	bad := filepath.Join(t.TempDir(), "x_tokens.json")
	if err := os.WriteFile(bad, []byte(`{"access_token":"a-marked-secret"`), 0o600); err != nil {
		t.Fatal(err)
	}
	r = c.exit(exitUsage, "store", "import", server, "--file", bad)
	if !strings.Contains(r.err, bad) || strings.Contains(r.err, "marked") {
		t.Errorf("%s", r.err)
	}
}

// What is stored and cannot be read is kept, also by a login that is asked for:
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

// STILE_TRACE is the command's and the driver's; a run is recorded once.
func TestTraceEnvironment(t *testing.T) {
	_, server := peers(t, nil, nil)
	dir := t.TempDir()
	t.Setenv("STILE_TRACE", dir)
	c := newCLI(t)
	c.env["STILE_TRACE"] = dir
	c.ok("login", server)
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%q %v", files, err)
	}
	contains(t, c.ok("replay", files[0]).out, "same bytes")
}

func TestTraceCommands(t *testing.T) {
	_, server := peers(t, nil, nil)
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.ndjson"), filepath.Join(dir, "bad.ndjson")
	c := newCLI(t)
	contains(t, c.ok("login", server, "--trace", good).err, "trace: "+good)
	_, broken := peers(t, func(c *devas.ASConfig) { c.Faults = []string{"asm-issuer-mismatch"} }, nil)
	c.exit(exitPeer, "login", broken, "--trace", bad)

	contains(t, c.ok("replay", good).out, "same bytes")
	if v := decode[struct{ Same bool }](t, c.ok("replay", bad, "--json").out); !v.Same {
		t.Error("the replay differs")
	}
	contains(t, c.ok("explain", bad).out, "asm-issuer-match", "the server")
	contains(t, c.ok("explain", bad, "--json").out, "asm-issuer-match")
	contains(t, c.ok("trace", "show", good).out, "Registered", "Authorized")
	contains(t, c.ok("trace", "show", good, "--sequence").out, "sequenceDiagram")
	page := filepath.Join(dir, "page.html")
	c.ok("trace", "show", good, "--html", "-o", page)
	if b, err := os.ReadFile(page); err != nil || !strings.Contains(string(b), "<svg") {
		t.Errorf("the page: %v, %d bytes", err, len(b))
	}
	c.ok("trace", "diff", good, good)
	for _, out := range []string{
		c.ok("trace", "show", good, "--json").out, c.ok("explain", good, "--json").out, c.ok("explain", bad, "--json").out,
		c.ok("replay", good, "--json").out, c.ok("trace", "diff", good, good, "--json").out,
		c.exit(exitFailed, "trace", "diff", good, bad, "--json").out, c.ok("rules", "asm-issuer-match", "--json").out,
	} {
		snakeCase(t, decode[any](t, out), "")
	}
	shown := decode[struct {
		Rows []struct {
			Time    time.Time `json:"time"`
			Elapsed *float64  `json:"elapsed_seconds"`
			Notes   []string  `json:"notes"`
		} `json:"rows"`
	}](t, c.ok("trace", "show", good, "--json").out)
	if r := shown.Rows[3]; r.Elapsed == nil || *r.Elapsed > 60 || r.Time.IsZero() || r.Notes == nil {
		t.Errorf("%+v", r)
	}
	contains(t, c.exit(exitFailed, "trace", "diff", good, bad).out, "issuer")

	// Altered, truncated, foreign, missing: one line, and no.
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	altered := filepath.Join(dir, "altered.ndjson")
	if err := os.WriteFile(altered, []byte(strings.Replace(string(text), `"event":"PRMFound"`, `"event":"PRMMissing"`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	contains(t, c.exit(exitFailed, "replay", altered).err, "error:")
	for _, command := range [][]string{{"explain", altered}, {"trace", "show", altered}, {"trace", "diff", good, altered}} {
		r := c.exit(exitFailed, command...)
		if contains(t, r.err, "the trace was altered: step"); strings.Count(r.err, "\n") != 1 || r.out != "" {
			t.Errorf("%s: %q %q", command, r.out, r.err)
		}
	}
	crlf := filepath.Join(dir, "crlf.ndjson")
	if err := os.WriteFile(crlf, []byte(strings.ReplaceAll(string(text), "\n", "\r\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"replay", "explain"} {
		r := c.ok(command, crlf)
		if contains(t, r.err, "its line ends were changed to CRLF"); strings.Count(r.err, "\n") != 1 {
			t.Errorf("%q", r.err)
		}
	}
	for name, content := range map[string]string{"truncated": string(text[:len(text)-40]), "foreign": "<html>" + hostile, "empty": ""} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, command := range [][]string{{"replay"}, {"explain"}, {"trace", "show"}} {
			r := c.exit(exitFailed, append(command, path)...)
			if strings.Count(r.err, "\n") != 1 || r.out != "" || notClean(r.err) != "" {
				t.Errorf("%s %s: %q %q", command, name, r.out, r.err)
			}
		}
	}
	c.exit(exitFailed, "replay", filepath.Join(dir, "missing"))
}

// snakeCase holds names of members to one form, and lists to be lists.
func snakeCase(t *testing.T, v any, at string) {
	t.Helper()
	switch v := v.(type) {
	case nil:
		t.Errorf("%s is null", at)
	case []any:
		for _, e := range v {
			snakeCase(t, e, at+"[]")
		}
	case map[string]any:
		for name, e := range v {
			if name != strings.ToLower(name) {
				t.Errorf("%s.%s", at, name)
			}
			snakeCase(t, e, at+"."+name)
		}
	}
}
