// Package auditor carries the probes of an audit out over HTTP:
//
//	g, err := guard.New(guard.Options{})
//	evidence, err := auditor.Run(ctx, "https://mcp.example/mcp", audit.Select(audit.Options{}), auditor.Options{Guard: g})
//	report := audit.Judge(&evidence, checks)
//
// What it guarantees:
//
//   - Every request goes through the guard: the same policy about addresses,
//     TLS, sizes and times as for a login. No redirect is followed.
//   - One request at a time, at a pace, and never more than the budget.
//   - A server that asks for patience gets it once; one that is in trouble is
//     left alone, and what was not asked is said.
//
// It is not a scanner: it asks one server and the authorization servers that
// this one names, on behalf of somebody who may.
package auditor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/httpdriver/guard"
	"github.com/stile-oauth/stile/states/wire"
)

// The bounds of a run.
const (
	BudgetPassive = 40              // requests of a passive audit
	BudgetActive  = 120             // requests with active checks
	BudgetClient  = 180             // requests with registrations
	BudgetLogin   = 320             // requests with logins
	shortWait     = 2 * time.Minute // the longest wait for a probe without Account.Slow
	burst         = 5               // requests before the pace begins
	pace          = time.Second     // between two requests to a host that is not loopback
	patience      = time.Minute     // the longest Retry-After that is waited for
	timeout       = 15 * time.Second
	maxBody       = 1 << 20
	inTrouble     = 3 // answers of 5xx in a row after which a host is left alone
)

// Options say how a run behaves.
type Options struct {
	// Guard carries the policy; it is required.
	Guard *guard.Guard
	// Alone says that the target is an issuer, and that it is asked alone.
	Alone bool
	// Budget is the most requests; 0 is BudgetPassive.
	Budget int
	// UserAgent names the audit; "" is stile-audit.
	UserAgent string
	// Account is what an audit with a login uses, and Browser lets the user
	// answer; both are needed for checks of that kind.
	Account *audit.Account
	Browser Browser
	// Told hears of every probe before it is sent; nil is nobody.
	Told func(audit.Probe)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Wait waits; nil is a timer. Tests replace it.
	Wait func(context.Context, time.Duration) error
}

// ErrTarget says that the target is no address that can be audited.
var ErrTarget = errors.New("auditor: the target is no https URL, nor http on loopback")

// Run asks what the checks want to know and returns the evidence. A context
// that ends gives the evidence until then with its error.
func Run(ctx context.Context, target string, checks []audit.Check, o Options) (audit.Evidence, error) {
	if bad := wire.CheckURL(target, wire.URLPolicy{AllowLoopbackHTTP: true}); bad != nil {
		return audit.Evidence{}, fmt.Errorf("%w: %s", ErrTarget, bad.Detail)
	}
	r := newRun(target, o)
	for {
		p, more := audit.Next(&r.evidence, checks)
		if !more {
			return r.evidence, nil
		}
		if err := ctx.Err(); err != nil {
			return r.evidence, err
		}
		if o.Told != nil {
			o.Told(p)
		}
		if err := r.await(ctx, p); err != nil {
			return r.evidence, err
		}
		if p.Twice {
			r.askTwice(ctx, p)
			continue
		}
		x, err := r.ask(ctx, p)
		r.evidence.Add(x)
		if err != nil {
			return r.evidence, err
		}
	}
}

// run is one audit under way.
type run struct {
	Options
	evidence audit.Evidence
	client   *http.Client
	began    time.Time
	sent     int
	trouble  map[string]int    // 5xx in a row, by host
	stopped  map[string]string // hosts that are left alone, and why
}

func newRun(target string, o Options) *run {
	if o.Budget == 0 {
		o.Budget = BudgetPassive
	}
	if o.UserAgent == "" {
		o.UserAgent = "stile-audit"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Wait == nil {
		o.Wait = wait
	}
	client := o.Guard.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client.Timeout = timeout
	source := audit.LiveServer
	if o.Alone {
		source = audit.LiveIssuer
	}
	return &run{Options: o, evidence: audit.Evidence{Target: target, Source: source, Account: o.Account}, client: client,
		began: o.Now(), trouble: map[string]int{}, stopped: map[string]string{}}
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// await waits until a probe is due. One that is due too late is sent at once and
// fails, in ask.
func (r *run) await(ctx context.Context, p audit.Probe) error {
	d := p.NotBefore - r.Now().Sub(r.began)
	if d <= 0 || r.tooLate(p) {
		return nil
	}
	return r.Wait(ctx, d)
}

func (r *run) tooLate(p audit.Probe) bool {
	return p.NotBefore-r.Now().Sub(r.began) > shortWait && (r.Account == nil || !r.Account.Slow)
}

// askTwice sends a probe two times at once.
func (r *run) askTwice(ctx context.Context, p audit.Probe) {
	a := audit.Exchange{Probe: p.Label, Leg: p.Leg, Issuer: p.Issuer, Request: p.Request, At: r.Now().Sub(r.began)}
	b := a
	b.Probe += audit.Second
	if r.sent+2 > r.Budget {
		a.Failure = r.spent()
		b.Failure = a.Failure
	} else {
		r.sent += 2
		var both sync.WaitGroup
		both.Go(func() { r.send(ctx, &a) })
		both.Go(func() { r.send(ctx, &b) })
		both.Wait()
	}
	r.evidence.Add(a)
	r.evidence.Add(b)
}

func (r *run) spent() string {
	return fmt.Sprintf("not asked: the budget of %d requests is spent", r.Budget)
}

// ask carries one probe out. An error is the context's; what goes wrong with a
// server is a part of the exchange.
func (r *run) ask(ctx context.Context, p audit.Probe) (audit.Exchange, error) {
	x := audit.Exchange{Probe: p.Label, Leg: p.Leg, Issuer: p.Issuer, Request: p.Request, At: r.Now().Sub(r.began)}
	u, err := url.Parse(p.Request.URL)
	if err != nil {
		x.Failure = "no address"
		return x, nil
	}
	if p.Visit {
		r.visit(ctx, &x)
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
		r.send(ctx, &x)
		if ctx.Err() != nil {
			return x, ctx.Err()
		}
		again, err := r.judge(ctx, u.Host, &x, try)
		if err != nil || !again {
			return x, err
		}
	}
}
