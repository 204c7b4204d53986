package trace

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// TestVerifierIsRepeated: a server that repeats the verifier of a login in the scopes that it grants does not get it
// into the trace.
func TestVerifierIsRepeated(t *testing.T) {
	l := newLife(t, setting{})
	verifier := ""
	l.mangle = func(_ *life, req wire.Request, resp *wire.Response) {
		if v, ok := req.Form.Get("code_verifier"); ok {
			verifier = v
			resp.Body = bytes.Replace(resp.Body, []byte(`"scope":"user`), []byte(`"scope":"user x-`+v), 1)
		}
	}
	l.begin()
	l.want("TokenIssued")
	l.sound()
	if verifier == "" || bytes.Contains(l.out, []byte(verifier)) {
		t.Errorf("the verifier %q is in the trace", verifier)
	}
}

// TestHostRepeatsASecret: a secret that a host repeats in another answer, here in the id of its client, is replaced
// there as it is anywhere else.
func TestHostRepeatsASecret(t *testing.T) {
	const secret, id = "CANARY-asked-secret", "app-of-CANARY-asked-secret"
	l := newLife(t, setting{
		config: func(c *states.Config) { c.NoRegistration, c.Asks = true, []states.Question{states.AskClient} },
		peers: func(a *peer.ASConfig, _ *peer.RSConfig) {
			a.Clients = []peer.PreClient{{ID: id, Secret: secret, RedirectURIs: []string{callback}}}
		},
	})
	l.asked = states.Answered{Value: id, Secret: secret}
	l.begin()
	l.want("ClientGiven", "TokenIssued")
	l.sound()
	if bytes.Contains(l.out, []byte("CANARY")) {
		t.Error("the secret is in the trace")
	}
}

// TestCallbacksOfEveryLength: a callback of up to 64 KiB is read and a longer one is not, by the shadow as by the
// machine.
func TestCallbacksOfEveryLength(t *testing.T) {
	for _, c := range []struct {
		size  int
		event string
	}{{64 << 10, "CallbackReceived"}, {64<<10 + 1, "StateMismatch"}} {
		l := newLife(t, setting{})
		l.away = true
		l.begin()
		url := callback + "?code=CANARY-code-1&state=" + l.m.Data.Flow.State.Reveal() + "&x="
		l.step(states.Redirected{Serial: l.visit().Serial, URL: wire.Secret(url + strings.Repeat("C", c.size-len(url)))})
		l.want(c.event)
		l.sound()
	}
}

// TestWhatIsKeptOfADocument: a member that is public in metadata is not therefore kept in the answer to a registration.
// A list of supported values is kept in metadata if it consists of names of the protocol. A value of an unexpected type
// is replaced by another one of that type.
func TestWhatIsKeptOfADocument(t *testing.T) {
	for _, c := range []struct {
		state      states.State
		body, says string
	}{
		{states.Registering, `{"issuer":"https://as.example"}`, `"json":{"issuer":"text(18)"}`},
		{states.DiscoveringASM, `{"issuer":"https://as.example","x_supported":["en"]}`, `"x_supported":["en"]`},
		{states.DiscoveringASM, `{"issuer":"https://as.example","x_supported":["a CANARY","en"]}`, `"x_supported":[]`},
		{states.Exchanging, `{"access_token":"CANARY-token-0001","token_type":"Bearer","id_token":7}`, `"id_token":1`},
	} {
		if line, _ := answeredWith(t, c.state, []byte(c.body)); !strings.Contains(line, c.says) || strings.Contains(line, "CANARY") {
			t.Errorf("%s: %s", c.body, line)
		}
	}
}
