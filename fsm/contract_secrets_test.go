package fsm_test

import (
	stdjson "encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// 6. A secret leaves the machine in a Send, a Visit, a Save, a Grant or the
// explicit marshaller only; printing anything shows secret(…).
func TestContract6NothingPrintsASecret(t *testing.T) {
	for _, p := range sample(steps(t), 1) {
		secrets := append(secretsOf(p.Before), secretsOf(p.Result.Machine)...)
		values := []any{p.Result.Machine, &p.Result.Machine, p.Result.Machine.Data, p.Result, p.In}
		d := p.Result.Machine.Data
		values = append(values, d.Config, d.Flow, d.Record, d.Obtained)
		for _, e := range p.Result.Effects {
			values = append(values, e)
			for _, s := range secrets {
				if leaks(e, s) {
					t.Errorf("%T of %s carries a secret", e, p.Result.Machine.State)
				}
			}
		}
		// A server may quote a secret in a challenge. The machine keeps nothing of that;
		// the input is the host's, as it came.
		quoted := ""
		if in, ok := p.In.(states.Challenged); ok {
			quoted = strings.Join(in.Response.Header.Header("WWW-Authenticate"), " ")
		}
		for _, v := range values {
			_, input := v.(states.Challenged)
			for how, text := range printed(v) {
				for _, s := range secrets {
					if strings.Contains(text, s) && !(input && strings.Contains(quoted, s)) {
						t.Errorf("%s of %T shows a secret in %s after %s", how, v, p.Result.Machine.State, p.Result.Event)
					}
				}
			}
		}
	}
}

// leaks reports a secret in an effect that is not to carry one.
func leaks(e states.Effect, secret string) bool {
	switch e := e.(type) {
	case states.Report:
		return strings.Contains(e.Fault.Error()+e.Fault.Peer+e.Fault.Advice, secret)
	case states.Note:
		return strings.Contains(e.Finding.Detail, secret)
	case states.Load:
		return strings.Contains(e.Key.String(), secret)
	case states.Claim:
		return strings.Contains(e.Key.String(), secret)
	case states.Delete:
		return strings.Contains(e.Key.String(), secret)
	case states.Save:
		return strings.Contains(e.Key.String(), secret)
	case states.Ask:
		return strings.Contains(e.Subject+e.Default+strings.Join(e.Options, " "), secret)
	case states.Send:
		return strings.Contains(e.Request.URL, secret) || strings.Contains(string(e.Request.Body), secret)
	}
	return false
}

func secretsOf(m fsm.Machine) []string {
	var out []string
	add := func(list ...wire.Secret) {
		for _, s := range list {
			if len(s) >= 8 {
				out = append(out, s.Reveal())
			}
		}
	}
	token := func(t *states.Token) {
		if t != nil {
			add(t.AccessToken, t.RefreshToken, t.Client.Secret, t.Client.RegistrationToken)
		}
	}
	d := m.Data
	add(d.Seed, d.Spent, d.Config.InitialToken)
	if d.Config.Client != nil {
		add(d.Config.Client.Secret)
	}
	token(d.Obtained)
	if d.Record != nil {
		token(d.Record.Current)
	}
	for i := range d.Retiring {
		token(&d.Retiring[i])
	}
	if f := d.Flow; f != nil {
		add(f.Verifier, f.State, f.Client.Secret)
		if cb, bad := wire.ParseCallback(f.Callback.Reveal()); bad == nil {
			add(cb.Code)
		}
	}
	return out
}

// printed prints a value in every usual way.
func printed(v any) map[string]string {
	out := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t"} {
		out[verb] = fmt.Sprintf(verb, v)
	}
	if b, err := stdjson.Marshal(v); err == nil {
		out["encoding/json"] = string(b)
	}
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("step", "v", v)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("step", "v", v)
	out["slog"] = b.String()
	return out
}
