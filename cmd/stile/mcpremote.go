package main

import (
	"crypto/md5" //nolint:gosec // how mcp-remote names its files
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// remoteLogin is what mcp-remote derives the file names of a login from: the address,
// and the flags that it was started with.
type remoteLogin struct {
	server, resource   string
	parameters, header map[string]string
	cimd               string
}

// file gives the beginning of the file names.
func (r remoteLogin) file() string {
	parts := []string{r.server}
	if r.resource != "" {
		parts = append(parts, r.resource)
	}
	for _, object := range []map[string]string{r.parameters, r.header} {
		if len(object) > 0 {
			var b strings.Builder
			e := json.NewEncoder(&b)
			e.SetEscapeHTML(false) // as JSON.stringify; the members are sorted by both
			_ = e.Encode(object)
			parts = append(parts, strings.TrimSpace(b.String()))
		}
	}
	if r.cimd != "" {
		parts = append(parts, r.cimd)
	}
	sum := md5.Sum([]byte(strings.Join(parts, "|"))) //nolint:gosec // see above
	return hex.EncodeToString(sum[:])
}

// port is the port that mcp-remote tries first: it takes the first four digits of the names
// of its files.
func (r remoteLogin) port() int {
	n, _ := strconv.ParseUint(r.file()[:4], 16, 16) // always digits
	return 3335 + int(n)%45816
}

// findTokens finds the newest tokens that mcp-remote has for a login, in a directory for
// each of its versions.
func findTokens(a *app, dir string, login remoteLogin) (string, error) {
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
	found, err := filepath.Glob(filepath.Join(dir, "mcp-remote-*", login.file()+"_tokens.json"))
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
			code: exitUsage, err: fmt.Errorf("mcp-remote has no tokens for %s in %s", login.server, dir),
			advice: "give the address exactly as mcp-remote was given it, and --resource too if it was; or name the file with --file",
		}
	}
	return best, nil
}

// readMCPRemote reads the tokens, the client beside them and their issuer, which the
// files of mcp-remote name since 0.15; "" means that the issuer is not known. The errors
// hold none of the secrets in the files.
func readMCPRemote(file string) (t *states.Token, issuer string, err error) {
	var tokens struct {
		Issuer       string  `json:"issuer"`
		AccessToken  string  `json:"access_token"`
		Type         string  `json:"token_type"`
		RefreshToken string  `json:"refresh_token"`
		ExpiresIn    float64 `json:"expires_in"`
		ExpiresAt    float64 `json:"expires_at"`
		Scope        string  `json:"scope"`
	}
	at, err := readJSON(file, &tokens)
	if err != nil {
		return nil, "", err
	}
	if tokens.AccessToken == "" && tokens.RefreshToken == "" {
		return nil, "", usage("%s holds no tokens", file)
	}
	t = &states.Token{
		Generation: states.Generation(max(1, at.UnixMilli())), AccessToken: wire.Secret(tokens.AccessToken), Type: "Bearer",
		RefreshToken: wire.Secret(tokens.RefreshToken), Received: at.UTC(), Granted: strings.Fields(tokens.Scope),
	}
	t.Requested = t.Granted
	// The file says how long the token is valid, and the file's time says from when; an
	// absolute time is better if there is one.
	switch {
	case tokens.ExpiresAt > 1e12:
		t.Expires = instant(tokens.ExpiresAt / 1000)
	case tokens.ExpiresAt > 0:
		t.Expires = instant(tokens.ExpiresAt)
	case tokens.ExpiresIn > 0 && tokens.ExpiresIn < 1e9:
		t.Expires = t.Received.Add(time.Duration(tokens.ExpiresIn) * time.Second)
	}
	var client struct {
		Issuer        string   `json:"issuer"`
		ID            string   `json:"client_id"`
		Secret        string   `json:"client_secret"`
		SecretExpires float64  `json:"client_secret_expires_at"`
		Method        string   `json:"token_endpoint_auth_method"`
		RedirectURIs  []string `json:"redirect_uris"`
	}
	beside := strings.TrimSuffix(file, "_tokens.json") + "_client_info.json"
	if _, err := readJSON(beside, &client); err != nil {
		return nil, "", err
	}
	if client.ID == "" {
		return nil, "", usage("%s names no client", beside)
	}
	t.Client = wire.Client{
		ID: client.ID, Secret: wire.Secret(client.Secret), Method: client.Method, Source: wire.SourceDynamic, RedirectURIs: client.RedirectURIs,
	}
	t.Client.SecretExpires = instant(client.SecretExpires)
	if client.Issuer != "" && tokens.Issuer != "" && client.Issuer != tokens.Issuer {
		return nil, "", usage("%s has tokens of a different issuer than the client beside them", file)
	}
	return t, tokens.Issuer, nil
}

// instant reads seconds since 1970. It is zero for a time that a record cannot hold,
// which counts as not known.
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
