package main

import (
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// accountFlags are the flags of every command that speaks to a server.
type accountFlags struct {
	storeFlags
	name, tenant, subject string

	clientID, secretFile, issuer, cimd string
	keyFile, keyID, keyAlg             string
	grant, workload, dpop              string
	idp, idpClient, idpSecretFile      string
	initialTokenFile                   string
	authMethod, clientName             string
	grants, parameters                 []string
	redirect                           string
	noBrowser                          bool
	listen                             string // where this program itself receives redirects; it shows links then
	quirks                             []string
	revision                           string
	strict                             bool

	caBundle     string
	tune         func(*http.Transport) // further network settings of a command
	allowPrivate []string
	timeout      time.Duration
	server       time.Duration
	trace        string
	watch        *watch // shows the run; nil for none
}

// addStored adds the flags that name a stored credential.
func (f *accountFlags) addStored(c *cobra.Command) {
	fl := c.Flags()
	grouped(fl, flagsStore, func() { f.storeFlags.add(c) })
	fl.StringVar(&f.name, "account", "", "the `NAME` of one of several accounts at the same server")
	fl.StringVar(&f.tenant, "tenant", "", "tenant of the credential, for gateways")
	fl.StringVar(&f.subject, "subject", "", "subject of the credential, for gateways")
	_ = fl.MarkHidden("tenant")
	_ = fl.MarkHidden("subject")
}

// addNetwork adds the flags of a command that sends requests.
func (f *accountFlags) addNetwork(c *cobra.Command) {
	f.addStored(c)
	fl := c.Flags()
	grouped(fl, flagsNetwork, func() {
		fl.StringVar(&f.caBundle, "ca-bundle", "", "a `FILE` of certificates (PEM) to trust besides those of the system")
		fl.StringArrayVar(&f.allowPrivate, "allow-private", nil, "a private `HOST`, address or network that servers may name (repeatable)")
	})
}

// addTrace adds the flag of a command that runs the machine.
func (f *accountFlags) addTrace(c *cobra.Command) {
	c.Flags().StringVar(&f.trace, "trace", "", "record the run in `FILE`, without secrets; further runs of the machine go to FILE-2 and so on; a directory gets one file for each run (default: STILE_TRACE)")
}

// addRules adds the flags that say how to deal with a server and its issuer.
func (f *accountFlags) addRules(c *cobra.Command) {
	fl := c.Flags()
	fl.StringVar(&f.clientID, "client-id", "", "the `ID` of a client that was registered by hand; needs --issuer")
	fl.StringVar(&f.secretFile, "client-secret-file", "", "the `FILE` that holds the secret of --client-id; - is standard input (default: STILE_CLIENT_SECRET)")
	fl.StringVar(&f.keyFile, "client-key-file", "", "the `FILE` that holds the private key of --client-id (PEM or JWK), which signs its assertions (private_key_jwt); - is standard input (default: STILE_CLIENT_KEY)")
	fl.StringVar(&f.keyID, "client-key-id", "", "the `KID` of the key, for issuers that require it (default: the kid of a JWK)")
	fl.StringVar(&f.keyAlg, "client-key-alg", "", "the `ALG` that the key signs with (default: the usual one for the key)")
	fl.StringVar(&f.grant, "grant", "code", "the `GRANT`: code (a user logs in), client-credentials (--client-id asks in its own name), workload (the platform vouches for what runs here), device (you decide in the browser of another device) or enterprise (you log in at your company's identity provider)")
	fl.StringVar(&f.workload, "workload-from", "", "the `SOURCE` of the assertion for --grant workload: file:PATH, env:NAME, command:PATH, github or azure; it is read for each request")
	fl.StringVar(&f.dpop, "dpop", "", "`WHETHER` to bind tokens to a key of this program, so that others cannot use them (DPoP): off, try (bind them if the issuer offers it) or require (default: the same as the stored token, else off)")
	fl.StringVar(&f.idp, "idp", "", "the `ISSUER` of your company's identity provider, which says who you are (with --grant enterprise)")
	fl.StringVar(&f.idpClient, "idp-client-id", "", "the `ID` of the client at --idp")
	fl.StringVar(&f.idpSecretFile, "idp-client-secret-file", "", "the `FILE` that holds the secret of --idp-client-id; - is standard input (default: STILE_IDP_CLIENT_SECRET)")
	fl.StringVar(&f.issuer, "issuer", "", "the `ISSUER` that registered --client-id, or that protects a server which names no issuer")
	fl.StringVar(&f.cimd, "client-metadata", "", "the https `URL` of your client ID metadata document")
	fl.StringArrayVar(&f.quirks, "quirk", nil, "a `QUIRK` of this server to accept, NAME or NAME=A,B (repeatable; docs/decision-tables.md)")
	fl.SetNormalizeFunc(waiveIsQuirk)
	fl.StringVar(&f.revision, "revision", "auto", "the `REVISION` of MCP authorization: auto, "+strings.Join(revisionNames(), ", "))
	fl.BoolVar(&f.strict, "strict", false, "refuse what is otherwise tolerated and noted")
	needs(fl, "client-id", "client-secret-file")
	needs(fl, "grant=workload", "workload-from")
	needs(fl, "grant=enterprise", "idp", "idp-client-id", "idp-client-secret-file")
	_ = c.RegisterFlagCompletionFunc("revision", cobra.FixedCompletions(append([]string{"auto"}, revisionNames()...), cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("grant", cobra.FixedCompletions([]string{"code", "client-credentials", "workload", "device", "enterprise"}, cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("dpop", cobra.FixedCompletions([]string{"off", "try", "require"}, cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("quirk", cobra.FixedCompletions(quirkNames(), cobra.ShellCompDirectiveNoFileComp))
}

// addLogin adds the flags of a command that may send the user to a browser.
func (f *accountFlags) addLogin(c *cobra.Command) {
	f.addNetwork(c)
	f.addTrace(c)
	fl := c.Flags()
	grouped(fl, flagsClient, func() {
		f.addRules(c)
		f.addClient(c)
	})
	fl.BoolVar(&f.noBrowser, "no-browser", false, "print the address instead of opening a browser; paste back the address where the login ends")
	fl.DurationVar(&f.timeout, "timeout", 5*time.Minute, "how long a login waits for you")
	grouped(fl, flagsNetwork, func() {
		fl.DurationVar(&f.server, "server-timeout", time.Minute, "how long to wait for an answer of the MCP server; 0 waits forever")
	})
}

// addClient adds the flags about the client and its way through the browser.
func (f *accountFlags) addClient(c *cobra.Command) {
	fl := c.Flags()
	fl.StringVar(&f.initialTokenFile, "initial-token-file", "", "the `FILE` that holds an initial access token for registration")
	fl.StringVar(&f.authMethod, "auth-method", "", "the `METHOD` by which the client authenticates: none, client_secret_basic, client_secret_post or private_key_jwt (default: one that the issuer lists)")
	fl.StringSliceVar(&f.grants, "grants", nil, "the `GRANTS` to register a client with (default: authorization_code, and refresh_token if the issuer supports it)")
	fl.StringArrayVar(&f.parameters, "authorize-param", nil, "a parameter `KEY=VALUE` to add to the address of the login page, for issuers that require an audience, an organization, a login_hint and the like (repeatable)")
	fl.StringVar(&f.clientName, "client-name", "Stile", "the `NAME` to register a client with")
	_ = c.RegisterFlagCompletionFunc("auth-method", cobra.FixedCompletions([]string{wire.MethodNone, wire.MethodBasic, wire.MethodPost, wire.MethodJWT}, cobra.ShellCompDirectiveNoFileComp))
	// A client that was registered by hand is not registered again.
	needs(fl, "!client-id", "initial-token-file", "grants", "client-name")
	fl.StringVar(&f.redirect, "redirect-uri", "", "the redirect `URI`, used unchanged: http on loopback, or your own https address, which needs pasting back (default: a free port of 127.0.0.1)")
	needs(fl, "grant=code,enterprise", "authorize-param", "redirect-uri")
}

// waiveIsQuirk keeps the old name of the flag --quirk.
func waiveIsQuirk(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	if name == "waive" {
		name = "quirk"
	}
	return pflag.NormalizedName(name)
}

func quirkNames() []string {
	var out []string
	for _, q := range states.QuirkNames() {
		out = append(out, string(q))
	}
	return out
}
