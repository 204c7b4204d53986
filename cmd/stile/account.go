package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
)

// accountFlags are the flags of every command that speaks to a server.
type accountFlags struct {
	storeFlags
	name, tenant, subject string

	clientID, secretFile, issuer, cimd string
	initialTokenFile                   string
	redirect                           string
	noBrowser                          bool
	waive                              []string
	revision                           string
	strict                             bool

	caBundle     string
	allowPrivate []string
	timeout      time.Duration
	server       time.Duration
	trace        string
}

// addStored adds what names a stored credential; addLogin what a login needs.
func (f *accountFlags) addStored(c *cobra.Command) {
	f.storeFlags.add(c)
	fl := c.Flags()
	fl.StringVar(&f.name, "account", "", "which of several accounts at one server")
	fl.StringVar(&f.tenant, "tenant", "", "tenant of the credential, for gateways")
	fl.StringVar(&f.subject, "subject", "", "subject of the credential, for gateways")
	_ = fl.MarkHidden("tenant")
	_ = fl.MarkHidden("subject")
}

func (f *accountFlags) addNetwork(c *cobra.Command) {
	f.addStored(c)
	fl := c.Flags()
	fl.StringVar(&f.caBundle, "ca-bundle", "", "file of certificates (PEM) to trust beside the system's")
	fl.StringArrayVar(&f.allowPrivate, "allow-private", nil, "a private host, address or network that servers may name (repeatable)")
	fl.StringVar(&f.trace, "trace", "", "record the run in this file, without its secrets (a second run of the machine beside it, as NAME-2); in a directory, one file for each run (or STILE_TRACE)")
}

