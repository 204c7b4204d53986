package main

import (
	"crypto/md5" //nolint:gosec // how mcp-remote names its files
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// findTokens finds the newest tokens that mcp-remote has for a server: its
// files are named by the MD5 of the address, and of the resource if one was
// given, in a directory for each of its versions.
func findTokens(a *app, dir, server, resource string) (string, error) {
	if dir == "" {
		dir = a.getenv("MCP_REMOTE_CONFIG_DIR")
	}
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", usage("--dir: %w", err)
		}
		dir = filepath.Join(home, ".mcp-auth")
	}
	name := server
	if resource != "" {
		name += "|" + resource
	}
	sum := md5.Sum([]byte(name)) //nolint:gosec // see above
	found, err := filepath.Glob(filepath.Join(dir, "mcp-remote-*", hex.EncodeToString(sum[:])+"_tokens.json"))
	if err != nil {
		return "", usage("--dir: %w", err)
	}
	best, at := "", time.Time{}
	for _, f := range found {
		if st, err := os.Stat(f); err == nil && (best == "" || st.ModTime().After(at)) {
			best, at = f, st.ModTime()
		}
	}
	if best == "" {
		return "", &failure{
			code: exitUsage, err: fmt.Errorf("mcp-remote has no tokens for %s in %s", server, dir),
			advice: "give the address exactly as mcp-remote was given it, and --resource too if it was; or name the file with --file",
		}
	}
	return best, nil
}

// readMCPRemote reads the tokens and the client beside them. The errors hold
// nothing of what the files hold.
func readMCPRemote(file string) (*states.Token, error) {
	var tokens struct {
		AccessToken  string  `json:"access_token"`
		Type         string  `json:"token_type"`
		RefreshToken string  `json:"refresh_token"`
		ExpiresIn    float64 `json:"expires_in"`
		ExpiresAt    float64 `json:"expires_at"`
		Scope        string  `json:"scope"`
	}
	at, err := readJSON(file, &tokens)
	if err != nil {
		return nil, err
	}
	if tokens.AccessToken == "" && tokens.RefreshToken == "" {
		return nil, usage("%s holds no tokens", file)
	}
	t := &states.Token{
		Generation: states.Generation(max(1, at.UnixMilli())), AccessToken: wire.Secret(tokens.AccessToken), Type: "Bearer",
		RefreshToken: wire.Secret(tokens.RefreshToken), Received: at.UTC(), Granted: strings.Fields(tokens.Scope),
	}
	t.Requested = t.Granted
	// The file says how long, and its own time since when; an absolute time is
	// better where there is one.
	switch {
	case tokens.ExpiresAt > 1e12:
		t.Expires = instant(tokens.ExpiresAt / 1000)
	case tokens.ExpiresAt > 0:
		t.Expires = instant(tokens.ExpiresAt)
	case tokens.ExpiresIn > 0 && tokens.ExpiresIn < 1e9:
		t.Expires = t.Received.Add(time.Duration(tokens.ExpiresIn) * time.Second)
	}
	var client struct {
		ID            string   `json:"client_id"`
		Secret        string   `json:"client_secret"`
		SecretExpires float64  `json:"client_secret_expires_at"`
		Method        string   `json:"token_endpoint_auth_method"`
		RedirectURIs  []string `json:"redirect_uris"`
	}
	beside := strings.TrimSuffix(file, "_tokens.json") + "_client_info.json"
	if _, err := readJSON(beside, &client); err != nil {
		return nil, err
	}
	if client.ID == "" {
		return nil, usage("%s names no client", beside)
	}
	t.Client = wire.Client{
		ID: client.ID, Secret: wire.Secret(client.Secret), Method: client.Method, Source: wire.SourceDynamic, RedirectURIs: client.RedirectURIs,
	}
	t.Client.SecretExpires = instant(client.SecretExpires)
	return t, nil
}

// instant reads seconds since 1970; zero for what is no time that a record can
// hold, which is as good as not known.
func instant(seconds float64) time.Time {
	if !(seconds > 0 && seconds < 1e11) {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0).UTC()
}

func readJSON(path string, v any) (time.Time, error) {
	st, err := os.Stat(path)
	if err != nil || st.Size() > 1<<20 {
		return time.Time{}, usage("%s cannot be read", path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return time.Time{}, usage("%w", err)
	}
	if json.Unmarshal(b, v) != nil {
		return time.Time{}, usage("%s is not what mcp-remote writes", path)
	}
	return st.ModTime(), nil
}
