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

	"github.com/stile-oauth/stile/states"
)

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

	// Nobody knows who issued the token: no part of it is sent anywhere.
	contains(t, c.ok("store", "import", server).out, "quarantine", "store bind")
	contains(t, c.exit(exitStore, "status", server).err, "stile store bind")
	contains(t, c.exit(exitStore, "token", server).err, "stile store bind", "stile store purge")
	contains(t, c.exit(exitStore, "token", server).err, "issuer")
	contains(t, c.ok("store", "list").out, "not bound to an issuer")

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
