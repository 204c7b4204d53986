package fsm_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// The secrets that peers quote in these tests.
const (
	echoAccess  = "at-7d0f5c1c/9e5b+4c0f=8a"
	echoRefresh = "rt-3b9d1e7f5a6c4d2e1f"
	echoSecret  = "cs=Gx7+0dTq/93bN~5w"
	echoCode    = "code-5a1bC9dE77"
	echoInitial = "iat-40e1f0b2c3d4"
)

// spellings writes a secret in the ways that a peer may quote it.
var spellings = map[string]func(string) string{
	"plain":               func(s string) string { return s },
	"in a sentence":       func(s string) string { return "Invalid token: '" + s + "', sorry." },
	"glued to text":       func(s string) string { return "token=" + s + "&x" },
	"percent":             url.PathEscape,
	"form":                url.QueryEscape,
	"percent, every byte": percentAll,
	"percent twice":       func(s string) string { return url.QueryEscape(percentAll(s)) },
	"JSON escapes":        func(s string) string { return jsonAll(s) },
	"JSON, percent":       func(s string) string { return percentAll(jsonAll(s)) },
	"base64":              func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"base64url":           func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) },
	"Basic credentials":   func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte("client-7f3a9c:"+s)) },
	"Basic, one further": func(s string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte("client-7f3a9cd:"+s))
	},
	"base64, percent":  func(s string) string { return url.QueryEscape(base64.StdEncoding.EncodeToString([]byte("x" + s))) },
	"hexadecimal":      func(s string) string { return hex.EncodeToString([]byte(s)) },
	"HTML":             func(s string) string { return htmlAll(s) },
	"HTML, percent":    func(s string) string { return percentAll(htmlAll(s)) },
	"cut off":          func(s string) string { return strings.Repeat("a ", 189) + s + s },
	"cut off, percent": func(s string) string { return strings.Repeat("a ", 180) + percentAll(s) + s },
}

func percentAll(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		fmt.Fprintf(&b, "%%%02x", s[i])
	}
	return b.String()
}

func htmlAll(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		fmt.Fprintf(&b, "&#%d;", s[i])
	}
	return b.String()
}

func jsonAll(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		fmt.Fprintf(&b, `\u%04x`, s[i])
	}
	return b.String()
}

// places are where a peer's text comes into the machine: what answers the
// question of a state with an echo in it.
var places = []struct {
	name   string
	state  states.State
	secret string
	answer func(echo string) wire.Response
}{
	{"challenge, unusable address", states.Anonymous, echoRefresh, challenging(`resource_metadata="http://h/%s"`)},
	{"challenge, error", states.Anonymous, echoRefresh, challenging(`error="%s"`)},
	{"challenge, scope", states.Anonymous, echoRefresh, challenging(`scope="a,%s"`)},
	{"challenge, repeated name", states.Anonymous, echoRefresh, challenging(`x%[1]s="1", x%[1]s="2"`)},

	{"resource, another path", states.DiscoveringPRM, echoAccess, memberOf(200, "resource", "https://mcp.example/%s")},
	{"resource, another host", states.DiscoveringPRM, echoAccess, memberOf(200, "resource", "https://h/%s")},
	{"resource, no URL", states.DiscoveringPRM, echoAccess, memberOf(200, "resource", "%s")},
	{"resource, media type", states.DiscoveringPRM, echoAccess, media(prmDoc)},
	{"resource, issuer entry", states.DiscoveringPRM, echoAccess, listOf(200, `{"resource":"https://mcp.example/mcp","authorization_servers":[%s]}`)},

	{"issuer, another", states.DiscoveringASM, echoSecret, memberOf(200, "issuer", "https://h/%s")},
	{"issuer, endpoint over http", states.DiscoveringASM, echoSecret, endpoint("http://h/%s")},
	{"issuer, endpoint with user information", states.DiscoveringASM, echoSecret, endpoint("https://u@h/%s")},
	{"issuer, endpoint of another scheme", states.DiscoveringASM, echoSecret, endpoint("x:%s")},
	{"issuer, media type", states.DiscoveringASM, echoSecret, media(asmDoc)},

	{"registration, description", states.Registering, echoInitial, memberOf(400, "error_description", "%s")},
	{"registration, code", states.Registering, echoInitial, memberOf(400, "error", "%s")},
	{"registration, uri", states.Registering, echoInitial, memberOf(400, "error_uri", "https://h/%s")},
	{"registration, redirect URIs", states.Registering, echoInitial, listOf(201, `{"client_id":"c","redirect_uris":[%s]}`)},
	{"registration, method", states.Registering, echoInitial, memberOf(201, "token_endpoint_auth_method", "%s")},

	{"callback, description", states.Authorizing, echoRefresh, callbackWith("iss=https%%3A%%2F%%2Fas.example&error=access_denied&error_description=%s")},
	{"callback, code of error", states.Authorizing, echoRefresh, callbackWith("iss=https%%3A%%2F%%2Fas.example&error=%s")},
	{"callback, issuer", states.Authorizing, echoCode, callbackWith("code=" + echoCode + "&iss=%s")},

	{"token, description", states.Exchanging, echoCode, memberOf(400, "error_description", "%s")},
	{"token, description in a success", states.Exchanging, echoCode, memberOf(200, "error_description", "%s")},
	{"token, uri", states.Exchanging, echoCode, memberOf(400, "error_uri", "https://h/%s")},
	{"token, code of error", states.Exchanging, echoCode, memberOf(400, "error", "%s")},
	{"token, type", states.Exchanging, echoCode, memberOf(200, "token_type", "%s")},
	{"token, media type", states.Exchanging, echoCode, media(tokDoc)},
	{"token that came and was refused", states.Exchanging, "fresh-token-1f2e3d", func(echo string) wire.Response {
		return doc(200, `{"access_token":"fresh-token-1f2e3d","token_type":`+quote(echo)+`}`)
	}},

	{"refresh, description", states.Refreshing, echoRefresh, listOf(400, `{"error":"temporarily_unavailable","error_description":%s}`)},
	{"refresh, client secret", states.Refreshing, echoSecret, listOf(400, `{"error":"temporarily_unavailable","error_description":%s}`)},
	{"refresh, media type", states.Refreshing, echoRefresh, media(tokDoc)},
}

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func challenging(params string) func(string) wire.Response {
	return func(echo string) wire.Response {
		echo = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(echo)
		return wire.Response{Status: 401, Header: wire.Fields{{Name: "WWW-Authenticate", Value: fmt.Sprintf("Bearer "+params, echo)}}}
	}
}

