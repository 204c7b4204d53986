package states_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

func TestEveryStateIsDescribed(t *testing.T) {
	seen := map[string]states.State{}
	for _, s := range states.All {
		if !states.Known(s) || states.Group(s) == "" || !strings.HasSuffix(states.Describe(s), ".") {
			t.Errorf("%s: group %q, %q", s, states.Group(s), states.Describe(s))
		}
		if other, twice := seen[states.Describe(s)]; twice {
			t.Errorf("%s and %s are described alike", s, other)
		}
		seen[states.Describe(s)] = s
	}
	if states.Known("Nowhere") || states.Describe("Nowhere") != "" || states.Group("Nowhere") != "" || states.Enter("Nowhere", nil) != nil {
		t.Error("a state that does not exist is known")
	}
	if states.Invariant("Nowhere", nil) == "" {
		t.Error("a state that does not exist has no invariant to break")
	}
}

// TestInvariantsOfEmptyFacts: a state that needs facts says so.
func TestInvariantsOfEmptyFacts(t *testing.T) {
	free := map[states.State]bool{states.Idle: true, states.Anonymous: true, states.Loading: true, states.Recalling: true, states.Erasing: true}
	for _, s := range states.All {
		if got := states.Invariant(s, &states.Data{Config: &states.Config{}}); (got == "") != free[s] {
			t.Errorf("%s without any facts: %q", s, got)
		}
	}
	if states.Invariant(states.Anonymous, &states.Data{Flow: &states.Flow{}}) == "" {
		t.Error("a login may be under way in Anonymous")
	}
}

func TestRevisions(t *testing.T) {
	for i, a := range states.Revisions {
		for j, b := range states.Revisions {
			if a.AtLeast(b) != (i >= j) {
				t.Errorf("%s at least %s: %v", a, b, a.AtLeast(b))
			}
		}
		if !states.Auto.AtLeast(a) {
			t.Errorf("auto is not at least %s", a)
		}
	}
}

func TestRedirects(t *testing.T) {
	for _, r := range []struct {
		uri, elided string
		allowed     bool
	}{
		{"http://127.0.0.1:4711/callback", "http://127.0.0.1/callback", true},
		{"http://127.0.0.1/callback", "http://127.0.0.1/callback", true},
		{"http://[::1]:4711/callback", "http://[::1]/callback", true},
		{"http://localhost:4711/callback", "http://localhost/callback", true},
		{"https://app.example/callback", "https://app.example/callback", true},
		{"https://app.example:8443/callback", "https://app.example:8443/callback", true},
		{"http://app.example/callback", "http://app.example/callback", false},
		{"http://127.0.0.1.evil.example/callback", "http://127.0.0.1.evil.example/callback", false},
		{"http://10.0.0.1:80/callback", "http://10.0.0.1:80/callback", false},
		{"https://app.example/callback#x", "https://app.example/callback#x", false},
		{"https://app.example/callback#", "https://app.example/callback#", false},
		{"https://user@app.example/callback", "https://user@app.example/callback", false},
		{"my.app:/callback", "my.app:/callback", false},
		{"javascript:alert(1)", "javascript:alert(1)", false},
		{"/callback", "/callback", false},
		{"", "", false},
		{"http://127.0.0.1:%zz/", "http://127.0.0.1:%zz/", false},
	} {
		if got := states.ElidePort(r.uri); got != r.elided {
			t.Errorf("%q without its port is %q, not %q", r.uri, got, r.elided)
		}
		if got := states.RedirectAllowed(r.uri); got != r.allowed {
			t.Errorf("%q is allowed: %v", r.uri, got)
		}
	}
	for _, r := range []struct {
		have []string
		want string
		ok   bool
	}{
		{nil, "http://127.0.0.1:1/cb", true},
		{[]string{"http://127.0.0.1:1/cb"}, "http://127.0.0.1:2/cb", true},
		{[]string{"http://127.0.0.1:1/cb"}, "http://localhost:1/cb", false},
		{[]string{"http://127.0.0.1:1/cb"}, "http://127.0.0.1:1/other", false},
		{[]string{"https://app.example:1/cb"}, "https://app.example:2/cb", false},
		{[]string{"https://a.example/cb", "https://b.example/cb"}, "https://b.example/cb", true},
	} {
		if got := states.RedirectUsable(r.have, r.want); got != r.ok {
			t.Errorf("%q for a client of %v: %v", r.want, r.have, got)
		}
	}
}

func TestConfigBounds(t *testing.T) {
	var c states.Config
	if c.UserWait() != 300*time.Second || c.HTTP() != 15*time.Second || c.LeaseFor() != time.Minute {
		t.Errorf("%s, %s, %s", c.UserWait(), c.HTTP(), c.LeaseFor())
	}
	c = states.Config{UserTime: time.Second, HTTPTime: 2 * time.Second, LeaseTime: 3 * time.Second}
	if c.UserWait() != time.Second || c.HTTP() != 2*time.Second || c.LeaseFor() != 3*time.Second {
		t.Errorf("%s, %s, %s", c.UserWait(), c.HTTP(), c.LeaseFor())
	}
}

