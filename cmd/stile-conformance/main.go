// Command stile-conformance is the client that the official MCP conformance
// suite drives: the go-sdk's MCP client, with Stile doing the authorization.
//
//	stile-conformance URL
//
// It does the same in every scenario: connect to the server at URL, list its tools,
// call each of them, and close. It ends with status 0 if all of that succeeded, and
// otherwise with 1 and the reason in the last line on stderr, after the steps that Stile
// took. Which scenario is being run makes no difference to it, except for the grant: a
// host decides whether a user logs in or the client asks in its own name.
//
// The suite passes its settings in the environment: MCP_CONFORMANCE_PROTOCOL_VERSION is
// the revision of MCP to use, and MCP_CONFORMANCE_CONTEXT is a JSON object that holds
// a client that was registered beforehand, in scenarios that have one.
// MCP_CONFORMANCE_SCENARIO says which grant it is about.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/stile-oauth/stile/fsm"
)

// cimd is the address of the client ID metadata document that the suite expects a
// client to name. Nothing is served there.
const cimd = "https://conformance-test.local/client-metadata.json"

// patience is the time limit for the whole run; the suite's own limit is 30 s.
const patience = 25 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ctx, cancel := context.WithTimeout(ctx, patience)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stderr)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "stile-conformance: %+q\n", err.Error())
		os.Exit(1)
	}
}

// settings are what the suite says about a scenario.
type settings struct {
	// Protocol is the revision of MCP; empty leaves it to the negotiation.
	Protocol string `json:"-"`
	// A client that was registered beforehand. Release 0.1.16 does not say at which
	// issuer; newer releases do.
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	Issuer       string `json:"issuer"`
	// PrivateKey is the key of a client that signs, in PEM form.
	PrivateKey string `json:"private_key_pem"`
	Algorithm  string `json:"signing_algorithm"`
	// WorkloadJWT is the assertion of the workload that runs here.
	WorkloadJWT string `json:"valid_jwt"`
	// IdP is the company's identity provider, IdPClientID the client there, and IDToken
	// what the provider says about the user.
	IdP         string `json:"idp_issuer"`
	IdPClientID string `json:"idp_client_id"`
	IDToken     string `json:"idp_id_token"`
	// Own says that the client asks in its own name.
	Own bool `json:"-"`
}

func readSettings(getenv func(string) string) (settings, error) {
	var s settings
	if c := getenv("MCP_CONFORMANCE_CONTEXT"); c != "" {
		if err := json.Unmarshal([]byte(c), &s); err != nil {
			return s, fmt.Errorf("MCP_CONFORMANCE_CONTEXT: %w", err)
		}
	}
	s.Protocol = getenv("MCP_CONFORMANCE_PROTOCOL_VERSION")
	s.Own = strings.HasPrefix(getenv("MCP_CONFORMANCE_SCENARIO"), "auth/client-credentials")
	return s, nil
}

func run(ctx context.Context, args []string, getenv func(string) string, log io.Writer) error {
	if len(args) != 1 {
		return errors.New("usage: stile-conformance URL")
	}
	s, err := readSettings(getenv)
	if err != nil {
		return err
	}
	client, closeClient, err := authorizing(args[0], s, log)
	if err != nil {
		return err
	}
	w := &witness{next: client.Transport}
	client.Transport = w
	err = useTools(ctx, client, args[0], s.Protocol)
	if first := w.fault(); err != nil && first != nil {
		// The MCP client wraps or loses the error that stopped it, because it may have
		// tried something else after the refusal.
		fmt.Fprintf(log, "stile-conformance: %+q\n", err.Error())
		err = first
	}
	return errors.Join(err, closeClient())
}

// witness remembers the first error from Stile below the MCP client.
type witness struct {
	next  http.RoundTripper
	mu    sync.Mutex
	first error
}

func (w *witness) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := w.next.RoundTrip(r)
	if _, ok := fsm.FaultOf(err); ok {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.first == nil {
			w.first = err
		}
	}
	return res, err
}

func (w *witness) fault() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.first
}

// useTools lists the server's tools and calls each of them, without arguments.
func useTools(ctx context.Context, client *http.Client, server, protocol string) (err error) {
	c := mcp.NewClient(&mcp.Implementation{Name: "stile-conformance", Version: "1"}, nil)
	session, err := c.Connect(ctx,
		&mcp.StreamableClientTransport{Endpoint: server, HTTPClient: client},
		&mcp.ClientSessionOptions{ProtocolVersion: protocol})
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	defer func() {
		if e := session.Close(); err == nil && e != nil {
			err = fmt.Errorf("closing: %w", e)
		}
	}()
	tools, err := session.ListTools(ctx, nil)
	if err != nil {
		return fmt.Errorf("listing the tools: %w", err)
	}
	if len(tools.Tools) == 0 {
		return errors.New("the server has no tools")
	}
	for _, t := range tools.Tools {
		result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: t.Name, Arguments: map[string]any{}})
		if err != nil {
			return fmt.Errorf("calling %s: %w", t.Name, err)
		}
		if result.IsError {
			return fmt.Errorf("calling %s: the tool failed", t.Name)
		}
	}
	return nil
}