func (f *accountFlags) addLogin(c *cobra.Command) {
	f.addNetwork(c)
	fl := c.Flags()
	fl.StringVar(&f.clientID, "client-id", "", "a client registered beforehand; needs --issuer")
	fl.StringVar(&f.secretFile, "client-secret-file", "", "file that holds its secret (or STILE_CLIENT_SECRET; - is standard input)")
	fl.StringVar(&f.issuer, "issuer", "", "issuer that gave the client; also the issuer of a server that names none")
	fl.StringVar(&f.cimd, "client-metadata", "", "https URL of your client ID metadata document")
	fl.StringVar(&f.initialTokenFile, "initial-token-file", "", "file that holds an initial access token for registration")
	fl.StringVar(&f.redirect, "redirect-uri", "", "redirect URI, used verbatim: http on loopback, or https of your own, where the address is pasted back (default: 127.0.0.1 and a free port)")
	fl.BoolVar(&f.noBrowser, "no-browser", false, "print the address instead of opening a browser; the address that you end at can be pasted back")
	fl.StringArrayVar(&f.waive, "waive", nil, "a rule not to hold against this server, RULE or RULE=A,B (repeatable)")
	fl.StringVar(&f.revision, "revision", "auto", "revision of MCP authorization: auto, "+strings.Join(revisionNames(), ", "))
	fl.BoolVar(&f.strict, "strict", false, "refuse what is usually tolerated and noted")
	fl.DurationVar(&f.timeout, "timeout", 5*time.Minute, "how long to wait for you in the browser")
	fl.DurationVar(&f.server, "server-timeout", time.Minute, "how long the MCP server may take for an answer, logins apart; 0 is for ever")
	_ = c.RegisterFlagCompletionFunc("revision", cobra.FixedCompletions(append([]string{"auto"}, revisionNames()...), cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("waive", cobra.FixedCompletions(quirks, cobra.ShellCompDirectiveNoFileComp))
}

func revisionNames() []string {
	out := make([]string, len(states.Revisions))
	for i, r := range states.Revisions {
		out[i] = string(r)
	}
	return out
}

// client is a driver with the account that a command is about.
type client struct {
	a       *app
	driver  *httpdriver.Driver
	account httpdriver.Account
	server  string
	store   storage.Store
	closing []func() error

	patience patience // with the MCP server

	mu     sync.Mutex
	hint   string       // an address that would have been right
	legacy bool         // nothing said who protects the server: the rows of 2025-03-26 applied
	queued atomic.Bool  // it was said that another process announced a login
	fault  error        // the first failure of authorization below the MCP client
	asked  []string     // scopes that a login here asked for and the issuer gave no or fewer of
	issued bool         // a login here brought a token
	last   states.Fault // what the machine met last, also where it went on from there
	// unreachable says that a request to the server got no answer.
	unreachable bool
	elsewhere   elsewhere // where the server redirected a request to
}

// open makes the client of a command. url is the MCP server.
func (f *accountFlags) open(ctx context.Context, a *app, url string) (*client, error) {
	return f.openWith(ctx, a, url, quiet, func(*states.Config) {})
}

// openWith is open with more to say about the configuration.
func (f *accountFlags) openWith(ctx context.Context, a *app, url string, loud loudness, more func(*states.Config)) (_ *client, err error) {
	c := &client{a: a, server: url, patience: patience{span: f.server}, account: httpdriver.Account{Server: url, Tenant: f.tenant, Subject: f.subject, Name: f.name}}
	defer func() {
		if err != nil {
			_ = c.close()
		}
	}()
	o := httpdriver.Options{AllowPrivate: f.allowPrivate, AllowPrivateName: "--allow-private", Observe: c.observe, Trace: httpdriver.NoTrace}
	if o.Config, err = f.config(a); err != nil {
		return nil, err
	}
	more(&o.Config)
	o.Config.Server = url
	if _, err := fsm.New(o.Config); err != nil {
		return nil, &failure{code: exitUsage, err: err}
	}
	if o.Transport, err = f.transport(); err != nil {
		return nil, err
	}
	t, err := a.tracing(f.trace)
	if err != nil {
		return nil, err
	}
	c.closing = append(c.closing, t.close)
	o.Observe = func(s httpdriver.Step) { c.observe(s); t.step(s) }
	st, closing, err := f.openStore(ctx, a, loud)
	if err != nil {
		return nil, err
	}
	c.store, o.Store = st, st
	c.closing = append(c.closing, closing)
	o.Host = a.host(f)
	if c.driver, err = httpdriver.New(o); err != nil {
		return nil, &failure{code: exitUsage, err: err}
	}
	return c, nil
}

// close ends driver, store and trace, in this order.
func (c *client) close() error {
	var errs []error
	if c.driver != nil {
		errs = append(errs, c.driver.Close())
	}
	for _, f := range slices.Backward(c.closing) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

// config is what the flags say about a login.
func (f *accountFlags) config(a *app) (states.Config, error) {
	c := states.Config{
		ClientName: "Stile", CIMD: f.cimd, Issuer: f.issuer, Strict: f.strict, HumanTime: f.timeout, Holder: "stile command",
	}
	if f.timeout < 0 {
		return c, usage("--timeout: %s is in the past", f.timeout)
	}
	if f.server < 0 {
		return c, usage("--server-timeout: %s is in the past", f.server)
	}
	if f.revision != "" && f.revision != "auto" {
		c.Revision = states.Revision(f.revision)
	}
	if f.redirect != "" {
		c.Redirects = []string{f.redirect}
	}
	for _, w := range f.waive {
		rule, values, has := strings.Cut(w, "=")
		waiver := states.Waiver{Rule: rule}
		if has {
			waiver.Values = strings.Split(values, ",")
		}
		c.Waive = append(c.Waive, waiver)
	}
	secret := wire.Secret(a.getenv("STILE_CLIENT_SECRET"))
	if f.secretFile != "" {
		s, err := readSecret(a, "--client-secret-file", f.secretFile)
		if err != nil {
			return c, err
		}
		secret = s
	}
	if f.clientID != "" {
		if f.issuer == "" {
			return c, &failure{
				code: exitUsage, err: errors.New("--client-id needs --issuer: a client belongs to the issuer that gave it, and is sent nowhere else"),
				advice: "name the issuer, for example --issuer https://login.example",
			}
		}
		c.Client = &states.Configured{Issuer: f.issuer, ID: f.clientID, Secret: secret}
	} else if f.secretFile != "" {
		return c, usage("--client-secret-file needs --client-id")
	}
	if f.initialTokenFile != "" {
		if f.issuer == "" {
			return c, &failure{
				code: exitUsage, err: errors.New("--initial-token-file needs --issuer: the token goes to the issuer that gave it, and nowhere else"),
				advice: "name the issuer, for example --issuer https://login.example",
			}
		}
		s, err := readSecret(a, "--initial-token-file", f.initialTokenFile)
		if err != nil {
			return c, err
		}
		c.InitialToken = s
	}
	return c, nil
}

// readSecret reads a secret from a file; a last line end is no part of it.
func readSecret(a *app, flag, path string) (wire.Secret, error) {
	r := a.in
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return "", usage("%s: %w", flag, err)
		}
		defer func() { _ = file.Close() }()
		r = file
	}
	b, err := io.ReadAll(io.LimitReader(r, 64<<10+1))
	if err != nil {
		return "", usage("%s: %w", flag, err)
	}
	s := strings.TrimRight(string(b), "\r\n")
	if s == "" || len(b) > 64<<10 {
		return "", usage("%s: the file holds no secret", flag)
	}
	return wire.Secret(s), nil
}

// transport adds the CA bundle; nil is the default.
func (f *accountFlags) transport() (*http.Transport, error) {
	if f.caBundle == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(f.caBundle)
	if err != nil {
		return nil, usage("--ca-bundle: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, usage("--ca-bundle: %s holds no certificate in PEM form", f.caBundle)
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = tlsConfig(roots)
	return t, nil
}

// observe shows the states that pass, says what was tolerated, and remembers
// what a failure can be explained by.
func (c *client) observe(s httpdriver.Step) {
	to := s.Result.Machine.State
	c.patience.moved(!states.Resting(to))
	if c.a.verbose && !s.Result.Held && !looksAgain(s) {
		if c.a.json {
			_ = c.a.printJSON(c.a.err, struct {
				From  states.State `json:"from"`
				Event string       `json:"event"`
				To    states.State `json:"to"`
			}{s.From.State, string(s.Result.Event), to})
		} else {
			p := paint(c.a.colours(c.a.err))
			c.a.note("%s %-19s %s\n", p.cyan(fmt.Sprintf("%-17s", to)), string(s.Result.Event), p.dim(states.Describe(to)))
		}
	}
	c.queue(s)
	for _, e := range s.Result.Effects {
		switch n, ok := e.(states.Note); {
		case !ok:
		case c.a.json:
			_ = c.a.printJSON(c.a.err, struct {
				Noted string      `json:"noted"`
				Rule  wire.RuleID `json:"rule"`
			}{n.Finding.Detail, n.Finding.Rule})
		default:
			c.a.note("noted: %s (%s)\n", n.Finding.Detail, string(n.Finding.Rule))
		}
	}
	c.learn(s)
}
