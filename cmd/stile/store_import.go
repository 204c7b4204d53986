package main

import (
	"context"
	"crypto/md5" //nolint:gosec // how mcp-remote names its files
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
)

func newStoreImport(a *app) *cobra.Command {
	var (
		f         accountFlags
		dir, file string
		resource  string
		overwrite bool
	)
	c := &cobra.Command{
		Use:   "import URL",
		Short: "Take over the login that mcp-remote has for a server",
		Long: `Takes over the tokens that mcp-remote keeps for the server at URL, from
~/.mcp-auth/mcp-remote-VERSION, the newest it has. It does not write down who
issued them: name the issuer, whose metadata is then fetched. Without --issuer
the record is kept in quarantine, and nothing of it is sent anywhere until it
is bound (stile store bind).

Use mcp-remote no more for this server afterwards: two holders of one refresh
token make each other's invalid.`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, given []string) (err error) {
			server, err := wire.CanonicalServer(given[0])
			if err != nil {
				return &failure{code: exitUsage, err: err}
			}
			if file == "" {
				if file, err = findTokens(a, dir, given[0], resource); err != nil {
					return err
				}
			}
			t, err := readMCPRemote(file)
			if err != nil {
				return err
			}
			t.Resource = resource
			if f.issuer != "" {
				if err := f.bind(c.Context(), t, server); err != nil {
					return err
				}
			}
			st, closing, err := f.openStore(c.Context(), a, aloud)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, closing()) }()
			if err := f.putToken(c.Context(), st, server, t, overwrite); err != nil {
				return err
			}
			return a.imported(given[0], t)
		},
	}
	f.addNetwork(c)
	fl := c.Flags()
	fl.StringVar(&f.issuer, "issuer", "", "issuer that gave the tokens")
	fl.StringVar(&dir, "dir", "", "mcp-remote's directory (default: MCP_REMOTE_CONFIG_DIR, else ~/.mcp-auth)")
	fl.StringVar(&file, "file", "", "take this …_tokens.json")
	fl.StringVar(&resource, "resource", "", "resource that mcp-remote was started with")
	fl.BoolVar(&overwrite, "overwrite", false, "replace a login that is there")
	return c
}

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

// bind gives a token the metadata of its issuer, fetched now.
func (f *accountFlags) bind(ctx context.Context, t *states.Token, server string) error {
	transport, err := f.transport()
	if err != nil {
		return err
	}
	g, err := guard.New(guard.Options{Transport: transport, AllowPrivate: f.allowPrivate, AllowPrivateName: "--allow-private"})
	if err != nil {
		return usage("--allow-private: %w", err)
	}
	defer g.CloseIdleConnections()
	loopback := wire.IsLoopbackHTTP(server)
	policy := wire.ASMPolicy{Issuer: f.issuer, Machine: true, URL: wire.URLPolicy{AllowLoopbackHTTP: loopback}}
	if p := wire.CheckURL(f.issuer, policy.URL); p != nil {
		return usage("--issuer: %w", p)
	}
	var last error
	for _, url := range wire.ASMURLs(f.issuer, false) {
		r, failure := g.Do(ctx, guard.Call{Request: wire.GetMetadata(url, string(states.R4)), SameOriginHops: 3, Loopback: loopback})
		if failure != nil {
			last = networkFailed("%s: %s", url, failure.Detail)
			continue
		}
		asm, _, bad := wire.ParseASM(r, policy)
		if bad == nil {
			var p *wire.Problem
			if t.Client, _, p = wire.ChooseMethod(t.Client, asm.AuthMethods, false); p != nil {
				return peerFailed(p)
			}
			t.Server = asm
			return nil
		}
		last = peerFailed(bad)
		if bad.Refuse {
			break
		}
	}
	return last
}

func networkFailed(format string, args ...any) error {
	return &failure{code: exitNetwork, err: fmt.Errorf(format, args...)}
}

func peerFailed(p *wire.Problem) error { return &failure{code: exitPeer, err: p} }

