package devas

import (
	"context"
	"time"

	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states/wire"
)

// Fetch gets client ID metadata documents through a guard: https, addresses
// judged when dialled, no redirect followed, at most a little over the 5 KiB
// that a document may have (CIMD §6.5, §6.6). With loopback, which is right for
// a server that is on loopback itself, documents of programs on this machine are
// read as well, also over http.
func Fetch(g *guard.Guard, loopback bool) func(context.Context, string) (wire.Response, error) {
	return func(ctx context.Context, url string) (wire.Response, error) {
		resp, failure := g.Do(ctx, guard.Call{
			Request: wire.Request{Method: "GET", URL: url, Header: wire.Fields{{Name: "Accept", Value: "application/json"}}},
			Timeout: 5 * time.Second, MaxBody: 8 << 10, Loopback: loopback,
		})
		if failure != nil {
			return wire.Response{}, failure
		}
		return resp, nil
	}
}
