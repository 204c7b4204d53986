package states_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

var secrets = cmp.Comparer(func(a, b wire.Secret) bool { return a.Reveal() == b.Reveal() })

func credential() states.Credential {
	at := time.Date(2026, 7, 28, 12, 0, 0, 123, time.UTC)
	token := states.Token{
		Generation: 7, AccessToken: "the-access-token", Type: "Bearer", RefreshToken: "the-refresh-token", Received: at, Expires: at.Add(time.Hour),
		Granted: []string{"a", "b"}, Requested: []string{"a"}, Resource: "https://mcp.example/mcp", Metadata: "https://mcp.example/m", Listed: []string{"a"},
		Server:   wire.ASM{Issuer: "https://as.example", TokenEndpoint: "https://as.example/token", AuthMethods: []string{"none"}, Iss: true},
		Client:   wire.Client{ID: "client", Secret: "the-client-secret", Method: wire.MethodBasic, SecretExpires: at, RedirectURIs: []string{"http://127.0.0.1/cb"}},
		Revision: states.R4, RedirectURI: "http://127.0.0.1:1/cb", Login: 7, Quirks: []states.Quirk{{Name: states.OmitResource}}, Rotates: true, ClientDead: true, Climbed: states.Ladder{Refreshed: true},
	}
	old := token
	old.Generation = 6
	return states.Credential{Version: states.RecordVersion, Current: &token, Superseded: []states.Token{old}, Intent: &states.Intent{Attempt: 1, Holder: "h \"<é", Until: at, Since: at, Sent: at, Lost: true, GivenUp: true}}
}

func TestCredentialGoesRound(t *testing.T) {
	c := credential()
	s, err := states.Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"the-access-token", "the-refresh-token", "the-client-secret"} {
		if !strings.Contains(s.Reveal(), secret) {
			t.Errorf("%s is not stored", secret)
		}
	}
	got, err := states.DecodeCredential(s)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(&c, got, secrets, cmpopts.EquateEmpty()); d != "" {
		t.Error(d)
	}
	pointer, err := states.Encode(&c)
	if err != nil || pointer != s {
		t.Error("a record and a pointer to it are written differently")
	}
}

// TestUnknownMembersStay: what a newer writer added is carried along (rule
// store-schema-preserving), also through a change.
func TestUnknownMembersStay(t *testing.T) {
	const text = `{"version":1,"current":{"generation":1,"access_token":"a","token_type":"Bearer","received":"2026-07-28T12:00:00Z","server":{"issuer":"https://as.example"},"client":{"id":"c"}},"colour":"green","more":{"x":[1,2]}}`
	rec, err := states.DecodeCredential(text)
	if err != nil {
		t.Fatal(err)
	}
	d := states.Data{Record: rec, Obtained: &states.Token{AccessToken: "b", Server: wire.ASM{Issuer: "https://as.example"}}}
	s, err := states.Encode(d.Next())
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"colour":"green"`, `"more":{"x":[1,2]}`, `"access_token":"b"`} {
		if !strings.Contains(s.Reveal(), part) {
			t.Errorf("%s is lost in %s", part, s.Reveal())
		}
	}
	if _, err := states.DecodeCredential(s); err != nil {
		t.Error(err)
	}
}

func TestRecordsThatCannotBeRead(t *testing.T) {
	const secret = "a-secret-in-the-record"
	for _, r := range []struct {
		text string
		want error
	}{
		{`{"version":2,"current":{"access_token":"` + secret + `"}}`, states.ErrRecordVersion},
		{`{"version":0}`, states.ErrRecordVersion},
		{`{}`, states.ErrRecordVersion},
		{`{"version":1,"current":{"access_token":"` + secret + `"}}`, states.ErrRecordUnbound},
		{`{"version":1,"current":"` + secret + `"}`, nil},
		{`{"version":1,"version":1}`, nil},
		{`{"version":1}trailing ` + secret, nil},
		{secret, nil},
		{``, nil},
		{`null`, nil},
		{`[]`, nil},
	} {
		rec, err := states.DecodeCredential(wire.Secret(r.text))
		if err == nil || rec != nil {
			t.Errorf("%s is read", r.text)
			continue
		}
		if r.want != nil && !errors.Is(err, r.want) {
			t.Errorf("%s: %v", r.text, err)
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows the record: %v", err)
		}
	}
	if _, err := states.DecodeRegistration(`{"version":2}`); !errors.Is(err, states.ErrRecordVersion) {
		t.Errorf("a registration of a newer release: %v", err)
	}
	if _, err := states.DecodeRegistration(`{`); err == nil {
		t.Error("half a registration is read")
	}
}

func TestLoginGoesRound(t *testing.T) {
	l := states.Login{
		Version: states.RecordVersion, Config: &states.Config{Server: "https://mcp.example/mcp", UserTime: time.Minute, InitialToken: "the-initial-token"},
		Flow: &states.Flow{Why: "asked", State: "the-state", Verifier: "the-verifier", Deadline: time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)}, Entry: 3,
	}
	s, err := states.Encode(l)
	if err != nil {
		t.Fatal(err)
	}
	got, err := states.DecodeLogin(s, 9)
	if err != nil {
		t.Fatal(err)
	}
	l.Generation = 9
	if d := cmp.Diff(l, got, secrets, cmpopts.EquateEmpty()); d != "" {
		t.Error(d)
	}
	for _, text := range []string{`{`, `{"version":2}`, `{"version":1}`, `{"version":1,"config":{"server":"x"},"flow":{"why":"asked"}}`} {
		if _, err := states.DecodeLogin(wire.Secret(text), 1); err == nil {
			t.Errorf("%s is a login", text)
		}
	}
	if h := states.StateHash("the-state"); len(h) != 64 || h == states.StateHash("the-State") {
		t.Errorf("the hash of a state is %s", h)
	}
}

func TestLedgerIsKeptAsWellAsItCanBe(t *testing.T) {
	good, err := states.Encode(states.Ledger{Version: states.RecordVersion, Attempts: []states.Attempt{{Scopes: []string{"a"}}}})
	if err != nil {
		t.Fatal(err)
	}
	if l := states.DecodeLedger(good); len(l.Attempts) != 1 {
		t.Errorf("%+v", l)
	}
	for _, text := range []wire.Secret{"", "{", `{"version":9,"attempts":[{"scopes":["a"]}]}`} {
		if l := states.DecodeLedger(text); len(l.Attempts) != 0 || l.Version != states.RecordVersion {
			t.Errorf("%s reads as %+v", text.Reveal(), l)
		}
	}
}

// FuzzRecords: no bytes in a store make a decoder panic, and what is read can
// be written and read again.
func FuzzRecords(f *testing.F) {
	c := credential()
	s, err := states.Encode(c)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s.Reveal())
	f.Add(`{"version":1}`)
	f.Add(`{"version":1,"current":null,"x":1}`)
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = states.DecodeRegistration(wire.Secret(text))
		_, _ = states.DecodeLogin(wire.Secret(text), 1)
		_ = states.DecodeLedger(wire.Secret(text))
		rec, err := states.DecodeCredential(wire.Secret(text))
		if err != nil {
			return
		}
		s, err := states.Encode(rec)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := states.DecodeCredential(s)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if d := cmp.Diff(rec, again, secrets, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("a record changes on its way:\n%s", d)
		}
	})
}
