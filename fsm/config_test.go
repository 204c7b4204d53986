package fsm_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/model"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// Rules: cimd-url-path.
func TestNewChecksTheConfiguration(t *testing.T) {
	good := states.Config{Server: "https://MCP.example:443/mcp/", Redirects: []string{"http://127.0.0.1/callback"}}
	m, err := fsm.New(good)
	if err != nil || m.State != states.Idle || m.Data.Config.Resource.String() != "https://mcp.example/mcp/" || m.Data.Config.Loopback {
		t.Fatalf("%v %+v", err, m.Data.Config)
	}
	if good.Resource != (wire.URL{}) {
		t.Error("New changed the configuration it was given")
	}
	local, err := fsm.New(states.Config{Server: "http://localhost:8080/mcp"})
	if err != nil || !local.Data.Config.Loopback {
		t.Errorf("a server on loopback: %v", err)
	}
	for _, r := range []struct {
		says   string
		change func(*states.Config)
	}{
		{"Server", func(c *states.Config) { c.Server = "" }},
		{"Server", func(c *states.Config) { c.Server = "mcp.example/mcp" }},
		{"Server", func(c *states.Config) { c.Server = "http://mcp.example/mcp" }},
		{"Server", func(c *states.Config) { c.Server = "javascript:alert(1)" }},
		{"Server", func(c *states.Config) { c.Server = "https://mcp.example\\@evil.example" }},
		{"Revision", func(c *states.Config) { c.Revision = "2024-11-05" }},
		{"Redirects", func(c *states.Config) { c.Redirects = []string{"http://app.example/callback"} }},
		{"Redirects", func(c *states.Config) { c.Redirects = []string{"my.app:/callback"} }},
		{"Redirects", func(c *states.Config) { c.Redirects = []string{"https://app.example/callback#x"} }},
		{"CIMD", func(c *states.Config) { c.CIMD = "http://app.example/client.json" }},
		{"CIMD", func(c *states.Config) { c.CIMD = "http://127.0.0.1:1/client.json" }},
		{"CIMD", func(c *states.Config) { c.Server = "http://localhost:1/mcp"; c.CIMD = "http://app.example/client.json" }},
		{"CIMD", func(c *states.Config) { c.CIMD = "https://app.example" }},
		{"CIMD", func(c *states.Config) { c.CIMD = "https://app.example/" }},
		{"CIMD", func(c *states.Config) { c.CIMD = "https://u:p@app.example/client.json" }},
		{"Client", func(c *states.Config) { c.Client = &states.Configured{Secret: "a-secret-in-the-config"} }},
		{"AuthMethod", func(c *states.Config) { c.AuthMethod = "private_key_jwt" }},
		{"Grants", func(c *states.Config) { c.Grants = []string{"client_credentials"} }},
		{"Profile", func(c *states.Config) { c.Profile.Logo = "javascript:alert(1)" }},
		{"Issuer", func(c *states.Config) { c.Issuer = "http://as.example" }},
		{"Issuer", func(c *states.Config) { c.Issuers = []string{"https://as.example", "ftp://as.example"} }},
		{"Quirks", func(c *states.Config) { c.Quirks = []states.Quirk{{Name: "no-such-rule"}} }},
		{"Quirks", func(c *states.Config) {
			c.Quirks = []states.Quirk{{Name: "issuer-alias", Values: []string{"https://one.example"}}}
		}},
		{"Quirks", func(c *states.Config) { c.Quirks = []states.Quirk{{Name: "assume-s256", Values: []string{"x"}}} }},
		{"Parameters", parameter("state", "x")},
		{"Parameters", parameter("request_uri", "https://evil.example")},
		{"Parameters", parameter("response_mode", "fragment")},
		{"Parameters", parameter("prompt", "login none")},
		{"Parameters", parameter("a b", "x")},
		{"Parameters", parameter("audience", "x\ny")},
		{"Parameters", parameter("audience", strings.Repeat("x", 1025))},
		{"Parameters", func(c *states.Config) { parameter("hd", "a")(c); parameter("hd", "b")(c) }},
		{"StatePrefix", func(c *states.Config) { c.StatePrefix = "relay&state=" }},
		{"StatePrefix", func(c *states.Config) { c.StatePrefix = strings.Repeat("x", 129) }},
	} {
		c := states.Config{Server: "https://mcp.example/mcp"}
		r.change(&c)
		_, err := fsm.New(c)
		if !errors.Is(err, fsm.ErrConfig) || !strings.Contains(err.Error(), r.says) {
			t.Errorf("%s: %v", r.says, err)
		}
		if err != nil && strings.Contains(err.Error(), "a-secret-in-the-config") {
			t.Errorf("the error shows a secret: %v", err)
		}
	}
}

func parameter(name, value string) func(*states.Config) {
	return func(c *states.Config) {
		c.Parameters = append(c.Parameters, states.Parameter{Name: name, Value: value})
	}
}

// TestWhatMayNotBeWaived: the rules that have no quirk (docs/decision-tables.md#t10),
// and those that bind this engine itself.
func TestWhatMayNotBeWaived(t *testing.T) {
	forbidden := []rules.ID{
		rules.IssuerNoCrossUse, rules.URLHTTPS, rules.NetRedirectPost, rules.AuthzReqPKCE,
		rules.PRMResourceCrossOrigin, rules.TokenRespJSONStrict,
	}
	n := 0
	for _, rule := range rules.All() {
		self := strings.HasPrefix(rule.Breach, "SELF") && !strings.Contains(rule.Breach, "QUIRK")
		if !self && !slices.Contains(forbidden, rule.ID) && !strings.HasPrefix(string(rule.ID), "issuer-response-") {
			continue
		}
		n++
		_, err := fsm.New(states.Config{Server: "https://mcp.example/mcp", Quirks: []states.Quirk{{Name: states.QuirkName(rule.ID)}}})
		if !errors.Is(err, fsm.ErrConfig) {
			t.Errorf("%s can be waived", rule.ID)
		}
	}
	if n < 50 {
		t.Errorf("%d rules only", n)
	}
}

