package peer

import (
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states/wire"
)

// FuzzAnswer sends anything to both servers: there is always an answer, it is
// the same for the same input, no header can be split, and a stranger's
// redirect is never followed.
func FuzzAnswer(f *testing.F) {
	f.Add("GET", "/authorize?"+wire.EncodeForm(wire.Fields{{Name: "client_id", Value: "app"}, {Name: "redirect_uri", Value: back}}), "", "", "")
	f.Add("GET", "/authorize?client_id=app&redirect_uri=http%3A%2F%2F127.0.0.1%3A4711%2Fcallback&state=%0d%0a", "", "", "")
	f.Add("POST", "/token", "application/x-www-form-urlencoded", "grant_type=authorization_code&client_id=app&code=x", "")
	f.Add("POST", "/register", "application/json", `{"redirect_uris":["http://127.0.0.1/"]}`, "")
	f.Add("POST", "/introspect", "application/x-www-form-urlencoded", "token=x", "Basic cnM6cnMtc2VjcmV0")
	f.Add("GET", "/.well-known/oauth-authorization-server", "", "", "")
	f.Add("POST", "/login", "application/x-www-form-urlencoded", "ticket=x&csrf=y", "")
	f.Add("DELETE", "/register/app", "", "", "Bearer x")
	f.Fuzz(func(t *testing.T, method, target, ctype, body, auth string) {
		answer := func() (wire.Response, wire.Response) {
			h := newSite(t, func(a *ASConfig, _ *RSConfig) {
				a.Clients = append(a.Clients, PreClient{ID: "app", RedirectURIs: []string{back}})
			})
			req := wire.Request{Method: method, URL: issuer + target}
			for name, v := range map[string]string{"Content-Type": ctype, "Authorization": auth} {
				if v != "" {
					req.Header = append(req.Header, wire.Field{Name: name, Value: v})
				}
			}
			if form, ok := wire.DecodeForm(body); ok && ctype == "application/x-www-form-urlencoded" {
				req.Form = form
			} else {
				req.Body = []byte(body)
			}
			a := h.w.AS[0].Answer(noon, req)
			req.URL = resource + target
			return a, h.w.RS[0].Answer(noon, req, h.w.Introspect)
		}
		a, r := answer()
		b, s := answer()
		for _, pair := range [][2]wire.Response{{a, b}, {r, s}} {
			if string(pair[0].Body) != string(pair[1].Body) || pair[0].Status != pair[1].Status || pair[0].Status < 200 || pair[0].Status > 599 {
				t.Fatalf("status %d and %d", pair[0].Status, pair[1].Status)
			}
			for _, h := range pair[0].Header {
				if strings.ContainsAny(h.Value, "\r\n\x00") {
					t.Fatalf("%s can be split: %q", h.Name, h.Value)
				}
				if h.Name == "Location" && !strings.HasPrefix(h.Value, issuer+"/login?") && !strings.HasPrefix(h.Value, "http://127.0.0.1") {
					t.Fatalf("a redirect to %s", h.Value)
				}
			}
		}
		if r.Status == 200 && !strings.Contains(target, "well-known") {
			t.Fatal("the resource was reached without a token")
		}
	})
}

// FuzzRedirectMatches: what matches differs from the registered address in
// nothing but the port.
func FuzzRedirectMatches(f *testing.F) {
	f.Add("http://127.0.0.1/callback", "http://127.0.0.1:4711/callback")
	f.Add("http://[::1]:1/callback", "http://[::1]/callback")
	f.Add("http://localhost/cb?x=1", "http://localhost:80@evil.example/cb?x=1")
	f.Fuzz(func(t *testing.T, registered, requested string) {
		if !redirectMatches(registered, requested) || registered == requested {
			return
		}
		a, _, _ := split(registered)
		b, _, _ := split(requested)
		if strings.TrimPrefix(registered, a) != strings.TrimPrefix(requested, b) {
			t.Fatalf("%q matches %q", requested, registered)
		}
		if !redirectable(requested) {
			return // refused elsewhere
		}
		if !loopback(requested) {
			t.Fatalf("%q matches %q", requested, registered)
		}
	})
}

// FuzzLearn: whatever a document says, a client that comes from it has only
// redirect URIs that may be used, and no document makes another client.
func FuzzLearn(f *testing.F) {
	const id = "https://client.example/app.json"
	f.Add([]byte(`{"client_id":"` + id + `","client_name":"x","redirect_uris":["` + back + `"]}`))
	f.Add([]byte(`{"client_id":"rs"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := NewAS(ASConfig{Issuer: issuer, CIMD: true})
		if err != nil {
			t.Fatal(err)
		}
		err = a.Learn(noon, id, wire.Response{Status: 200, Header: wire.Fields{{Name: "Content-Type", Value: "application/json"}}, Body: body})
		if (err == nil) != (len(a.state.Clients) == 1) {
			t.Fatalf("%v and %d clients", err, len(a.state.Clients))
		}
		for _, k := range a.state.Clients {
			if k.ID != id || len(k.RedirectURIs) == 0 || !noon.Before(k.Fresh) || k.Fresh.After(noon.Add(time.Hour)) {
				t.Fatalf("%+v", k)
			}
			for _, u := range k.RedirectURIs {
				if !redirectable(u) {
					t.Fatalf("redirect to %q", u)
				}
			}
		}
	})
}
