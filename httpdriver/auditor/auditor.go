// Package auditor carries the probes of an audit out over HTTP:
//
//	g, err := guard.New(guard.Options{})
//	checks := audit.Select(audit.Options{})
//	evidence, err := auditor.Run(ctx, "https://mcp.example/mcp", checks, auditor.Options{Guard: g})
//	r := audit.Judge(&evidence, checks)
//
// # Guarantees
//
//   - Every request goes through the guard: the same policy about addresses,
//     TLS, sizes and times as for a login. No redirect is followed.
//   - One request at a time, at a pace, and never more than the budget.
//   - What is kept of all answers is bounded, whatever the server sends.
//   - A server that asks to wait is waited for once; a server that is in trouble is left
//     alone, and the result says what was not asked.
//
// # Who should not use it
//
// Anybody who needs a scanner: it asks one server and the authorization servers that this
// one names, on behalf of somebody who is allowed to.
package auditor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
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
	BudgetLogin   = 400             // requests with logins
	BudgetEnd     = 60              // requests that end what an interrupted audit made
	shortWait     = 2 * time.Minute // the longest wait for a probe without Account.Slow
	burst         = 5               // requests before the pace begins
	pace          = time.Second     // between two requests to a host that is not loopback
	patience      = time.Minute     // the longest Retry-After that is waited for
	timeout       = 15 * time.Second
	maxBody       = 1 << 20  // of one answer
	maxHeld       = 16 << 20 // of all, and then
	minBody       = 65 << 10 // a little more than a document may have
	inTrouble     = 3        // answers of 5xx in a row after which a host is left alone
)

// Options say how a run behaves.
type Options struct {
	// Guard carries the policy; it is required.
	Guard *guard.Guard
	// Alone says that the target is an issuer, and that only it is asked.
	Alone bool
	// Budget is the most requests; 0 is BudgetPassive.
	Budget int
	// UserAgent names the audit; "" is stile-audit.
	UserAgent string
	// Account is what an audit with a login uses, and Browser lets the user
	// answer; both are needed for checks of that kind.
	Account *audit.Account
	Browser Browser
	// CCKey is the key of Account.CCClient, if it authenticates by one (SignWith); IdPKey
	// and WorkloadKey are those of Account.IdP and Account.Workload.
	CCKey, IdPKey, WorkloadKey audit.Key
	// Origin is the server's address behind its proxies, which is asked the first
	// question too; "" is none.
	Origin string
	// Resolve looks a name up; nil is the system's resolver.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	// Told, if not nil, is told of every probe before it is sent.
	Told func(audit.Probe)
	// Left, if not nil, is told what the audit would leave behind if it ended now,
	// whenever that changes.
	Left func([]audit.Leftover)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Wait waits; nil is a timer. Tests replace it.
	Wait func(context.Context, time.Duration) error
}

// ErrTarget says that the target is no address that can be audited.
var ErrTarget = errors.New("auditor: the target is no https URL, nor http on loopback")

// Run sends the probes of the checks and returns the evidence. If the context ends, it
// returns the evidence so far with the context's error.
func Run(ctx context.Context, target string, checks []audit.Check, o Options) (audit.Evidence, error) {
	if bad := wire.CheckURL(target, wire.URLPolicy{AllowLoopbackHTTP: true}); bad != nil {
		return audit.Evidence{}, fmt.Errorf("%w: %s", ErrTarget, bad.Detail)
	}
	r := newRun(target, o)
	if r.forges(checks) {
		end, err := r.prepare()
		if err != nil {
			return audit.Evidence{}, err
		}
		defer end()
	}
	err := r.all(ctx, func() (audit.Probe, bool) { return audit.Next(&r.evidence, checks) })
	return r.evidence, err
}

// End cleans up after an audit that was interrupted: what was granted is revoked, and
// what was registered is deleted. It adds to the evidence.
func End(ctx context.Context, e *audit.Evidence, o Options) error {
	r := newRun(e.Target, o)
	r.evidence, r.Budget = *e, BudgetEnd
	if n := len(e.Exchanges); n > 0 {
		r.began = r.began.Add(-e.Exchanges[n-1].At)
	}
	err := r.all(ctx, func() (audit.Probe, bool) { return audit.NextEnding(&r.evidence) })
	*e = r.evidence
	return err
}

// all sends one probe after the other until there is none.
func (r *run) all(ctx context.Context, next func() (audit.Probe, bool)) error {
	left := 0
	for {
		r.watch()
		p, more := next()
		if !more {
			return r.lastWatch(ctx)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if r.Told != nil {
			r.Told(p)
		}
		if err := r.await(ctx, p); err != nil {
			return err
		}
		var err error
		if p.Twice {
			r.askTwice(ctx, p)
		} else {
			var x audit.Exchange
			x, err = r.ask(ctx, p)
			r.evidence.Add(x)
		}
		if r.Left != nil && changesLeft(p.Leg) {
			if now := r.evidence.Leftovers(); len(now) > 0 || left > 0 {
				r.Left(now)
				left = len(now)
			}
		}
		if err != nil {
			return err
		}
	}
}

// changesLeft reports whether a request of a leg can leave something behind, or
// end it.
func changesLeft(l audit.Leg) bool {
	return slices.Contains([]audit.Leg{audit.LegRegister, audit.LegToken, audit.LegRefresh, audit.LegRevoke, audit.LegOther}, l)
}

// run is one audit under way.
type run struct {
	Options
	evidence audit.Evidence
	client   *http.Client
	began    time.Time
	sent     int
	canary   *canary
	caught   int               // requests that came to it
	held     atomic.Int64      // bytes of all bodies
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
	if o.Resolve == nil {
		o.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	client := o.Guard.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client.Timeout = timeout
	source := audit.LiveServer
	if o.Alone {
		source = audit.LiveIssuer
	}
	return &run{Options: o, evidence: audit.Evidence{Target: target, Origin: o.Origin, Source: source, Account: o.Account, CCKey: o.CCKey, IdPKey: o.IdPKey, WorkloadKey: o.WorkloadKey}, client: client,
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

// await waits until a probe is due. A probe that is due too late is not waited for, and
// fails in ask.
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

// askTwice sends a probe twice at the same time.
func (r *run) askTwice(ctx context.Context, p audit.Probe) {
	a := audit.Exchange{Probe: p.Label, Leg: p.Leg, Issuer: p.Issuer, Request: p.Request, At: r.Now().Sub(r.began)}
	b := a
	if p.Timed != nil { // each with a proof of its own, which is made from the time
		now := r.Now()
		a.Request, b.Request = p.Timed(now), p.Timed(now.Add(time.Nanosecond))
	}
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