// TestKeysKeepApart: no two owners or kinds share a key.
func TestKeysKeepApart(t *testing.T) {
	seen := map[states.Key]string{}
	resource, err := wire.CanonicalServer("https://mcp.example/mcp")
	if err != nil {
		t.Fatal(err)
	}
	add := func(what string, k states.Key) {
		if other, twice := seen[k]; twice {
			t.Errorf("%s and %s share %v", what, other, k)
		}
		seen[k] = what
	}
	for _, tenant := range []string{"", "t"} {
		for _, subject := range []string{"", "s"} {
			for _, account := range []string{"", "a"} {
				c := states.Config{Resource: resource, Tenant: tenant, Subject: subject, Account: account, Redirects: []string{"http://127.0.0.1/cb"}}
				who := tenant + "/" + subject + "/" + account
				add("credential of "+who, c.CredentialKey())
				add("mark of "+who, c.MarkKey())
				add("ledger of "+who, c.LedgerKey())
			}
		}
	}
	if got := (states.Key{Kind: states.KindCredential, Tenant: "t", Subject: "s", Account: "a", Name: "n"}).String(); got != "credential of n, account a, subject s, tenant t" {
		t.Errorf("a key prints as %q", got)
	}
}

// TestDraw: chance is 43 characters of base64url, and never the same twice.
func TestDraw(t *testing.T) {
	d := states.Data{Seed: "0123456789abcdef0123456789abcdef"}
	same := d
	seen := map[wire.Secret]bool{}
	for range 100 {
		for _, label := range []string{"state", "verifier"} {
			v := d.Draw(label)
			if len(v) != 43 || strings.Trim(v.Reveal(), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
				t.Fatalf("drew %d characters", len(v))
			}
			if seen[v] {
				t.Fatal("drew the same twice")
			}
			seen[v] = true
			if n := d.Jitter(); n < 0 || n > 999 {
				t.Fatalf("a jitter of %d", n)
			}
		}
	}
	again, other := same, same
	other.Seed = "0123456789abcdef0123456789abcdeF"
	if again.Draw("state") != same.Draw("state") || other.Draw("state") == same.Draw("state") || same.Draw("state") == same.Draw("verifier") {
		t.Error("what is drawn does not follow from seed, label and count alone")
	}
}

func TestRenewal(t *testing.T) {
	at := time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)
	token := states.Token{Generation: 1, RefreshToken: "r", Received: at, Expires: at.Add(time.Hour)}
	for _, r := range []struct {
		name   string
		change func(*states.Data, *states.Token)
		want   time.Time
	}{
		{"an hour", func(*states.Data, *states.Token) {}, at.Add(time.Hour - 30*time.Second)},
		{"a minute", func(d *states.Data, k *states.Token) {
			k.Expires = at.Add(time.Minute)
			d.FreshUntil = k.Expires
		}, at.Add(54 * time.Second)},
		{"no refresh token", func(_ *states.Data, k *states.Token) { k.RefreshToken = "" }, time.Time{}},
		{"refused", func(d *states.Data, _ *states.Token) { d.NoRenew = true }, time.Time{}},
		{"life unknown", func(d *states.Data, _ *states.Token) { d.FreshUntil = time.Time{} }, time.Time{}},
		{"put off", func(d *states.Data, _ *states.Token) { d.RenewAfter = at.Add(time.Hour - 10*time.Second) }, at.Add(time.Hour - 10*time.Second)},
		{"put off earlier", func(d *states.Data, _ *states.Token) { d.RenewAfter = at }, at.Add(time.Hour - 30*time.Second)},
	} {
		k := token
		d := states.Data{Record: &states.Credential{Current: &k}, FreshUntil: k.Expires}
		r.change(&d, &k)
		if got := d.Renewal(); !got.Equal(r.want) {
			t.Errorf("%s: renewed at %s, not %s", r.name, got, r.want)
		}
	}
	d := states.Data{Record: &states.Credential{Current: &token}, FreshUntil: token.Expires}
	if !d.Usable(at) || d.Usable(token.Expires) {
		t.Error("a token is usable until it expires, and no longer")
	}
	d.Rejected = 1
	if d.Usable(at) {
		t.Error("a token that was refused counts as usable")
	}
	if d = (states.Data{}); d.Usable(at) || d.Token() != nil || !d.Renewal().IsZero() {
		t.Error("no token counts as one")
	}
}

// TestNextKeepsWhatItReplaces: a grant that this login did not spend is kept as
// superseded, bounded; the one that was spent is gone; unknown members stay.
func TestNextKeepsWhatItReplaces(t *testing.T) {
	grant := func(n string) *states.Token {
		return &states.Token{AccessToken: wire.Secret("a" + n), RefreshToken: wire.Secret("r" + n)}
	}
	d := states.Data{Obtained: grant("0")}
	if n := d.Next(); n.Current != d.Obtained || len(n.Superseded) != 0 || n.Version != states.RecordVersion {
		t.Errorf("over nothing: %+v", n)
	}
	rec := d.Next()
	for _, n := range []string{"1", "2", "3", "4", "5", "6"} {
		d = states.Data{Record: rec, Obtained: grant(n)}
		rec = d.Next()
	}
	if len(rec.Superseded) != states.MaxSuperseded || rec.Superseded[states.MaxSuperseded-1].RefreshToken != "r5" {
		t.Errorf("%d superseded", len(rec.Superseded))
	}
	spent := states.Data{Record: rec, Obtained: grant("7"), Spent: "r6"}
	if n := spent.Next(); len(n.Superseded) != len(rec.Superseded) || n.Superseded[0].RefreshToken != rec.Superseded[0].RefreshToken {
		t.Error("the token that was spent is kept")
	}
	same := grant("8")
	same.RefreshToken = "r6"
	kept := states.Data{Record: rec, Obtained: same}
	if n := kept.Next(); len(n.Superseded) != len(rec.Superseded) {
		t.Error("a grant whose refresh token goes on is kept as superseded")
	}
}
