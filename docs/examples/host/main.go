// Command host is a program on a user's machine: it lists the tools of a protected MCP
// server. The first run opens the browser; later ones find the login in the store.
//
//	stile serve as & stile serve rs &
//	go run ./host http://localhost:8001/mcp
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/storage/keyringstore"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: host URL")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := list(ctx, os.Args[1]); err != nil {
		stop()
		log.Fatal(err) //nolint:gocritic // stop has run
	}
}

func list(ctx context.Context, server string) error {
	// The store of this user, sealed with a key from the keyring; the same one that the
	// command stile uses, so a login of either serves both.
	store, notice, err := keyringstore.OpenDefault(ctx, keyringstore.Options{Getenv: os.Getenv})
	if err != nil {
		return err
	}
	if notice != "" {
		log.Print(notice) // where the key of the store is, if not in the keyring
	}
	driver, err := httpdriver.New(httpdriver.Options{Store: store})
	if err != nil {
		return err
	}
	defer driver.Close()

	client, err := driver.Client(httpdriver.Account{Server: server})
	if err != nil {
		return err
	}
	session, err := mcp.NewClient(&mcp.Implementation{Name: "example-host", Version: "1"}, nil).
		Connect(ctx, &mcp.StreamableClientTransport{Endpoint: server, HTTPClient: client}, nil)
	if err != nil {
		return err
	}
	defer session.Close()
	tools, err := session.ListTools(ctx, nil)
	if err != nil {
		return err
	}
	for _, t := range tools.Tools {
		fmt.Println(t.Name)
	}
	return nil
}