// memberOf is an otherwise sound document with one member that quotes.
func memberOf(status int, name, text string) func(string) wire.Response {
	return func(echo string) wire.Response {
		all := map[string]string{"error": "invalid_request"}
		switch {
		case name == "resource":
			all = map[string]string{}
		case name == "token_endpoint_auth_method":
			all = map[string]string{"client_id": "c"}
		case name == "token_type":
			all = map[string]string{"access_token": "another-token-81b2"}
		case status == 200 && name == "issuer":
			all = map[string]string{}
		}
		all[name] = fmt.Sprintf(text, echo)
		b, _ := json.Marshal(all)
		return doc(status, string(b))
	}
}

func endpoint(text string) func(string) wire.Response {
	return func(echo string) wire.Response {
		return doc(200, strings.Replace(asmDoc, `"https://as.example/token"`, quote(fmt.Sprintf(text, echo)), 1))
	}
}

func listOf(status int, text string) func(string) wire.Response {
	return func(echo string) wire.Response { return doc(status, fmt.Sprintf(text, quote(echo))) }
}

func media(body string) func(string) wire.Response {
	return func(echo string) wire.Response {
		return wire.Response{Status: 200, Header: wire.Fields{{Name: "Content-Type", Value: "text/" + strings.ReplaceAll(echo, ";", "")}}, Body: []byte(body)}
	}
}

// callbackWith is a callback in the body of a response; echoes puts it where it
// belongs.
func callbackWith(query string) func(string) wire.Response {
	return func(echo string) wire.Response {
		return wire.Response{Body: []byte("http://127.0.0.1:39323/callback?" + fmt.Sprintf(query, url.QueryEscape(echo)))}
	}
}

// TestEchoesAreMasked: a peer that quotes a secret, wherever and however, does
// not bring it into a report or a note (rule log-error-echo).
func TestEchoesAreMasked(t *testing.T) {
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) {
			met := false
			for name, spell := range spellings {
				echo := spell(p.secret)
				texts := echoed(t, p.state, p.answer(echo))
				all := strings.Join(texts, "\n")
				for how, gone := range map[string]string{"plain": p.secret, name: echo, "in small": strings.ToLower(p.secret)} {
					if gone != "" && strings.Contains(all, gone) {
						t.Errorf("%s: the secret is there, %s:\n%s", name, how, all)
					}
				}
				// What was cut off must not leave a beginning either.
				if strings.Contains(all, p.secret[:len(p.secret)-3]) || strings.Contains(all, percentAll(p.secret[:len(p.secret)-3])) {
					t.Errorf("%s: most of the secret is there:\n%s", name, all)
				}
				met = met || strings.Contains(all, "secret(…)")
			}
			if !met && !strings.HasPrefix(p.name, "challenge, error") {
				t.Error("nothing was masked in any spelling: the echo goes nowhere")
			}
		})
	}
}

