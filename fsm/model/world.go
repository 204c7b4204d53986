package model

import (
	"fmt"
	"strings"
	"time"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// The parties of every story that does not name its own.
const (
	Issuer   = "https://as.example"
	Resource = "https://mcp.example/mcp"
	Callback = "http://127.0.0.1:4711/callback"
)

// Start is when every story begins.
var Start = time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)

// Client is the configuration of a client; holder names its process.
func Client(holder string) states.Config {
	return states.Config{Server: Resource, Redirects: []string{Callback}, ClientName: "Story", Holder: holder}
}

// Servers are one issuer, and one resource with a tool that needs more scope.
func Servers() (peer.ASConfig, peer.RSConfig) {
	return peer.ASConfig{
			Issuer: Issuer, Scopes: []string{"user", "admin"}, Seed: []byte("story"),
			DCR: true, Iss: true, RefreshRotation: true, AutoConsent: true,
			Users: []peer.User{{Name: "ann", Password: "open sesame"}},
		}, peer.RSConfig{
			Resource: Resource, AuthorizationServers: []string{Issuer}, Scopes: []string{"user"},
			Rules: []peer.ScopeRule{{Tool: "purge", Scopes: []string{"admin"}}},
		}
}

// Seed makes the nth seed of 32 bytes: the same for each n, and different for different n.
func Seed(n int) wire.Secret { return wire.Secret(fmt.Sprintf("chance-%025d", n)) }

// Late reports whether it is too late to send a request.
func Late(now, notAfter time.Time) bool { return !notAfter.IsZero() && !now.Before(notAfter) }

// Exchange answers a request as the servers do, within the limits that the request asks
// for. known is false if there is no such host.
func Exchange(net *peer.World, at time.Time, q states.Send) (r wire.Response, known bool) {
	r, known = net.Answer(at, q.Request)
	if q.MaxBody > 0 && int64(len(r.Body)) > q.MaxBody {
		r.Body, r.Oversized = r.Body[:q.MaxBody], true
	}
	return r, known
}

// Consent visits an authorization endpoint and gives the address that the visit leads
// back to, or "" if it leads nowhere.
func Consent(net *peer.World, at time.Time, address, redirect string) string {
	r, _ := net.Answer(at, wire.Request{Method: "GET", URL: address})
	for _, l := range r.Header.Header("Location") {
		if strings.HasPrefix(l, redirect) {
			return l
		}
	}
	return ""
}

// call is a request to an MCP server: for a tool, or for the list of tools if tool is
// empty. If token is nil, the request has no token.
func call(server, tool string, token *states.Grant) wire.Request {
	r := wire.Request{Method: "POST", URL: server, Body: []byte(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)}
	if tool != "" {
		r.Body = []byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + tool + `"}}`)
	}
	if token != nil {
		r.Header = wire.Fields{{Name: "Authorization", Value: token.Type + " " + token.AccessToken.Reveal(), Secret: true}}
	}
	return r
}

// Ask sends a Call, with the proof that a bound token needs; n must be different each
// time. As with a driver, the request is sent once more if the server wants its nonce.
func Ask(net *peer.World, at time.Time, server, tool string, token *states.Grant, n int) wire.Response {
	r := call(server, tool, token)
	if token == nil || token.Thumbprint == "" {
		out, _ := net.Answer(at, r)
		return out
	}
	bare := r.Header
	prove := func(nonce string) wire.Response {
		s := states.Sign{Key: "proof"}
		s.Header, s.Claims = wire.Proof(wire.ProofParams{
			Method: r.Method, URL: server, ID: fmt.Sprint("call ", n, " ", nonce), At: at.Add(token.ClockOffset), Nonce: nonce,
			Token: token.AccessToken, Alg: "EdDSA", Key: proofKey,
		})
		signed, _ := Sign(s).(states.Signed)
		r.Header = append(bare[:len(bare):len(bare)], wire.Field{Name: "DPoP", Value: signed.JWS.Reveal(), Secret: true})
		out, _ := net.Answer(at, r)
		return out
	}
	out := prove("")
	if nonce := wire.ProofNonce(out); out.Status == 401 && nonce != "" {
		return prove(nonce)
	}
	return out
}