// TestRegistrationKeys: the client of an issuer belongs to its redirect URIs,
// whatever their loopback port.
//
// Rules: issuer-credentials-keyed.
func TestRegistrationKeys(t *testing.T) {
	key := func(issuer string, redirects ...string) states.Key {
		m, err := fsm.New(states.Config{Server: "https://mcp.example/mcp", Redirects: redirects})
		if err != nil {
			t.Fatal(err)
		}
		return m.Data.Config.RegistrationKey(issuer)
	}
	first := key("https://as.example", "http://127.0.0.1:1/cb")
	if first != key("https://as.example", "http://127.0.0.1:2/cb") {
		t.Error("the port of a loopback redirect matters")
	}
	for _, other := range []states.Key{
		key("https://as.example/", "http://127.0.0.1:1/cb"), key("https://as.example", "http://127.0.0.1:1/other"),
		key("https://as.example", "http://localhost:1/cb"), key("https://as.example"),
		key("https://as.example", "http://127.0.0.1:1/cb", "https://app.example/cb"),
	} {
		if first == other {
			t.Errorf("%v is shared", other)
		}
	}
}

func TestResumeAndRestoreRefuseWhatIsNoMachine(t *testing.T) {
	for _, l := range []states.Login{
		{}, {Version: states.RecordVersion + 1, Config: &states.Config{}, Flow: &states.Flow{}},
		{Version: states.RecordVersion, Flow: &states.Flow{}}, {Version: states.RecordVersion, Config: &states.Config{}},
	} {
		if m, err := fsm.Resume(l); err == nil || m.State != "" {
			t.Errorf("%+v is resumed", l)
		}
	}
	for _, text := range []wire.Secret{"", "{", "{}", `{"state":"Idle"}`, `{"state":"Nowhere","data":{"config":{"server":"https://mcp.example"}}}`} {
		if _, err := fsm.Restore(text); err == nil {
			t.Errorf("%s is restored", text.Reveal())
		}
	}
	if _, _, err := fsm.NewEngine().Step(fsm.Machine{}, model.Start, states.Ticked{}); !errors.Is(err, fsm.ErrIllegal) {
		t.Errorf("a machine out of nowhere: %v", err)
	}
}

// TestResumedBeforeRedirected: a login that another replica began is taken up before a callback
// is taken, because there is no chance to draw from until then.
func TestResumedBeforeRedirected(t *testing.T) {
	var parked fsm.Machine
	for _, p := range steps(t) {
		if p.Before.State == states.Parking && p.Result.Machine.State == states.Authorizing {
			parked = p.Result.Machine
			break
		}
	}
	d := parked.Data
	m, err := fsm.Resume(states.Login{Version: states.RecordVersion, Config: d.Config, Flow: d.Flow, Generation: d.Flow.Login})
	if err != nil {
		t.Fatal(err)
	}
	back := states.Redirected{Serial: m.Data.Flow.Visit, URL: wire.Secret(d.Flow.RedirectURI + "?code=c&state=" + d.Flow.State.Reveal())}
	if _, _, err := fsm.NewEngine().Step(m, model.Start, back); !errors.Is(err, fsm.ErrIllegal) {
		t.Errorf("a callback before Resumed: %v", err)
	}
	m, _, err = fsm.NewEngine().Step(m, model.Start, states.Resumed{Seed: wire.Secret(strings.Repeat("s", fsm.MinSeed))})
	if err != nil {
		t.Fatal(err)
	}
	back.Serial = m.Data.Flow.Visit
	if _, _, err := fsm.NewEngine().Step(m, model.Start, back); err != nil {
		t.Errorf("a callback after it: %v", err)
	}
}

func TestFourTypesOfError(t *testing.T) {
	for _, r := range []struct {
		party states.Party
		want  any
	}{
		{states.PartyHost, new(*fsm.HostError)}, {states.PartyUser, new(*fsm.HostError)}, {states.PartyPeer, new(*fsm.PeerError)},
		{states.PartyNetwork, new(*fsm.NetworkError)}, {states.PartyStore, new(*fsm.StoreError)},
	} {
		f := states.Fault{Party: r.party, State: states.Loading, Event: "StoreLost", Doing: "reading", Peer: "https://mcp.example",
			Problem: wire.Problem{Rule: rules.StoreVersioned, Detail: "why"}, First: &wire.Problem{Rule: rules.PRMServed, Detail: "what was first"}, Advice: "what to do"}
		err := fmt.Errorf("login: %w", fsm.Err(f))
		if !errors.As(err, r.want) {
			t.Errorf("%s is a %T", r.party, fsm.Err(f))
		}
		back, ok := fsm.FaultOf(err)
		if !ok || back.Party != r.party {
			t.Errorf("%s is lost", r.party)
		}
		for _, part := range []string{"reading", "https://mcp.example", "store-versioned: why", "prm-served: what was first", "Loading", string(r.party), "what to do"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q does not say %q", err, part)
			}
		}
	}
	if _, ok := fsm.FaultOf(errors.New("another")); ok {
		t.Error("any error holds a fault")
	}
	if _, ok := fsm.FaultOf(nil); ok {
		t.Error("no error holds a fault")
	}
}
