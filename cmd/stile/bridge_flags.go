package main

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// bridgeFlags are the flags of stile bridge: those of a login, and those of
// mcp-remote.
type bridgeFlags struct {
	accountFlags
	port string

	header            []string
	sent              [][2]string // names and values of them, and of those in headerFile
	headerFile        string
	resource          string
	noResource        bool
	clientInfo        string
	clientData        string
	host, path        string
	successURL        string
	authTimeout       float64
	strategy          string
	protocol          string
	ipv4, allowHTTP   bool
	proxy             bool
	connectTimeout    float64
	headersTimeout    float64
	bodyTimeout       float64
	keepAlive         bool
	pingInterval      float64
	noCookies         bool
	ignore            []string
	clientCredentials bool
	debug, silent     bool
	version           bool

	deviceCode bool

	// refused ones
	useIDToken    bool
	tokenEndpoint string
}

func (f *bridgeFlags) add(c *cobra.Command) {
	f.addLogin(c)
	grouped(c.Flags(), flagsRemote, func() { f.addRemote(c) })
}

// addRemote adds the flags that mcp-remote has too.
func (f *bridgeFlags) addRemote(c *cobra.Command) {
	fl := c.Flags()
	fl.Lookup("no-browser").Usage = "print the address and open no browser"
	for _, name := range []string{"redirect-uri", "server-timeout"} {
		_ = fl.MarkHidden(name) // PORT and the timeouts of mcp-remote take their place
	}
	fl.StringArrayVar(&f.header, "header", nil, "a `NAME:VALUE` to send with every request; ${VAR} is taken from the environment (repeatable)")
	fl.StringVar(&f.headerFile, "header-file", "", "a `FILE` of headers, one per line")
	fl.StringVar(&f.resource, "resource", "", "keep a separate login for this `RESOURCE`; the issuer is told the resource that the server's metadata names")
	fl.BoolVar(&f.noResource, "disable-resource-parameter", false, "send no resource parameter, like --quirk omit-resource; the token is then not bound to the server")
	fl.StringVar(&f.clientInfo, "static-oauth-client-info", "", "a client that was registered by hand, as `JSON` or @FILE; ${VAR} is taken from the environment")
	fl.StringVar(&f.clientData, "static-oauth-client-metadata", "", "the metadata to register a client with, as `JSON` or @FILE")
	fl.StringVar(&f.cimd, "client-metadata-url", "", "the https `URL` of your client ID metadata document, like --client-metadata")
	fl.StringVar(&f.host, "host", "", "the `HOST` that the login comes back to: localhost or 127.0.0.1")
	fl.StringVar(&f.path, "callback-path", "", "the `PATH` that the login comes back to")
	fl.StringVar(&f.successURL, "auth-success-url", "", "the `URL` to send the browser to after a login")
	fl.Float64Var(&f.authTimeout, "auth-timeout", 45, "how many `SECONDS` a request waits for a login")
	fl.StringVar(&f.strategy, "transport", "http-first", "the `STRATEGY`: http-first, sse-first, http-only or sse-only")
	fl.StringVar(&f.protocol, "protocol", "auto", "the `ERA` of the server: auto (find out) or legacy (up to MCP 2025-11-25)")
	fl.BoolVar(&f.ipv4, "ipv4", false, "use IPv4 only")
	fl.BoolVar(&f.allowHTTP, "allow-http", false, "refused, except for a server on this machine")
	fl.BoolVar(&f.proxy, "enable-proxy", false, "has no effect: the proxy that the environment names is always used")
	fl.Float64Var(&f.connectTimeout, "connect-timeout", 0, "how many `SECONDS` a connection may take (default: 10)")
	fl.Float64Var(&f.headersTimeout, "headers-timeout", 0, "how many `SECONDS` the headers of an answer may take (default: no bound)")
	fl.Float64Var(&f.bodyTimeout, "body-timeout", 0, "how many `SECONDS` an answer may pause (default: no bound)")
	fl.BoolVar(&f.keepAlive, "keep-alive", false, "ping the server every 30 seconds")
	fl.Float64Var(&f.pingInterval, "ping-interval", 0, "how many `SECONDS` to wait between pings; implies --keep-alive")
	fl.BoolVar(&f.noCookies, "disable-cookies", false, "send no cookies back; without this flag they are kept in memory")
	fl.StringArrayVar(&f.ignore, "ignore-tool", nil, "a `TOOL` to hide; * stands for any text (repeatable)")
	fl.BoolVar(&f.debug, "debug", false, "the same as --verbose")
	fl.BoolVar(&f.silent, "silent", false, "print nothing but errors on standard error")
	fl.BoolVar(&f.version, "version", false, "print the version")
	fl.BoolVar(&f.clientCredentials, "client-credentials", false, "log in without a user, like --grant client-credentials; needs --issuer")
	fl.StringVar(&f.tokenEndpoint, "token-endpoint", "", "refused")
	fl.BoolVar(&f.deviceCode, "device-code", false, "log in with a code that you enter in a browser elsewhere, like --grant device")
	fl.BoolVar(&f.useIDToken, "use-id-token", false, "refused")
	for _, name := range []string{"token-endpoint", "use-id-token", "version"} {
		_ = fl.MarkHidden(name)
	}
	_ = c.RegisterFlagCompletionFunc("transport", cobra.FixedCompletions([]string{"http-first", "sse-first", "http-only", "sse-only"}, cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("protocol", cobra.FixedCompletions([]string{"auto", "legacy"}, cobra.ShellCompDirectiveNoFileComp))
}

// refusal is a flag of mcp-remote that this command does not take.
func refusal(flag, why, instead string) error {
	return &failure{code: exitUsage, err: errors.New(flag + " is refused: " + why), advice: instead}
}

// check checks the flags, and turns those of mcp-remote into ours.
func (f *bridgeFlags) check(a *app, server string) error {
	canonical, err := canonicalServer(server)
	if err != nil {
		return err
	}
	switch {
	case !strings.HasPrefix(canonical.String(), "https:") && !wire.IsLoopbackHTTP(canonical.String()):
		return refusal("http", "a token would be sent in the clear, also with --allow-http", "give the server https, for example by a proxy in front of it")
	case f.useIDToken:
		return refusal("--use-id-token", "an ID token says who the user is to the client, and any server that gets it can pass for the client (OpenID Connect Core §2)", "ask the operator of the server to take access tokens")
	case f.tokenEndpoint != "":
		return refusal("--token-endpoint", "credentials go to endpoints that the issuer's own metadata names", "name the issuer: --issuer ISSUER")
	case f.clientCredentials && (f.issuer == "" || f.clientInfo == "" && f.clientID == ""):
		return refusal("--client-credentials alone", "a secret goes to the issuer that it belongs to, and to nobody whom a server names", "name the issuer and the client: --issuer ISSUER --static-oauth-client-info JSON, or --client-id ID")
	case f.secretFile == "-" || f.keyFile == "-" || f.idpSecretFile == "-" || f.initialTokenFile == "-":
		return refusal("- for a file", "the host speaks to the bridge over standard input", "name a file, or use the variable of the environment")
	case f.successURL != "" && wire.CheckURL(f.successURL, wire.URLPolicy{AllowLoopbackHTTP: true}) != nil:
		return usage("--auth-success-url: %q is not https", f.successURL)
	case f.path != "" && !strings.HasPrefix(f.path, "/"):
		return usage("--callback-path: %q does not begin with /", f.path)
	case f.host != "" && !isLoopback(f.host):
		return usage("--host: %q is not localhost or 127.0.0.1, and nobody else may take the login", f.host)
	case f.authTimeout < 0 || f.connectTimeout < 0 || f.headersTimeout < 0 || f.bodyTimeout < 0 || f.pingInterval < 0:
		return usage("a time must not be negative")
	}
	if err := oneOf("--transport", f.strategy, "http-first", "sse-first", "http-only", "sse-only"); err != nil {
		return err
	}
	if err := oneOf("--protocol", f.protocol, "auto", "legacy"); err != nil {
		return err
	}
	if f.deviceCode {
		f.grant = "device"
	}
	if f.clientCredentials {
		f.grant = "client-credentials"
		if f.clientInfo != "" {
			info, err := f.info(a)
			if err != nil {
				return err
			}
			f.clientID = info.ID
		}
	}
	added, err := f.addedParameters()
	if err != nil {
		return err
	}
	if _, err := fsm.New(states.Config{Server: server, Parameters: added}); err != nil {
		return &failure{code: exitUsage, err: err}
	}
	if f.noResource {
		f.quirks = append(f.quirks, string(states.OmitResource))
	}
	if f.resource != "" {
		if f.name == "" {
			f.name = f.resource
		}
		if f.resource != canonical.String() && !f.silent {
			a.notice("--resource keeps a login of its own; the issuer is told the resource that the server's metadata names.")
		}
	}
	a.verbose = a.verbose || f.debug
	f.network()
	if f.port != "" {
		if n, err := strconv.Atoi(f.port); err != nil || n < 1 || n > 65535 {
			return usage("PORT: %q is not a port", f.port)
		}
	}
	return nil
}

func oneOf(flag, value string, of ...string) error {
	for _, known := range of {
		if value == known {
			return nil
		}
	}
	return usage("%s: %q is not one of %s", flag, value, strings.Join(of, ", "))
}

// comesBack is the address that the login comes back to, at a port. Where a client
// was registered by hand, it is the address that mcp-remote uses.
func (f *bridgeFlags) comesBack(port int) string {
	host, path := f.host, f.path
	theirs := f.port != "" || f.pinned() || host != "" || path != ""
	if host == "" {
		if host = "127.0.0.1"; theirs {
			host = "localhost"
		}
	}
	if path == "" {
		if path = "/callback"; theirs {
			path = "/oauth/callback"
		}
	}
	return fmt.Sprintf("http://%s:%d%s", host, port, path)
}

// pinned reports whether the port is fixed, because the issuer knows the address. The
// client of --grant enterprise is not the one that the login comes back for.
func (f *bridgeFlags) pinned() bool {
	return grants[f.grant] != states.EnterpriseGrant && (f.clientInfo != "" || f.clientID != "" || f.cimd != "")
}

// userless reports whether no user takes part in a login.
func (f *bridgeFlags) userless() bool {
	g := grants[f.grant]
	return g == states.OwnGrant || g == states.WorkloadGrant
}

// ports are the ports to try, preferred first: the one that was given, the one of the
// last time, and those that mcp-remote derives from the address and its flags.
func (f *bridgeFlags) ports(server string, last int) []int {
	if f.port != "" {
		n, _ := strconv.Atoi(f.port)
		return []int{n}
	}
	theirs, _ := f.theirs(server) // check has read the parameters
	first := theirs.port()
	if f.pinned() {
		return []int{first}
	}
	var out []int
	if last > 0 {
		out = append(out, last)
	}
	for i := range 8 {
		out = append(out, first+i)
	}
	return out
}

// network applies mcp-remote's flags for the network to the transport.
func (f *bridgeFlags) network() {
	if !f.ipv4 && f.connectTimeout == 0 && f.headersTimeout == 0 {
		return
	}
	f.tune = func(t *http.Transport) {
		t.ResponseHeaderTimeout = seconds(f.headersTimeout)
		if f.ipv4 || f.connectTimeout > 0 {
			t.DialContext = dialing(f.ipv4, seconds(f.connectTimeout))
		}
	}
}
