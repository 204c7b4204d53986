package fsm_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// The documents of a cold flow, as a usual server sends them.
const (
	prmDoc = `{"resource":"https://mcp.example/mcp","authorization_servers":["https://as.example"],"scopes_supported":["read","write"],"bearer_methods_supported":["header"],"resource_name":"Example"}`
	asmDoc = `{"issuer":"https://as.example","authorization_endpoint":"https://as.example/authorize","token_endpoint":"https://as.example/token","registration_endpoint":"https://as.example/register","revocation_endpoint":"https://as.example/revoke","introspection_endpoint":"https://as.example/introspect","jwks_uri":"https://as.example/jwks.json","scopes_supported":["read","write","offline_access"],"response_types_supported":["code"],"response_modes_supported":["query"],"grant_types_supported":["authorization_code","refresh_token"],"token_endpoint_auth_methods_supported":["none","client_secret_basic","client_secret_post"],"code_challenge_methods_supported":["S256"],"authorization_response_iss_parameter_supported":true,"client_id_metadata_document_supported":true,"service_documentation":"https://as.example/docs"}`
	regDoc = `{"client_id":"client-7f3a9c","client_id_issued_at":1795253955,"client_name":"Stile","redirect_uris":["http://127.0.0.1:39323/callback"],"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none","application_type":"native","scope":"read write"}`
	tokDoc = `{"access_token":"at-7d0f5c1c9e5b4c0f8a","token_type":"Bearer","expires_in":3600,"refresh_token":"rt-3b9d1e7f5a6c4d2e1f","scope":"read write offline_access"}`
)

var jsonHeader = wire.Fields{{Name: "Cache-Control", Value: "no-store"}, {Name: "Content-Type", Value: "application/json"}}

func doc(status int, body string) wire.Response {
	return wire.Response{Status: status, Header: jsonHeader, Body: []byte(body)}
}

var (
	prmAnswer, asmAnswer = doc(200, prmDoc), doc(200, asmDoc)
	regAnswer, tokAnswer = doc(201, regDoc), doc(200, tokDoc)
	refusal              = wire.Response{Status: 401, Header: wire.Fields{{Name: "WWW-Authenticate", Value: `Bearer resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp"`}}}
)

// cold drives one machine from Idle to Authorized with canned answers, and
// counts the steps.
func cold(tb testing.TB, e *fsm.Engine, m fsm.Machine, at time.Time) (done fsm.Machine, steps int) {
	in := states.Input(states.Begun{Seed: "c2VlZHNlZWRzZWVkc2VlZHNlZWRzZWVkc2VlZHNlZWQ"})
	for {
		var effects []states.Effect
		var err error
		m, effects, err = e.Step(m, at, in)
		if err != nil {
			tb.Fatal(err)
		}
		steps++
		switch m.State {
		case states.Anonymous:
			in = states.Challenged{Response: refusal}
			continue
		case states.Authorized:
			return m, steps
		case states.Failed:
			tb.Fatal(m.Data.Fault)
		}
		switch q := effects[len(effects)-1].(type) {
		case states.Load:
			in = states.NotFound{Serial: q.Serial}
		case states.Save:
			in = states.Saved{Serial: q.Serial, Generation: states.Generation(q.Serial)}
		case states.Delete:
			in = states.Deleted{Serial: q.Serial}
		case states.Claim:
			in = states.Claimed{Serial: q.Serial}
		case states.Ask:
			in = states.Answered{Serial: q.Serial, Value: "http://127.0.0.1:39323/callback"}
		case states.Visit:
			in = states.Redirected{Serial: q.Serial, URL: "http://127.0.0.1:39323/callback?code=code-of-thirty-two-characters-123&iss=https%3A%2F%2Fas.example&state=" + m.Data.Flow.State}
		case states.Send:
			r := prmAnswer
			switch m.State {
			case states.DiscoveringASM:
				r = asmAnswer
			case states.Registering:
				r = regAnswer
			case states.Exchanging:
				r = tokAnswer
			}
			in = states.Responded{Serial: q.Serial, Response: r}
		default:
			tb.Fatalf("%T in %s", q, m.State)
		}
	}
}

func coldConfig() states.Config {
	return states.Config{
		Server: "https://mcp.example/mcp", ClientName: "Stile", Holder: "bench",
		Redirects: []string{"http://127.0.0.1/callback"},
	}
}

