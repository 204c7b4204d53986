package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/stile-oauth/stile/cmd/stile-conformance/internal/kit"
	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/httpdriver/bearer"
)

// runForeign runs a client's life at each issuer. A stage that fails ends that life,
// because the next stages depend on it.
func runForeign(ctx context.Context, k *kit.Kit, o options) []kit.Row {
	var rows []kit.Row
	for _, i := range issuers {
		audits := i.explained != nil && o.wanted(i.name, auditName)
		if !o.wanted(i.name, "stile") && !audits {
			continue
		}
		f := &foreign{kit: k, options: o, what: i}
		if err := f.build(ctx); err != nil {
			rows = append(rows, kit.Row{Group: i.title(), Name: "(the servers)", Faults: []string{err.Error()}})
		} else {
			if audits { // before the client's life: the audit ends logins and restarts the issuer
				rows = append(rows, f.audited(ctx, f.account(), i.explained))
			}
			if o.wanted(i.name, "stile") {
				rows = append(rows, f.live(ctx)...)
			}
		}
		if err := f.stop(); err != nil {
			rows = append(rows, kit.Row{Group: i.title(), Name: "(the end of the servers)", Faults: []string{err.Error()}})
		}
	}
	return rows
}

// account is the audit's client at somebody else's issuer.
func (f *foreign) account() *audit.Account {
	a := f.world.account()
	a.IntrospectID, a.IntrospectSecret = introspector, introspector+"-secret"
	if c := f.policy.Client; c != nil {
		a.ClientID, a.ClientSecret, a.RedirectURI = c.ID, c.Secret, f.policy.Redirects[0]
	}
	return a
}

func (f *foreign) live(ctx context.Context) []kit.Row {
	var rows []kit.Row
	for _, s := range f.what.stages {
		r := f.stage(ctx, s)
		rows = append(rows, r)
		if len(r.Faults) > 0 {
			break
		}
	}
	return rows
}

func (f *foreign) stage(ctx context.Context, s stage) kit.Row {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r := kit.Row{Group: f.what.title(), Name: "stile " + s.name}
	from := len(f.tap.since(0))
	if err := s.do(ctx, f.client); err != nil {
		r.Fault("%v", err)
	}
	o := outcome{Requests: f.tap.since(from)}
	registers := 0
	if s.registers && f.what.registers {
		registers = 1
	}
	for _, x := range []struct {
		what      string
		got, want int
	}{
		{"logins", o.grants("authorization_code"), s.logins},
		{"refreshes", o.grants("refresh_token"), s.refreshes},
		{"registrations", o.registrations(), registers},
	} {
		if x.got != x.want {
			r.Fault("%d %s, not %d", x.got, x.what, x.want)
		}
	}
	r.Said = fmt.Sprintf("%d requests to the issuer", len(o.Requests))
	if r.Output = o.Requests; len(r.Faults) > 0 {
		r.Output = append(r.Output, f.server.stderr.lines()...)
	}
	return r
}

// swapped is a verifier that can be replaced while it is used.
type swapped struct {
	mu  sync.Mutex
	now bearer.Verifier
}

func (s *swapped) use(v bearer.Verifier) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = v
}

// Verify asks the current verifier.
func (s *swapped) Verify(ctx context.Context, token string) (bearer.Claims, error) {
	s.mu.Lock()
	v := s.now
	s.mu.Unlock()
	return v.Verify(ctx, token)
}
