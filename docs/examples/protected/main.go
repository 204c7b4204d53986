// Command protected is an MCP server that asks for tokens: every request needs the scope
// notes, and the tool write needs notes:write as well.
//
//	stile serve as --port 9100 --scope notes --scope notes:write &
//	go run ./protected -issuer http://localhost:9100
package main

import (
	"context"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/stile-oauth/stile/httpdriver/bearer"
	"github.com/stile-oauth/stile/httpdriver/bearer/mcpsdk"
	"github.com/stile-oauth/stile/states/wire"
)

func main() {
	log.SetFlags(0)
	listen := flag.String("listen", "localhost:9101", "address to listen on")
	issuer := flag.String("issuer", "http://localhost:9100", "whose tokens count")
	flag.Parse()
	log.Fatal(serve(*listen, *issuer))
}

func serve(listen, issuer string) error {
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		return err
	}
	resource := "http://localhost:" + port + "/mcp" // as clients write it

	// Tokens are opaque: the issuer is asked about each one. For JWTs there is
	// bearer.FromIssuer.
	secret := os.Getenv("INTROSPECTION_SECRET")
	if secret == "" {
		secret = "dev_resource_server_secret" // of the development server
	}
	verifier, err := bearer.NewIntrospection(bearer.IntrospectionConfig{
		URL: issuer + "/introspect", ClientID: "dev_resource_server", ClientSecret: wire.Secret(secret),
	})
	if err != nil {
		return err
	}
	guard, err := bearer.New(bearer.Config{
		Policy:   bearer.Policy{Resource: resource, Issuers: []string{issuer}, Scopes: []string{"notes"}},
		Verifier: verifier,
		Tools:    []bearer.ToolScopes{{Tool: "write", Scopes: []string{"notes:write"}}},
	})
	if err != nil {
		return err
	}
	server := notes()
	mux := http.NewServeMux()
	guard.Mount(mux, mcpsdk.Handler(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil)))
	log.Print("protected MCP server at ", resource)
	return (&http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}).Serve(ln)
}

// notes is a server without anything about tokens.
func notes() *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "notes", Version: "1"}, nil)
	answer := func(text string) mcp.ToolHandlerFor[struct{}, any] {
		return func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, nil
		}
	}
	mcp.AddTool(s, &mcp.Tool{Name: "read", Description: "Read the notes"}, answer("buy milk"))
	mcp.AddTool(s, &mcp.Tool{Name: "write", Description: "Write a note"}, answer("written"))
	return s
}
