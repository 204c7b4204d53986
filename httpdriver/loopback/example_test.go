package loopback_test

import (
	"context"
	"fmt"

	"github.com/stile-oauth/stile/httpdriver/loopback"
)

func Example() {
	ctx := context.Background()
	r, err := loopback.Listen(loopback.Options{}) // bound before anything is registered
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = r.Close() }()
	address := "https://as.example/authorize?redirect_uri=" + r.RedirectURI() // and the rest of the request
	if err := loopback.OpenBrowser(ctx, address); err != nil {
		fmt.Println("open", address)
	}
	callback, reply, err := r.Wait(ctx) // what came back, or what was pasted
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(callback)
	reply(loopback.Page{OK: true, Title: "Signed in"})
}
