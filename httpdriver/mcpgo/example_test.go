package mcpgo_test

import (
	"context"
	"fmt"
	"log"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/mcpgo"
)

// A client of mcp-go in a web application, which shows its user a link to log in.
func Example() {
	const url = "https://mcp.example/mcp"
	d, err := httpdriver.New(httpdriver.Options{Host: httpdriver.Web("https://host.example/callback")})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	httpClient, err := d.Client(httpdriver.Account{Server: url})
	if err != nil {
		log.Fatal(err)
	}
	c, err := client.NewStreamableHttpClient(url, transport.WithHTTPBasicClient(httpClient))
	if err != nil {
		log.Fatal(err)
	}
	_, err = c.Initialize(context.Background(), mcp.InitializeRequest{})
	if login, ok := mcpgo.Link(err); ok {
		fmt.Println("log in at", login.URL)
	}
}
