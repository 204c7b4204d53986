package bridge_test

import (
	"context"
	"log"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/bridge"
)

// A program that a host starts, and that speaks to one server for it.
func Example() {
	const url = "https://mcp.example/mcp"
	d, err := httpdriver.New(httpdriver.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = d.Close() }()
	client, err := d.Client(httpdriver.Account{Server: url})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	err = bridge.Run(ctx, bridge.Options{Server: url, Client: client})
	if err != nil {
		log.Fatal(err)
	}
}
