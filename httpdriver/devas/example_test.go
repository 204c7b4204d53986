package devas_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/stile-oauth/stile/httpdriver/devas"
)

// An authorization server on a free port of loopback, for a test.
func Example() {
	ln, err := devas.Listen("127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	issuer := "http://" + ln.Addr().String()
	as, err := devas.NewAS(devas.DefaultAS(issuer))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- devas.Serve(ctx, ln, as) }()

	found, err := devas.Discover(ctx, http.DefaultClient, issuer)
	fmt.Println(found.Issuer == issuer, err)

	stop()
	fmt.Println(<-done)
	// Output:
	// true <nil>
	// <nil>
}
