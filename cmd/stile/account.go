package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stile-oauth/stile/states"
)

// accountFlags are the flags of every command that speaks to a server.
type accountFlags struct {
	storeFlags
	name, tenant, subject string

	clientID, secretFile, issuer, cimd string
	initialTokenFile                   string
	redirect                           string
	noBrowser                          bool
	quirks                             []string
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
	fl.StringArrayVar(&f.quirks, "quirk", nil, "a departure from the rules that this server needs, QUIRK or QUIRK=A,B (repeatable)")
	fl.SetNormalizeFunc(waiveIsQuirk)
	fl.StringVar(&f.revision, "revision", "auto", "revision of MCP authorization: auto, "+strings.Join(revisionNames(), ", "))
	fl.BoolVar(&f.strict, "strict", false, "refuse what is usually tolerated and noted")
	fl.DurationVar(&f.timeout, "timeout", 5*time.Minute, "how long to wait for you in the browser")
	fl.DurationVar(&f.server, "server-timeout", time.Minute, "how long the MCP server may take for an answer, logins apart; 0 is for ever")
	_ = c.RegisterFlagCompletionFunc("revision", cobra.FixedCompletions(append([]string{"auto"}, revisionNames()...), cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("quirk", cobra.FixedCompletions(quirkNames(), cobra.ShellCompDirectiveNoFileComp))
}

// waiveIsQuirk keeps the name that the flag --quirk had at first.
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
