package auditor

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/states/wire"
)

// ask carries out one probe. An error is the context's; a failure of the server is part
// of the exchange.
func (r *run) ask(ctx context.Context, p audit.Probe) (audit.Exchange, error) {
	x := audit.Exchange{Probe: p.Label, Leg: p.Leg, Issuer: p.Issuer, Request: p.Request, At: r.Now().Sub(r.began)}
	u, err := url.Parse(p.Request.URL)
	if err != nil {
		x.Failure = "no address"
		return x, nil
	}
	switch {
	case p.Visit:
		r.visit(ctx, p, &x)
		return x, ctx.Err()
	case p.Leg == audit.LegNames:
		r.resolve(ctx, u.Hostname(), &x)
		return x, ctx.Err()
	}
	if why := r.stopped[u.Host]; why != "" {
		x.Failure = why
		return x, nil
	}
	if r.sent >= r.Budget {
		x.Failure = r.spent()
		return x, nil
	}
	if r.tooLate(p) {
		x.Failure = "not asked: it would be a wait of " + (p.NotBefore - x.At).Round(time.Second).String()
		return x, nil
	}
	for try := 0; ; try++ {
		if r.sent >= burst && !wire.IsLoopbackHTTP(p.Request.URL) {
			if err := r.Wait(ctx, pace); err != nil {
				return x, err
			}
		}
		x.At = r.Now().Sub(r.began)
		r.sent++
		if p.Timed != nil {
			x.Request = p.Timed(r.Now())
		}
		r.send(ctx, &x)
		if ctx.Err() != nil || p.Braked && x.Response != nil && x.Response.Status == http.StatusTooManyRequests {
			return x, ctx.Err()
		}
		again, err := r.judge(ctx, u.Host, &x, try)
		if err != nil || !again {
			return x, err
		}
	}
}

// lookup bounds the search for one name.
const lookup = 5 * time.Second

// resolve looks a name up: nobody but the resolver is asked.
func (r *run) resolve(ctx context.Context, host string, x *audit.Exchange) {
	ctx, cancel := context.WithTimeout(ctx, lookup)
	defer cancel()
	list, err := r.Resolve(ctx, host)
	if err != nil {
		x.Failure = "the name was not found"
		return
	}
	for _, a := range list {
		x.Addresses = append(x.Addresses, a.String())
	}
	slices.Sort(x.Addresses)
}