// putToken stores a token as the login of a server. A record that is bound to
// no issuer may always be replaced.
func (f *accountFlags) putToken(ctx context.Context, st storage.Store, server string, t *states.Token, overwrite bool) error {
	key := states.Key{Kind: states.KindCredential, Tenant: f.tenant, Subject: f.subject, Account: f.name, Name: server}
	var expected states.Generation
	e, err := st.Get(ctx, key)
	switch {
	case err == nil:
		c, bad := states.DecodeCredential(wire.Secret(e.Value))
		if bad == nil && c.Current != nil && !overwrite {
			return &failure{code: exitUsage, err: fmt.Errorf("a login to %s is there already", server), advice: "say --overwrite to replace it, or use another --account"}
		}
		if errors.Is(bad, states.ErrRecordVersion) {
			return &failure{code: exitStore, err: bad}
		}
		expected = e.Generation
	case !errors.Is(err, storage.ErrNotFound):
		return storeFailed(err)
	}
	value, err := states.Encode(&states.Credential{Version: states.RecordVersion, Current: t})
	if err != nil {
		return err
	}
	if _, err = st.Put(ctx, key, []byte(value.Reveal()), expected, time.Time{}); errors.Is(err, storage.ErrConflict) {
		return &failure{code: exitStore, err: errors.New("the login changed meanwhile; nothing was written")}
	}
	return storeFailed(err)
}

func (a *app) imported(server string, t *states.Token) error {
	v := struct {
		Server    string `json:"server"`
		Issuer    string `json:"issuer,omitempty"`
		ClientID  string `json:"client_id"`
		Expires   string `json:"expires,omitempty"`
		Renewable bool   `json:"renewable"`
		Bound     bool   `json:"bound"`
	}{server, t.Server.Issuer, t.Client.ID, stamp(t.Expires), t.RefreshToken != "", t.Server.Issuer != ""}
	return a.result(v, func() {
		if v.Bound {
			a.say("The login to %s is taken over, bound to %s\n", server, v.Issuer)
			return
		}
		a.say("The login to %s is kept in quarantine: it is not known who issued it.\nBind it with: stile store bind %s --issuer ISSUER\n", server, server)
	})
}

func newStoreBind(a *app) *cobra.Command {
	var f accountFlags
	c := &cobra.Command{
		Use:   "bind URL --issuer ISSUER",
		Short: "Bind a record in quarantine to the issuer that gave it",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, given []string) (err error) {
			server, err := wire.CanonicalServer(given[0])
			if err != nil {
				return &failure{code: exitUsage, err: err}
			}
			if f.issuer == "" {
				return usage("--issuer says who gave the tokens")
			}
			st, closing, err := f.openStore(c.Context(), a, quiet)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, closing()) }()
			e, err := st.Get(c.Context(), states.Key{Kind: states.KindCredential, Tenant: f.tenant, Subject: f.subject, Account: f.name, Name: server})
			if errors.Is(err, storage.ErrNotFound) {
				return notLoggedIn(given[0])
			}
			if err != nil {
				return storeFailed(err)
			}
			var rec states.Credential
			if _, err := states.DecodeCredential(wire.Secret(e.Value)); !errors.Is(err, states.ErrRecordUnbound) {
				return usage("the login to %s is not in quarantine", given[0])
			}
			if err := states.Decode(wire.Secret(e.Value), &rec); err != nil || rec.Current == nil {
				return &failure{code: exitStore, err: fmt.Errorf("the record cannot be read: %w", fs.ErrInvalid)}
			}
			if err := f.bind(c.Context(), rec.Current, server); err != nil {
				return err
			}
			if err := f.putToken(c.Context(), st, server, rec.Current, false); err != nil {
				return err
			}
			return a.imported(given[0], rec.Current)
		},
	}
	f.addNetwork(c)
	c.Flags().StringVar(&f.issuer, "issuer", "", "issuer that gave the tokens")
	return c
}
