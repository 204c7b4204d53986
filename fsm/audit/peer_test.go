package audit

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm/peer"
)

var t0 = time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)

// world is a well-behaved pair of servers, or one with a fault.
func world(t *testing.T, faults ...string) (peer.World, string) {
	t.Helper()
	as, rs, err := peer.Side(faults)
	if err != nil {
		t.Fatal(err)
	}
	a, err := peer.NewAS(peer.ASConfig{Issuer: "https://as.example", Resources: []string{"https://mcp.example/mcp"}, Scopes: []string{"user", "admin"},
		DCR: true, CIMD: true, Iss: true, AutoConsent: true, RefreshRotation: true, Faults: as})
	if err != nil {
		t.Fatal(err)
	}
	r, err := peer.NewRS(peer.RSConfig{Resource: "https://mcp.example/mcp", AuthorizationServers: []string{"https://as.example"}, Scopes: []string{"user"}, Faults: rs})
	if err != nil {
		t.Fatal(err)
	}
	return peer.World{AS: []*peer.AS{a}, RS: []*peer.RS{r}}, "https://mcp.example/mcp"
}

// collect runs the passive probes against a world.
func collect(w peer.World, target string, checks []Check) Evidence {
	e := Evidence{Target: target, Source: LiveServer}
	for n := 0; n < 100; n++ {
		p, more := Next(&e, checks)
		if !more {
			return e
		}
		at := t0.Add(time.Duration(n) * time.Second)
		resp, _ := w.Answer(at, p.Request)
		e.Add(Exchange{Probe: p.Label, Leg: p.Leg, Issuer: p.Issuer, At: at.Sub(t0), Request: p.Request, Response: &resp, Clock: at,
			TLS: &TLS{Version: "1.3", NotAfter: t0.AddDate(1, 0, 0)}})
	}
	panic("the plan does not end")
}

func TestFaultsPrinted(t *testing.T) {
	for _, f := range append([]peer.Fault{{Name: "", Endpoint: "mcp"}}, peer.Faults()...) {
		if !slices.Contains([]string{"metadata", "prm", "mcp", "jwks"}, f.Endpoint) {
			continue
		}
		var fs []string
		if f.Name != "" {
			fs = []string{f.Name}
		}
		w, target := world(t, fs...)
		checks := Select(Options{})
		e := collect(w, target, checks)
		r := Judge(&e, checks)
		var out []string
		hit := false
		for _, x := range r.Findings() {
			out = append(out, fmt.Sprintf("%s/%s[%s]", x.Check, x.Severity, x.Rules[0]))
			hit = hit || slices.Contains(x.Rules, f.Rule)
		}
		fmt.Printf("%v %-30s %-10s %-35s %s\n", hit, f.Name, f.Endpoint, f.Rule, strings.Join(out, " "))
	}
}