// BenchmarkColdFlow/machine is a login through the machine alone; /floor is
// what no implementation can do without: the same documents decoded once with
// encoding/json, one S256, the same requests and records encoded.
func BenchmarkColdFlow(b *testing.B) {
	b.Run("machine", func(b *testing.B) {
		e := fsm.NewEngine()
		start, err := fsm.New(coldConfig())
		if err != nil {
			b.Fatal(err)
		}
		at := time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)
		steps := 0
		b.ReportAllocs()
		for b.Loop() {
			_, n := cold(b, e, start, at)
			steps += n
		}
		b.ReportMetric(float64(steps)/b.Elapsed().Seconds(), "steps/s")
	})
	b.Run("floor", func(b *testing.B) {
		m, err := fsm.New(coldConfig())
		if err != nil {
			b.Fatal(err)
		}
		done, _ := cold(b, fsm.NewEngine(), m, time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC))
		b.ReportAllocs()
		for b.Loop() {
			floor(b, done)
		}
	})
}

// TestColdFlowAllocations holds a cold flow to twice the allocations of its
// floor.
func TestColdFlowAllocations(t *testing.T) {
	e := fsm.NewEngine()
	start, err := fsm.New(coldConfig())
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)
	done, _ := cold(t, e, start, at)
	machine := testing.AllocsPerRun(100, func() { cold(t, e, start, at) })
	least := testing.AllocsPerRun(100, func() { floor(t, done) })
	if machine > 2*least {
		t.Errorf("%v allocations; the floor is %v", machine, least)
	}
	page, err := os.ReadFile("../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	said := regexp.MustCompile(`machine / floor \| [0-9.]+ \| ([0-9]+) / ([0-9]+) = `).FindSubmatch(page)
	if said == nil {
		t.Fatal("docs/performance.md does not say what a cold flow takes")
	}
	for i, now := range []float64{machine, least} {
		if then, err := strconv.ParseFloat(string(said[i+1]), 64); err != nil || math.Abs(now-then) > 0.02*then {
			t.Errorf("docs/performance.md says %s allocations; it is %.0f", said[i+1], now)
		}
	}
}

func floor(b testing.TB, m fsm.Machine) {
	var prm struct {
		Resource string   `json:"resource"`
		Servers  []string `json:"authorization_servers"`
		Scopes   []string `json:"scopes_supported"`
	}
	var asm struct {
		Issuer        string   `json:"issuer"`
		Authorization string   `json:"authorization_endpoint"`
		Token         string   `json:"token_endpoint"`
		Registration  string   `json:"registration_endpoint"`
		Revocation    string   `json:"revocation_endpoint"`
		Scopes        []string `json:"scopes_supported"`
		Responses     []string `json:"response_types_supported"`
		Grants        []string `json:"grant_types_supported"`
		Methods       []string `json:"token_endpoint_auth_methods_supported"`
		PKCE          []string `json:"code_challenge_methods_supported"`
		Iss           bool     `json:"authorization_response_iss_parameter_supported"`
		CIMD          bool     `json:"client_id_metadata_document_supported"`
	}
	var reg struct {
		ID        string   `json:"client_id"`
		Method    string   `json:"token_endpoint_auth_method"`
		Redirects []string `json:"redirect_uris"`
	}
	var tok struct {
		Access  string `json:"access_token"`
		Type    string `json:"token_type"`
		Expires int    `json:"expires_in"`
		Refresh string `json:"refresh_token"`
		Scope   string `json:"scope"`
	}
	for _, d := range []struct {
		doc string
		to  any
	}{{prmDoc, &prm}, {asmDoc, &asm}, {regDoc, &reg}, {tokDoc, &tok}} {
		if err := json.Unmarshal([]byte(d.doc), d.to); err != nil {
			b.Fatal(err)
		}
	}
	t := m.Data.Record.Current
	sum := sha256.Sum256([]byte("verifier-of-forty-three-characters-or-more-1"))
	q := url.Values{
		"response_type": {"code"}, "client_id": {reg.ID}, "redirect_uri": {t.RedirectURI},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
		"state": {"state-of-forty-three-characters-or-more-1234"}, "scope": {tok.Scope}, "resource": {prm.Resource},
	}
	_ = asm.Authorization + "?" + q.Encode()
	f := url.Values{
		"grant_type": {"authorization_code"}, "code": {"code-of-thirty-two-characters-123"}, "redirect_uri": {t.RedirectURI},
		"code_verifier": {"verifier-of-forty-three-characters-or-more-1"}, "client_id": {reg.ID}, "resource": {prm.Resource},
	}
	_ = f.Encode()
	for _, v := range []any{
		map[string]any{ // the registration request
			"client_name": "Stile", "redirect_uris": reg.Redirects, "grant_types": []string{"authorization_code", "refresh_token"},
			"response_types": []string{"code"}, "token_endpoint_auth_method": "none", "application_type": "native", "scope": tok.Scope,
		},
		states.Mark{Version: 1, Holder: "bench"},
		states.Registration{Version: 1, Client: t.Client, Issuer: asm.Issuer},
		t,             // the parked login is of about this size
		m.Data.Record, // the credential
	} {
		if _, err := json.Marshal(v); err != nil {
			b.Fatal(err)
		}
	}
}
