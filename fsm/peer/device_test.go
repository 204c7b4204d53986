package peer

import (
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states/wire"
)

// deviceSite is a site whose client is registered for the device grant.
func deviceSite(t *testing.T, change func(*ASConfig)) (*site, string) {
	t.Helper()
	h := newSite(t, func(a *ASConfig, _ *RSConfig) {
		a.Device, a.AutoConsent = true, false
		if change != nil {
			change(a)
		}
	})
	m := h.register(`{"client_name":"tv","token_endpoint_auth_method":"none","grant_types":["` + deviceGrant + `","refresh_token"]}`)
	return h, m["client_id"].(string)
}

func (h *site) device(client string) map[string]any {
	h.t.Helper()
	r := h.post(issuer+"/device_authorization", "client_id", client, "scope", "user", "resource", resource)
	if r.Status != 200 {
		h.t.Fatalf("device authorization: %d %s", r.Status, r.Body)
	}
	return h.object(r)
}

func (h *site) poll(client, code string) (int, string) {
	h.t.Helper()
	r := h.post(issuer+"/token", "grant_type", deviceGrant, "device_code", code, "client_id", client)
	e, _ := h.object(r)["error"].(string)
	return r.Status, e
}

// browse is a user's browser at the pages of the server: it keeps the cookie and
// follows redirects within the server.
type browse struct {
	h      *site
	cookie string
}

func (b *browse) do(method, url string, form ...string) wire.Response {
	b.h.t.Helper()
	for {
		req := wire.Request{Method: method, URL: url, Header: wire.Fields{{Name: "Content-Type", Value: "application/x-www-form-urlencoded"}, {Name: "Origin", Value: issuer}}}
		if b.cookie != "" {
			req.Header = append(req.Header, wire.Field{Name: "Cookie", Value: b.cookie})
		}
		for i := 0; i < len(form); i += 2 {
			req.Form = append(req.Form, wire.Field{Name: form[i], Value: form[i+1]})
		}
		r := b.h.do(req)
		for _, c := range r.Header.Header("Set-Cookie") {
			b.cookie, _, _ = strings.Cut(c, ";")
		}
		to := r.Header.Header("Location")
		if len(to) == 0 || !strings.HasPrefix(to[0], issuer) {
			return r
		}
		method, url, form = "GET", to[0], nil
	}
}

// decide types the user code, logs in and decides.
func (h *site) decide(userCode, decision string) wire.Response {
	h.t.Helper()
	b := &browse{h: h}
	fields := func(r wire.Response) []string {
		p := h.page
		if p.Ticket == "" {
			h.t.Fatalf("no form: %d %s", r.Status, r.Body)
		}
		return []string{"ticket", p.Ticket, "csrf", p.CSRF}
	}
	if r := b.do("GET", issuer+"/device?user_code="+userCode); r.Status != 200 || h.page.Kind != "device" {
		h.t.Fatalf("verification page: %d %s", r.Status, r.Body)
	}
	r := b.do("POST", issuer+"/device", "user_code", strings.ToLower(h.page.UserCode))
	r = b.do("POST", issuer+"/login", append(fields(r), "username", "demo_user", "password", "demo_password")...)
	return b.do("POST", issuer+"/consent", append(fields(r), "decision", decision)...)
}

