package main

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/httpdriver/devas"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage/filestore"
)

// The exit status says whose fault it is, and the error says what to do.
func TestFaults(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(nil)
	closed.Close()
	fault := func(names ...string) func(*devas.ASConfig) {
		return func(c *devas.ASConfig) { c.Faults = names }
	}
	for _, c := range []struct {
		name   string
		as     func(*devas.ASConfig)
		rs     func(*devas.RSConfig)
		server string
		code   int
		says   []string
	}{
		{name: "denied", as: func(c *devas.ASConfig) { c.Deny = true }, code: exitLogin, says: []string{"denied by", "the user or the issuer", "access_denied", "what to do"}},
		{name: "issuer of another", as: fault("asm-issuer-mismatch"), code: exitPeer, says: []string{"the authorization server", "asm-issuer-match", "RFC 8414", "requires", "Discovering-ASM"}},
		{name: "no PKCE", as: fault("asm-no-pkce"), code: exitPeer, says: []string{"asm-pkce"}},
		{name: "no way to a client", as: func(c *devas.ASConfig) { c.DCR, c.CIMD = false, false }, code: exitUsage, says: []string{"configure its client id"}},
		{name: "nobody there", server: closed.URL + "/mcp", code: exitNetwork, says: []string{"the network", "connection refused"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, server := peers(t, c.as, c.rs)
			if c.server != "" {
				server = c.server
			}
			u := newCLI(t)
			contains(t, u.exit(c.code, "login", server).err, c.says...)
			// Twice would be a second login for most; as JSON it is one value.
			r := u.exit(c.code, "login", server, "--json")
			last := r.err[strings.LastIndex(strings.TrimSpace(r.err), "\n")+1:]
			v := decode[struct {
				Error errorView `json:"error"`
			}](t, last)
			if v.Error.Exit != c.code || v.Error.State == "" && c.server == "" || v.Error.Step == "" || v.Error.Party == "" || v.Error.Rule == "" || v.Error.Clause == "" || r.out != "" {
				t.Errorf("%+v, on standard output %q", v.Error, r.out)
			}
		})
	}
}

func TestStoreFailures(t *testing.T) {
	_, server := peers(t, nil, nil)
	c := newCLI(t)
	c.ok("login", server)
	dir := strings.TrimPrefix(c.env["STILE_STORE"], "file:")
	files, err := filestore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	// An envelope that was altered.
	key := states.Key{Kind: states.KindCredential, Name: server}
	e, err := files.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	e.Value[len(e.Value)-1] ^= 1
	if _, err := files.Put(t.Context(), key, e.Value, e.Generation, e.Expires); err != nil {
		t.Fatal(err)
	}
	contains(t, c.exit(exitStore, "token", server).err, "error:", "what to do")
	c.exit(exitStore, "status", server)
	contains(t, c.exit(exitStore, "status").err, server)
	contains(t, c.ok("store", "list").out, "cannot be read")
	contains(t, c.ok("store", "purge", "--unreadable", "--yes").out, "Removed 1 entry")
	c.ok("login", server)

	// A file that was cut off.
	name := credentialFile(t, dir)
	if err := os.Truncate(name, 100); err != nil {
		t.Fatal(err)
	}
	r := c.exit(exitStore, "store", "list")
	contains(t, r.out, "registration")
	contains(t, r.err, filepath.Base(name))
	contains(t, c.exit(exitStore, "store", "migrate", "--to", "memory").out, "Copied")

	// A directory that others can write is not used.
	if err := os.Chmod(dir, 0o777); err != nil { //nolint:gosec // on purpose
		t.Fatal(err)
	}
	contains(t, c.exit(exitStore, "status").err, dir)
}

// credentialFile finds the one entry of a file store that is a credential.
func credentialFile(t *testing.T, dir string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "??", "*.entry"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(base64.StdEncoding.EncodeToString([]byte("stile.key.1:10:credentia")))) {
			return name
		}
	}
	t.Fatal("no credential is kept in " + dir)
	return ""
}

// A server without its path: the right address is named.
func TestForgottenPath(t *testing.T) {
	_, server := peers(t, nil, nil)
	bare := strings.TrimSuffix(server, "/mcp")
	for _, given := range []string{bare, bare + "/", bare + "/mpc"} {
		contains(t, newCLI(t).exit(exitPeer, "login", given).err, "try: stile login "+server)
	}
	// The same when the metadata is at the root and speaks of another path.
	mux := http.NewServeMux()
	at := httptest.NewServer(mux)
	defer at.Close()
	mux.HandleFunc("/.well-known/oauth-protected-resource", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"resource":"` + at.URL + `/other","authorization_servers":["` + at.URL + `"]}`))
	})
	contains(t, newCLI(t).exit(exitPeer, "login", at.URL).err, "prm-resource-match", "try: stile login "+at.URL+"/other")
}
