package fsm_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
)

// TestRefreshWithoutScope: a refresh whose answer names no scope gives what was
// granted before, which may be less than was asked for (RFC 6749 §6).
func TestRefreshWithoutScope(t *testing.T) {
	y := tell(t, "config scopes=(user, admin)", "peer listed=(user, admin)", "reach Exchanging",
		"respond\n"+`{"access_token":"the-first-token","refresh_token":"the-refresh-token","token_type":"Bearer","expires_in":3600,"scope":"user"}`,
		"run", "wake", "run until=Refreshing",
		"respond\n"+`{"access_token":"the-second-token","token_type":"Bearer","expires_in":3600}`, "run")
	data := y.data()
	tok := data.Token()
	if got := strings.Join(tok.Granted, " "); got != "user" || tok.Generation == 0 || !y.fired("TokenRefreshed") {
		t.Errorf("granted %q: %v", got, y.events)
	}
	if got := strings.Join(tok.Requested, " "); got != "user admin" {
		t.Errorf("asked for %q", got)
	}
}

// TestIntentsAreBelievedWhenPlausible: what a record says of the time of another
// process's refresh holds up nobody for longer than such a refresh can take.
// Clocks differ, and a record may be forged.
func TestIntentsAreBelievedWhenPlausible(t *testing.T) {
	base := tell(t, "config", "reach Authorized", "wake", "run until=Reloading")
	m := base.s.Machine()
	if m.State != states.Reloading {
		t.Fatal(m.State)
	}
	now, lease := m.Data.WakeAt, m.Data.Config.LeaseFor()
	if now.IsZero() {
		now = m.Data.Record.Current.Expires.Add(-30 * time.Second)
	}
	for _, c := range []struct {
		name   string
		intent states.Intent
		sends  bool
	}{
		{"at work", states.Intent{Attempt: 1, Holder: "b", Until: now.Add(20 * time.Second)}, false},
		{"at work to the end of a lease", states.Intent{Attempt: 1, Holder: "b", Until: now.Add(lease)}, false},
		{"beyond a lease", states.Intent{Attempt: 1, Holder: "b", Until: now.Add(lease + time.Second)}, true},
		{"over", states.Intent{Attempt: 1, Holder: "b", Until: now}, true},
		{"my own", states.Intent{Attempt: 1, Holder: m.Data.Config.Holder, Until: now.Add(20 * time.Second)}, true},
		{"lost, rests", states.Intent{Attempt: 3, Holder: "b", Until: now.Add(time.Minute), Lost: true}, false},
		{"lost, rests as long as it can", states.Intent{Attempt: 3, Holder: "b", Until: now.Add(10 * time.Minute), Lost: true}, false},
		{"lost, beyond all rests", states.Intent{Attempt: 3, Holder: "b", Until: now.Add(10*time.Minute + time.Second), Lost: true}, true},
		{"lost, rested", states.Intent{Attempt: 3, Holder: "b", Until: now, Lost: true}, true},
		{"given up", states.Intent{Attempt: 3, Holder: "b", Until: now, GivenUp: true}, false},
	} {
		rec := *m.Data.Record
		rec.Intent = &c.intent
		text, err := states.Encode(rec)
		if err != nil {
			t.Fatal(err)
		}
		res, err := fsm.NewEngine().StepResult(m, now, states.Loaded{Serial: m.Data.Serial, Value: text, Generation: m.Data.Entry})
		if err != nil {
			t.Fatal(err)
		}
		if got := res.Machine.State == states.Marking; got != c.sends {
			t.Errorf("%s: %s leads to %s", c.name, res.Event, res.Machine.State)
		}
	}
}

// TestRotationIsRemembered: an issuer that has replaced a refresh token once is
// taken for one that does, also when an answer brings none: a refresh whose answer
// says that the server is in trouble is tried less often there.
func TestRotationIsRemembered(t *testing.T) {
	answer := func(refresh string) string {
		if refresh != "" {
			refresh = `,"refresh_token":"` + refresh + `"`
		}
		return "respond\n" + `{"access_token":"an-access-token","token_type":"Bearer","expires_in":3600` + refresh + `}`
	}
	y := tell(t, "config", "reach Exchanging", answer("refresh-token-1"), "run")
	for _, c := range []struct {
		refresh string
		rotates bool
	}{{"", false}, {"refresh-token-1", false}, {"refresh-token-2", true}, {"", true}, {"refresh-token-2", true}} {
		y.go_("wake", "run until=Refreshing", answer(c.refresh), "run")
		data := y.data()
		if got := data.Token().Rotates; got != c.rotates {
			t.Errorf("after the refresh token %q: %v", c.refresh, got)
		}
	}
	before := y.posts("https://as.example/token")
	y.go_("wake", "run until=Refreshing", "respond status=503", "respond status=503")
	if n := y.posts("https://as.example/token") - before; n != 2 {
		t.Errorf("sent %d times", n)
	}
}

// TestWhoIsAskedWhich: the host is asked which issuer where there are several, and
// not where there is one.
func TestWhoIsAskedWhich(t *testing.T) {
	for servers, want := range map[string]int{"https://as.example": 0, "https://as.example, https://b.example": 1} {
		y := tell(t, "config asks=(issuer)", "peer servers=("+servers+")", "reach Authorizing")
		n := 0
		for _, e := range y.effects {
			if a, ok := e.(states.Ask); ok && a.Question == states.AskIssuer {
				n++
			}
		}
		if n != want || len(y.visits) == 0 {
			t.Errorf("%s: asked %d times (%v)", servers, n, y.events)
		}
	}
}

// TestRefreshRefusedByBasic: a bare 401 that asks for Basic is the refusal of the
// client, at a refresh as at an exchange; without that it is nobody's answer.
func TestRefreshRefusedByBasic(t *testing.T) {
	for header, refused := range map[string]bool{"WWW-Authenticate: Basic realm=as": true, "X: y": false} {
		y := tell(t, "config", "reach Authorized", "wake", "run until=Refreshing", "respond status=401 header=("+header+")\n<html>")
		got := slices.ContainsFunc(y.events, func(e string) bool {
			return strings.HasPrefix(e, "Client") && e != "ClientKnown" && e != "ClientFound" && e != "ClientReused"
		})
		if got != refused {
			t.Errorf("%s: %v", header, y.events)
		}
	}
}