func TestDeviceGrant(t *testing.T) {
	var h *site
	h, client := deviceSite(t, func(a *ASConfig) {
		a.Render = func(p Page) []byte { h.page = p; return []byte(p.String()) }
	})
	m := h.object(h.get(issuer + "/.well-known/oauth-authorization-server"))
	if m["device_authorization_endpoint"] != issuer+"/device_authorization" || !strings.Contains(string(jsonBytes(m["grant_types_supported"])), deviceGrant) {
		t.Errorf("metadata: %v", m)
	}
	for _, c := range []struct {
		decision   string
		last       string
		page       string
		thenStatus int
	}{{"allow", "", "has access", 200}, {"deny", "access_denied", "denied", 400}} {
		d := h.device(client)
		code, user := d["device_code"].(string), d["user_code"].(string)
		if len(user) != 9 || d["verification_uri"] != issuer+"/device" || d["verification_uri_complete"] != issuer+"/device?user_code="+user || d["expires_in"] != 600. || d["interval"] != 5. {
			t.Errorf("answer: %v", d)
		}
		if status, e := h.poll(client, code); status != 400 || e != "authorization_pending" {
			t.Errorf("first poll: %d %s", status, e)
		}
		if status, e := h.poll(client, code); status != 400 || e != "slow_down" {
			t.Errorf("an early poll: %d %s", status, e)
		}
		h.at = h.at.Add(6 * time.Second)
		if _, e := h.poll(client, code); e != "slow_down" {
			t.Errorf("a poll that forgot the longer interval: %s", e)
		}
		h.at = h.at.Add(16 * time.Second)
		if _, e := h.poll(client, code); e != "authorization_pending" {
			t.Errorf("a poll in time: %s", e)
		}
		if r := h.decide(user, c.decision); r.Status != 200 || h.page.Kind != "done" || !strings.Contains(h.page.Message, c.page) {
			t.Fatalf("%s: %d %s", c.decision, r.Status, r.Body)
		}
		if _, e := h.poll(h.public(), code); e != "unauthorized_client" {
			t.Errorf("another client: %s", e)
		}
		h.at = h.at.Add(time.Minute)
		if status, e := h.poll(client, code); status != c.thenStatus || e != c.last {
			t.Errorf("after %s: %d %s", c.decision, status, e)
		}
		h.at = h.at.Add(time.Minute)
		if status, e := h.poll(client, code); status != 400 || c.decision == "allow" && e != "invalid_grant" {
			t.Errorf("a code that was used: %d %s", status, e)
		}
	}
	d := h.device(client)
	h.at = h.at.Add(deviceTTL)
	h.w.AS[0].config.MaxTokens = len(h.w.AS[0].state.Devices) + 1
	h.device(client)
	if r := h.post(issuer+"/device_authorization", "client_id", client); r.Status != 429 {
		t.Errorf("one device more than there may be: %d %s", r.Status, r.Body)
	}
	if _, e := h.poll(client, d["device_code"].(string)); e != "expired_token" {
		t.Errorf("an expired code: %s", e)
	}
}

// TestDeviceTokens: the token is for the resource, refreshes, and is that of the
// user who allowed it.
func TestDeviceTokens(t *testing.T) {
	h, client := deviceSite(t, func(a *ASConfig) { a.AutoConsent = true })
	d := h.device(client)
	r := h.post(issuer+"/token", "grant_type", deviceGrant, "device_code", d["device_code"].(string), "client_id", client)
	m := h.object(r)
	access, _ := m["access_token"].(string)
	refresh, _ := m["refresh_token"].(string)
	if who := h.w.Introspect(h.at, access); !who.Active || who.Subject != "demo_user" || who.ClientID != client || len(who.Audience) != 1 || who.Audience[0] != resource {
		t.Errorf("%+v", who)
	}
	if r := h.refresh(client, refresh); r.Status != 200 {
		t.Errorf("refresh: %d %s", r.Status, r.Body)
	}
}

// TestUserCodesCannotBeGuessed: wrong codes are counted over all browsers, and a
// form of another site is refused.
func TestUserCodesCannotBeGuessed(t *testing.T) {
	h, client := deviceSite(t, nil)
	user := h.device(client)["user_code"].(string)
	try := func(origin string) wire.Response {
		return h.do(wire.Request{
			Method: "POST", URL: issuer + "/device",
			Header: wire.Fields{{Name: "Content-Type", Value: "application/x-www-form-urlencoded"}, {Name: "Origin", Value: origin}},
			Form:   wire.Fields{{Name: "user_code", Value: "BBBBBBBB"}},
		})
	}
	if r := try("https://evil.example"); r.Status != 403 {
		t.Errorf("another site: %d", r.Status)
	}
	for n := range maxUserCodeTries {
		if r := try(issuer); r.Status != 400 {
			t.Fatalf("try %d: %d", n, r.Status)
		}
	}
	if r := try(issuer); r.Status != 429 {
		t.Errorf("one too many: %d", r.Status)
	}
	h.at = h.at.Add(2 * time.Minute)
	if r := h.do(wire.Request{
		Method: "POST", URL: issuer + "/device", Header: wire.Fields{{Name: "Content-Type", Value: "application/x-www-form-urlencoded"}},
		Form: wire.Fields{{Name: "user_code", Value: " " + strings.ToLower(user)}},
	}); r.Status != 303 {
		t.Errorf("the right code afterwards: %d %s", r.Status, r.Body)
	}
}

func TestNoDeviceGrant(t *testing.T) {
	h := newSite(t, nil)
	if r := h.post(issuer+"/device_authorization", "client_id", "x"); r.Status != 404 {
		t.Errorf("endpoint: %d", r.Status)
	}
	if r := h.post(issuer+"/token", "grant_type", deviceGrant, "client_id", h.public(), "device_code", "x"); !strings.Contains(string(r.Body), "unsupported_grant_type") {
		t.Errorf("token: %s", r.Body)
	}
}
