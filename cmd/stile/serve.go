package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/httpdriver/devas"
)

func newServe(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve an authorization server, an identity provider or a protected MCP server",
		Long: `Starts one of the servers that Stile is tested with. The servers listen on loopback
only, have a user with a published password, and misbehave on request (--fault).
They are for development and tests; nothing important should trust them.`,
		Example: `  stile serve as                            # terminal 1
  stile serve rs                            # terminal 2
  stile login http://localhost:8001/mcp     # terminal 3`,
		Args: subcommand,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newServeAS(a), newServeIdP(a), newServeRS(a), newServeLegacy(a), newServeFaults(a))
	return c
}

// listenFlags are the flags of every server.
type listenFlags struct {
	host   string
	port   int
	public string
	faults []string
}

func (f *listenFlags) add(c *cobra.Command, port int, what string) {
	fl := c.Flags()
	fl.IntVar(&f.port, "port", port, "the `PORT` to listen on; 0 chooses a free one")
	fl.StringVar(&f.host, "host", "localhost", "the loopback `HOST` to listen on")
	fl.StringVar(&f.public, what, "", "the public `URL`, if it is not http://HOST:PORT")
	fl.StringArrayVar(&f.faults, "fault", nil, "misbehave in this way, NAME or NAME@TIMES (repeatable; stile serve faults lists them)")
	_ = c.RegisterFlagCompletionFunc("fault", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var out []string
		for _, f := range peer.Faults() {
			out = append(out, f.Name+"\t"+f.Says)
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	})
}

// listen gives the listener and the origin that the server is known by.
func (f *listenFlags) listen() (net.Listener, string, error) {
	if f.port < 0 || f.port > 65535 {
		return nil, "", usage("--port: %d is not a port", f.port)
	}
	ln, err := devas.Listen(net.JoinHostPort(f.host, strconv.Itoa(f.port)))
	if err != nil {
		return nil, "", &failure{code: exitUsage, err: err, advice: "free the port, or choose another with --port"}
	}
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		return nil, "", err
	}
	if f.public != "" {
		return ln, f.public, nil
	}
	return ln, "http://" + net.JoinHostPort(f.host, port), nil
}

// dpopFlags say how a server handles proofs of possession.
type dpopFlags struct {
	dpop   string
	nonces bool
}

func (f *dpopFlags) add(c *cobra.Command) {
	fl := c.Flags()
	fl.StringVar(&f.dpop, "dpop", "offered", "`WHETHER` to bind tokens to keys of clients (DPoP, RFC 9449): off, offered, required")
	fl.BoolVar(&f.nonces, "dpop-nonces", false, "demand that proofs hold a nonce of this server")
	needs(fl, "!dpop=off", "dpop-nonces")
	_ = c.RegisterFlagCompletionFunc("dpop", cobra.FixedCompletions([]string{"off", "offered", "required"}, cobra.ShellCompDirectiveNoFileComp))
}

func (f *dpopFlags) policy() (peer.DPoP, error) {
	switch f.dpop {
	case "off":
		return peer.NoDPoP, nil
	case "offered":
		return peer.DPoPOffered, nil
	case "required":
		return peer.DPoPRequired, nil
	}
	return "", usage("--dpop: %q is not one of off, offered, required", f.dpop)
}

// side checks that the faults are those of one side.
func (f *listenFlags) side(as bool) error {
	ofAS, ofRS, err := peer.Side(f.faults)
	if err != nil {
		return &failure{code: exitUsage, err: err, advice: "stile serve faults lists them"}
	}
	switch {
	case as && len(ofRS) > 0:
		return usage("--fault: %s is a fault of a resource server; give it to stile serve rs", ofRS[0])
	case !as && len(ofAS) > 0:
		return usage("--fault: %s is a fault of an authorization server; give it to stile serve as", ofAS[0])
	}
	return nil
}

// serverLog is the log of a development server: warnings and refusals with the
// rule that the request broke, and everything with --verbose.
func (a *app) serverLog() *slog.Logger {
	level := slog.LevelInfo
	if a.verbose {
		level = slog.LevelDebug
	}
	o := &slog.HandlerOptions{Level: level}
	if a.json {
		return slog.New(slog.NewJSONHandler(a.err, o))
	}
	return slog.New(slog.NewTextHandler(a.err, o))
}

// serving is what a server says about itself.
type serving struct {
	Serving  string   `json:"serving"`
	Address  string   `json:"address"`
	Issuer   string   `json:"issuer,omitempty"`
	User     string   `json:"user,omitempty"`
	Password string   `json:"password,omitempty"`
	Scopes   []string `json:"scopes"`
	// The client with which a resource server introspects.
	IntrospectionClient string `json:"introspection_client,omitempty"`
	IntrospectionSecret string `json:"introspection_secret,omitempty"`
	// The client that an identity provider knows.
	Client       string   `json:"client,omitempty"`
	ClientSecret string   `json:"client_secret,omitempty"`
	Faults       []string `json:"faults,omitempty"`
}

// serve prints what it serves, and serves until it is interrupted.
func (a *app) serve(ctx context.Context, ln net.Listener, h http.Handler, s serving, lines ...string) error {
	if err := a.result(s, func() {
		a.say("%s\n", s.Address)
		for _, l := range lines {
			a.say("  %s\n", l)
		}
		for _, name := range s.Faults {
			if f, ok := peer.FaultNamed(name); ok {
				a.say("  fault %s: %s\n", name, f.Says)
			}
		}
	}); err != nil {
		return err
	}
	err := devas.Serve(ctx, ln, h)
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func newServeFaults(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "faults",
		Short: "List the ways in which the servers can misbehave",
		Args:  takes(),
		RunE: func(*cobra.Command, []string) error {
			type view struct {
				Name     string `json:"name"`
				Endpoint string `json:"endpoint"`
				Rule     string `json:"rule"`
				Says     string `json:"says"`
			}
			var all []view
			for _, f := range peer.Faults() {
				all = append(all, view{f.Name, f.Endpoint, string(f.Rule), f.Says})
			}
			place := func(v view) int { return slices.IndexFunc(all, func(x view) bool { return x.Endpoint == v.Endpoint }) }
			all = slices.SortedStableFunc(slices.Values(all), func(a, b view) int { return cmp.Compare(place(a), place(b)) })
			return a.result(all, func() {
				c := paint(a.colours(a.out))
				at := ""
				for _, f := range all {
					if f.Endpoint != at {
						at = f.Endpoint
						side := "authorization server"
						if at == "prm" || at == "mcp" {
							side = "MCP server"
						}
						a.say("%s\n", c.bold(fmt.Sprintf("%s (%s)", at, side)))
					}
					a.say("  %-30s %s %s\n", f.Name, f.Says, c.dim("("+f.Rule+")"))
				}
			})
		},
	}
}