// echoed lives with a stored credential whose secrets are known, answers the
// question of one state with r, and gives every text that is shown.
func echoed(t *testing.T, where states.State, r wire.Response) []string {
	t.Helper()
	c := coldConfig()
	c.Issuer, c.InitialToken = "https://as.example", echoInitial
	m, err := fsm.New(c)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)
	record := states.Credential{Version: states.RecordVersion, Current: &states.Token{
		Generation: 8, AccessToken: echoAccess, Type: "Bearer", RefreshToken: echoRefresh, Received: at, Expires: at.Add(time.Hour),
		Server: wire.ASM{Issuer: "https://as.example", TokenEndpoint: "https://as.example/token"},
		Client: wire.Client{ID: "client-7f3a9c", Secret: echoSecret, Method: wire.MethodBasic, Source: wire.SourceDynamic}, Resource: "https://mcp.example/mcp",
	}}
	if where == states.Anonymous { // nobody is logged in: the token has ended
		record.Current.RefreshToken, record.Current.Expires = "", at.Add(-time.Minute)
		record.Superseded = []states.Token{*record.Current}
		record.Superseded[0].RefreshToken = echoRefresh
	}
	stored, err := states.Encode(&record)
	if err != nil {
		t.Fatal(err)
	}
	e := fsm.NewEngine()
	in := states.Input(states.Begun{Seed: "c2VlZHNlZWRzZWVkc2VlZHNlZWRzZWVkc2VlZHNlZWQ", Login: where != states.Anonymous && where != states.Refreshing})
	var texts []string
	reached, refused := false, false
	for range 80 {
		var effects []states.Effect
		m, effects, err = e.Step(m, at, in)
		if err != nil {
			t.Fatal(err)
		}
		var q states.Effect
		for _, eff := range effects {
			switch eff := eff.(type) {
			case states.Note:
				texts = append(texts, eff.Finding.Detail)
			case states.Report:
				b, err := json.Marshal(eff.Fault)
				if err != nil {
					t.Fatal(err)
				}
				texts = append(texts, eff.Fault.Error(), string(b))
			}
			q = eff
		}
		at = at.Add(time.Second)
		switch m.State {
		case states.Anonymous:
			if reached {
				return texts
			}
			if reached = where == states.Anonymous; reached {
				in = states.Challenged{Response: r}
			} else {
				in = states.Challenged{Response: refusal}
			}
			continue
		case states.Authorized:
			if where != states.Refreshing || refused {
				if !reached {
					t.Fatalf("%s was not reached", where)
				}
				return texts
			}
			refused = true
			in = states.Challenged{Generation: m.Data.Token().Generation, Response: refusal}
			continue
		case states.Failed:
			if !reached {
				t.Fatalf("%s was not reached: %v", where, m.Data.Fault)
			}
			return texts
		}
		here := m.State == where
		reached = reached || here
		switch q := q.(type) {
		case states.Load:
			in = states.NotFound{Serial: q.Serial}
			if q.Key.Kind == states.KindCredential {
				in = states.Loaded{Serial: q.Serial, Value: stored, Generation: 5}
			}
		case states.Lease:
			in = states.Leased{Serial: q.Serial, Fence: 1, TTL: q.TTL}
		case states.Save:
			in = states.Saved{Serial: q.Serial, Generation: 5 + states.Generation(q.Serial)}
			if q.Key.Kind == states.KindCredential {
				stored = q.Value
			}
		case states.Delete:
			in = states.Deleted{Serial: q.Serial}
		case states.Claim:
			in = states.Claimed{Serial: q.Serial}
		case states.Ask:
			in = states.Answered{Serial: q.Serial, Value: "http://127.0.0.1:39323/callback"}
		case states.Visit:
			back := "http://127.0.0.1:39323/callback?code=" + echoCode + "&iss=https%3A%2F%2Fas.example"
			if here {
				back = string(r.Body)
			}
			in = states.Redirected{Serial: q.Serial, URL: wire.Secret(back + "&state=" + m.Data.Flow.State.Reveal())}
		case states.Send:
			answer := prmAnswer
			switch {
			case here:
				answer = r
			case m.State == states.DiscoveringASM:
				answer = asmAnswer
			case m.State == states.Registering:
				answer = regAnswer
			case m.State == states.Exchanging:
				answer = tokAnswer
			}
			in = states.Responded{Serial: q.Serial, Response: answer}
		case states.Wake:
			at = q.At
			in = states.Ticked{}
		default:
			return texts
		}
	}
	return texts
}
