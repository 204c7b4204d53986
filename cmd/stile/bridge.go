package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/bridge"
	"github.com/stile-oauth/stile/states/wire"
)

func newBridge(a *app) *cobra.Command {
	var f bridgeFlags
	c := &cobra.Command{
		Use:   "bridge URL [PORT]",
		Short: "Let a host that speaks stdio use a protected server",
		Long: `Relays MCP between a host and the server at URL. The host starts this command and
speaks to it over standard input and output; the command reaches the server over HTTP,
with a login. Use the command in place of mcp-remote in the configuration of a host;
"stile bridge config" writes that configuration. The command accepts the flags of
mcp-remote, and says why if it refuses one.

A host gets its first answer at once. When a login is needed, the command opens your
browser, once; if the host can show addresses to its user, the host does that instead.
A request that waits for the login longer than --auth-timeout fails with an error that
names the address. All instances with the same store share one login and one refresh:
if a host starts the command twice, only one of them asks you.

PORT is the port of 127.0.0.1 that the login comes back to. By default it is derived
from URL; if that port is in use, the command takes another one.

If mcp-remote has a login for the server, the command takes it over once. The files of
mcp-remote name the issuer since 0.15; for older files, name it with --issuer. If the
issuer is not known, the command sends nothing of the login anywhere. The command does
not change what mcp-remote has stored.

Each login and each refresh leaves a trace without secrets, in the directory that
--verbose names; stile explain reads it.`,
		Example: `  stile bridge https://mcp.example/mcp
  stile bridge https://mcp.example/mcp --header 'X-Team: ${TEAM}' \
    --ignore-tool 'delete*'
  stile bridge config cursor https://mcp.example/mcp --write`,
		Args: func(c *cobra.Command, given []string) error {
			if f.version {
				return nil
			}
			return takes("URL", "[PORT]")(c, given)
		},
		RunE: func(c *cobra.Command, given []string) error {
			if f.version {
				return a.printVersion()
			}
			if len(given) == 2 {
				f.port = given[1]
			}
			if a.tty.in && !f.silent {
				a.notice("A host starts this command and speaks to it over standard input; \"stile bridge config HOST URL\" writes its entry. Press Ctrl-C to end it.")
			}
			return f.run(c.Context(), a, given[0])
		},
	}
	f.add(c)
	c.AddCommand(newBridgeConfig(a), newBridgePaste(a), newLogout(a), newStatus(a))
	return c
}

// run relays until the host closes its side.
func (f *bridgeFlags) run(ctx context.Context, a *app, server string) error {
	o := bridge.Options{
		Host:   bridge.Stdio(io.NopCloser(a.in), unclosed{a.out}),
		Server: server, Ignore: f.ignore, Strategy: bridge.Strategy(f.strategy), SessionsOnly: f.protocol == "legacy",
		LoginWait: seconds(f.authTimeout),
	}
	if err := f.check(a, server); err != nil {
		return err
	}
	err := f.policy(a, &httpdriver.Policy{}) // what is wrong with its JSON is said now
	if err != nil {
		return err
	}
	if o.Header, err = f.headers(a); err != nil {
		return err
	}
	if f.keepAlive || f.pingInterval > 0 {
		if o.PingEvery = 30 * time.Second; f.pingInterval > 0 {
			o.PingEvery = seconds(f.pingInterval)
		}
	}
	m, err := f.memo(a, server)
	if err != nil {
		return err
	}
	defer m.work.Wait()
	level := slog.LevelWarn
	switch {
	case a.verbose:
		level = slog.LevelInfo
		a.notice("traces of logins and refreshes: " + f.trace)
	case f.silent:
		level = slog.LevelError + 1
	}
	// When the host is gone, the end of this context ends everything that waits for a login.
	inner, cancel := context.WithCancel(ctx)
	g := &gate{a: a, f: f, ctx: inner, server: server, memo: m}
	o.Logger = slog.New(explaining{slog.NewTextHandler(lineWriter{a}, &slog.HandlerOptions{Level: level}), g})
	o.Client = &http.Client{Transport: g, CheckRedirect: withinOrigin}
	if !f.noCookies {
		o.Client.Jar, _ = cookiejar.New(nil)
	}
	o.Login, o.Wanted, o.Memory, o.Explain = g.login, g.wanted, m, g.explain
	err = bridge.Run(ctx, o)
	cancel()
	return errors.Join(err, g.close())
}

// withinOrigin follows redirects only within the server's origin, because no token
// may go elsewhere.
func withinOrigin(r *http.Request, via []*http.Request) error {
	if len(via) > 3 || !strings.EqualFold(r.URL.Host, via[0].URL.Host) || r.URL.Scheme != via[0].URL.Scheme {
		return http.ErrUseLastResponse
	}
	return nil
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// unclosed is standard output: the bridge does not own it.
type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }

// lineWriter prints lines of a log on standard error.
type lineWriter struct{ a *app }

func (w lineWriter) Write(line []byte) (int, error) {
	w.a.note("%s\n", wire.Clean(strings.TrimSuffix(string(line), "\n"), maxShown))
	return len(line), nil
}
