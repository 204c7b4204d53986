package fsm_test

import (
	"testing"

	"github.com/stile-oauth/stile/states"
)

// TestWhoseFault asks of every kind of failure whose fault it is, and whether
// the same may succeed later without anyone's help.
func TestWhoseFault(t *testing.T) {
	const (
		user, nobody   = states.PartyUser, states.PartyNobody
		host, peer     = states.PartyHost, states.PartyPeer
		network, store = states.PartyNetwork, states.PartyStore
		passes, lasts  = "TR", "TE"
		configured     = "config client=app client-secret=(the secret of the app) client-issuer=https://as.example"
		denies         = "redirect error=access_denied iss=https://as.example"
		trouble        = "redirect error=server_error iss=https://as.example"
		busy           = "redirect error=temporarily_unavailable iss=https://as.example"
		badClient      = "respond status=401\n{\"error\":\"invalid_client\"}"
		stale          = "wait 2h"
	)
	answers := func(way string, line string, n int) []string {
		out := lines("config", "reach "+way)
		for range n {
			out = append(out, line)
		}
		return append(out, "run")
	}
	refresh := func(more ...string) []string {
		return append(lines("config", "reach Authorized", stale, "machine b", "begin", "run until=Refreshing"), more...)
	}
	again := func(line string, more ...string) []string { // a code that is lost is asked for once more
		return append(lines("config", "reach Exchanging", line, "run", "visit", "run until=Exchanging", line), more...)
	}
	rows := []struct {
		name  string
		lines []string
		party states.Party
		kind  string
	}{
		// The user decides, or does not.
		{"denied", lines("config", "reach Authorizing", denies, "run"), user, lasts},
		{"denied at the token endpoint", answers("Exchanging", "respond status=400\n{\"error\":\"access_denied\"}", 1), user, lasts},
		{"not finished in time", lines("config", "reach Authorizing", "tick +5m", "run"), nobody, lasts},
		{"cancelled", lines("config", "reach Authorizing", "cancel", "run"), nobody, lasts},

		// The configuration, the host, another process of it.
		{"declined by the host", lines("config asks=(resource)", "reach Approving-Resource", "answer host value=no", "run"), host, lasts},
		{"an issuer that is not allowed", lines("config issuers=(https://other.example)", "begin login", "run"), host, lasts},
		{"no client id", lines("peer dcr=no", "config", "begin login", "run"), host, lasts},
		{"registration is closed", answers("Registering", "respond status=403", 1), host, lasts},
		{"a configured client that is unknown", lines("peer clients=(app:secret-of-the-app)", configured, "reach Exchanging", badClient, badClient, "run"), host, lasts},
		{"nobody can be sent", lines("config", "reach Authorizing", "unreachable unsent", "run"), host, lasts},
		{"interrupted with the code, twice", again("interrupt", "run"), host, passes},
		{"interrupted while registering, twice", answers("Registering", "interrupt", 2), host, passes},
		{"another process does not finish", lines("config", "reach Authorized", "wake", "answer store held", "wake", "wait 3m", "answer store"), host, passes},

		// The server is in trouble.
		{"5xx: resource metadata", answers("Discovering-PRM", "respond status=503", 5), peer, passes},
		{"429: resource metadata", answers("Discovering-PRM", "respond status=429", 5), peer, passes},
		{"5xx: server metadata", answers("Discovering-ASM", "respond status=500", 5), peer, passes},
		{"5xx: registration", answers("Registering", "respond status=502", 3), peer, passes},
		{"429: registration", answers("Registering", "respond status=429", 3), peer, passes},
		{"5xx: code", again("respond status=503", "run"), peer, passes},
		{"server_error: code", again("respond status=400\n{\"error\":\"server_error\"}", "run"), peer, passes},
		{"5xx: refresh", refresh("respond status=503", "respond status=503", "respond status=503", "run"), peer, passes},
		{"429: refresh", refresh("respond status=429", "respond status=429", "respond status=429", "run"), peer, passes},
		{"temporarily_unavailable: refresh", refresh("respond status=400\n{\"error\":\"temporarily_unavailable\"}", "respond status=400\n{\"error\":\"temporarily_unavailable\"}", "respond status=400\n{\"error\":\"temporarily_unavailable\"}", "run"), peer, passes},
		{"server_error: callback", lines("config", "reach Authorizing", trouble, "run"), peer, passes},
		{"temporarily_unavailable: callback", lines("config", "reach Authorizing", busy, "run"), peer, passes},
		{"a firewall before the refresh", refresh("respond status=403 type=text/html\n<p>no", "run"), peer, lasts},

		// The server breaks a rule, or refuses.
		{"metadata of another resource", lines("peer faults=(prm-cross-origin)", "config", "begin login", "run"), peer, lasts},
		{"another issuer in the callback", lines("config", "reach Authorizing", "redirect code=code-of-the-story iss=https://evil.example", "run"), peer, lasts},
		{"invalid_request: callback", lines("config", "reach Authorizing", "redirect error=invalid_request iss=https://as.example", "run"), peer, lasts},
		{"registration refused", answers("Registering", "respond status=400\n{\"error\":\"invalid_software_statement\"}", 1), peer, lasts},
		{"an answer that is no token", answers("Exchanging", "respond\n{}", 1), peer, lasts},
		{"invalid_grant: refresh", refresh("respond status=400\n{\"error\":\"invalid_grant\"}", "run"), peer, lasts},
		{"an address that must not be asked", answers("Discovering-ASM", "unreachable blocked", 1), peer, lasts},

		// No answer.
		{"nothing sent: metadata", answers("Discovering-PRM", "unreachable unsent", 5), network, passes},
		{"lost: server metadata", answers("Discovering-ASM", "unreachable lost", 5), network, passes},
		{"lost: registration", answers("Registering", "unreachable lost", 2), network, passes},
		{"lost: code", again("unreachable lost", "run"), network, passes},
		{"nothing sent: refresh", refresh("unreachable unsent", "unreachable unsent", "unreachable unsent", "unreachable unsent", "run"), network, passes},
		{"lost twice: refresh", refresh("unreachable lost", "run until=Refreshing", "unreachable lost", "run"), network, passes},
		{"certificate", answers("Discovering-ASM", "unreachable tls", 1), network, lasts},

		// The store.
		{"the store is away", lines("config", "begin", "answer store failed"), store, passes},
		{"an entry that cannot be opened", lines("config", "reach Authorized", "machine b", "begin", "answer store failed entry"), store, lasts},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			y := tell(t, r.lines...)
			f := y.data().Fault
			switch {
			case f == nil:
				t.Fatalf("nothing failed: %v", y.events)
			case f.Party != r.party:
				t.Errorf("fault of %s, not of %s: %v", f.Party, r.party, f)
			case y.kind() != r.kind:
				t.Errorf("it is %s, not %s: %v", y.kind(), r.kind, f)
			case f.Advice == "":
				t.Errorf("it does not say what to do: %v", f)
			}
		})
	}
}
