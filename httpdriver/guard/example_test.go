package guard_test

import (
	"context"
	"fmt"

	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states/wire"
)

// A server may not make this machine ask such an address: nothing is sent.
func Example() {
	g, err := guard.New(guard.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer g.CloseIdleConnections()
	_, failure := g.Do(context.Background(), guard.Call{Request: wire.Request{Method: "GET", URL: "http://169.254.169.254/latest/meta-data"}})
	fmt.Println(failure.Class, failure.Sent, failure.Rule)
	// Output: blocked false url-https
}
