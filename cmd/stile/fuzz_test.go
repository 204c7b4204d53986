package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// FuzzReadMCPRemote: the files of another program are tokens that can be kept,
// or a usage error that shows nothing of them.
func FuzzReadMCPRemote(f *testing.F) {
	const client = `{"client_id":"c","redirect_uris":["http://127.0.0.1:1/cb"]}`
	f.Add([]byte(`{"access_token":"SECRET","refresh_token":"r","token_type":"Bearer","expires_in":3600,"scope":"a b"}`), []byte(client))
	f.Add([]byte(`{"access_token":"SECRET","expires_at":1785243600}`), []byte(client))
	f.Add([]byte(`{"access_token":"SECRET","expires_at":1785243600000}`), []byte(`{"client_id":"c","client_secret":"s","client_secret_expires_at":1785243600}`))
	f.Add([]byte(`{"refresh_token":"SECRET","expires_at":1e300}`), []byte(`{"client_id":"c","client_secret_expires_at":9223372036854775807}`))
	f.Add([]byte(`{"access_token":"SECRET","expires_at":5e11}`), []byte(`{"client_id":""}`))
	dir := f.TempDir()
	file := filepath.Join(dir, "x_tokens.json")
	f.Fuzz(func(t *testing.T, tokens, client []byte) {
		for name, b := range map[string][]byte{file: tokens, filepath.Join(dir, "x_client_info.json"): client} {
			if err := os.WriteFile(name, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		tok, _, err := readMCPRemote(file)
		if err != nil {
			if e, ok := errors.AsType[*failure](err); !ok || e.code != exitUsage || strings.Contains(err.Error(), "SECRET") {
				t.Fatalf("%v", err)
			}
			return
		}
		if tok.AccessToken == "" && tok.RefreshToken == "" || tok.Client.ID == "" {
			t.Fatalf("%+v", tok)
		}
		tok.Server.Issuer = "https://as.example"
		value, err := states.Encode(&states.Credential{Version: states.RecordVersion, Current: tok})
		if err != nil {
			t.Fatalf("what was read cannot be kept: %v", err)
		}
		if _, err := states.DecodeCredential(value); err != nil {
			t.Fatalf("what was kept cannot be read: %v", err)
		}
	})
}

// FuzzArguments: what a user types after --tool-scope, --quirk and the like
// is taken apart, or refused in a way that names the flag.
func FuzzArguments(f *testing.F) {
	for _, s := range []string{"get_time=user", "=user", "a=", "issuer-alias=https://a,https://b", "assume-s256", "net-tls-only", "a=b=c d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, arg string) {
		scopes, err := parseToolScopes([]string{arg})
		if err != nil {
			if !strings.HasPrefix(err.Error(), "--tool-scope: ") {
				t.Fatal(err)
			}
		} else if len(scopes) != 1 || !strings.HasPrefix(arg, scopes[0].Tool+"=") {
			t.Fatalf("%q is %+v", arg, scopes)
		}
		flags := accountFlags{quirks: []string{arg}, redirect: arg}
		c, err := flags.config(&app{getenv: func(string) string { return "" }})
		if err != nil || len(c.Quirks) != 1 || arg != string(c.Quirks[0].Name) && !strings.HasPrefix(arg, string(c.Quirks[0].Name)+"=") {
			t.Fatalf("%q is %+v, %v", arg, c.Quirks, err)
		}
		if server, err := wire.CanonicalServer(arg); err == nil {
			if again, err := wire.CanonicalServer(server.String()); err != nil || again != server {
				t.Fatalf("%q is %q, that is %q, %v", arg, server, again, err)
			}
		}
	})
}
