package peer

import (
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
)

// The device grant (RFC 8628): a device without a browser asks for two codes,
// shows one of them, and polls with the other until a user has typed the shown
// one at the verification page and decided.

const (
	deviceGrant    = "urn:ietf:params:oauth:grant-type:device_code"
	deviceTTL      = 10 * time.Minute
	deviceInterval = 5 * time.Second
	// userCodeAlphabet has no vowels and no digits, so that a code spells no word
	// and is easy to type (RFC 8628 §6.1).
	userCodeAlphabet = "BCDFGHJKLMNPQRSTVWXZ"
	// maxUserCodeTries bounds wrong user codes per minute, over all browsers
	// (RFC 8628 §5.1).
	maxUserCodeTries = 60
)

// device is an authorization that a device waits for.
type device struct {
	Hash     string    `json:"hash"` // of the device code
	UserCode string    `json:"user_code"`
	Client   string    `json:"client"`
	Scopes   []string  `json:"scopes,omitempty"`
	Resource string    `json:"resource,omitempty"`
	Expires  time.Time `json:"expires"`
	// Interval is how long the device has to wait between polls, in seconds.
	Interval int       `json:"interval"`
	Polled   time.Time `json:"polled,omitzero"`
	// Grant is set once a user has allowed it, Denied once one has denied it.
	Grant  string `json:"grant,omitempty"`
	Denied bool   `json:"denied,omitzero"`
}

// authorizeDevice is the device authorization endpoint (RFC 8628 §3.1, §3.2).
func (a *AS) authorizeDevice(c call) *reply {
	a.state.prune(c.at)
	if a.config.MaxTokens >= 0 && len(a.state.Devices) >= a.config.MaxTokens {
		r := problem(429, "temporarily_unavailable", "too many devices wait").breaks(rules.ASTokenErrorShape)
		r.set("Retry-After", "60")
		return r
	}
	k, refused := a.authenticate(c)
	if refused != nil {
		return refused
	}
	if !slices.Contains(k.GrantTypes, deviceGrant) {
		return problem(400, "unauthorized_client", "the client is not registered for this grant").breaks(rules.ExtDeviceRegistration)
	}
	asked, ok := scopes(value(c.req.Form, "scope"))
	if len(asked) == 0 && ok {
		asked = a.config.DefaultScopes
	}
	if !ok || !within(asked, a.config.scopesSupported()) {
		return problem(400, "invalid_scope", "a scope is not known here").breaks(rules.ASAuthorizeScopeDefault)
	}
	target, ok := a.config.audience(all(c.req.Form, "resource"))
	if !ok {
		return problem(400, "invalid_target", "tokens for this resource are not issued here").breaks(rules.ASAuthorizeInvalidTarget)
	}
	deviceCode, userCode := "device_"+a.draw("device"), a.drawUserCode()
	d := device{
		Hash: hash(deviceCode), UserCode: hash(userCode), Client: k.ID, Scopes: asked, Resource: target,
		Expires: c.at.Add(deviceTTL), Interval: int(deviceInterval / time.Second),
	}
	k.Used = true
	switch {
	case a.config.Deny:
		d.Denied = true
	case a.config.AutoConsent && !a.config.DeviceAsks:
		u, _ := a.config.user(a.config.Users[0].Name)
		a.allowDevice(&d, u.Subject)
	}
	a.state.Devices = append(a.state.Devices, d)
	page := a.config.base() + "/device"
	shown := userCode[:4] + "-" + userCode[4:]
	r := &reply{status: 200}
	r.doc.put("device_code", deviceCode)
	r.doc.put("user_code", shown)
	r.doc.put("verification_uri", page)
	r.doc.put("verification_uri_complete", page+"?user_code="+shown)
	r.doc.put("expires_in", int64(deviceTTL/time.Second))
	r.doc.put("interval", d.Interval)
	noStore(r)
	return r
}

// drawUserCode makes eight letters.
func (a *AS) drawUserCode() string {
	sum, _ := hex.DecodeString(hash(a.draw("user code")))
	out := make([]byte, 8)
	for i := range out {
		out[i] = userCodeAlphabet[int(sum[i])%len(userCodeAlphabet)]
	}
	return string(out)
}

// typed normalises a user code as users type it: in any case, with or without the dash.
func typed(code string) string {
	return strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return -1
		}
		return r
	}, strings.ToUpper(code))
}

// allowDevice records what a user granted to a device.
func (a *AS) allowDevice(d *device, subject string) {
	g := grant{ID: "grant_" + a.draw("grant")[:22], Client: d.Client, Subject: subject, Scopes: d.Scopes, Resource: d.Resource}
	a.state.Grants = append(a.state.Grants, g)
	d.Grant = g.ID
}

// poll is the token request of a device (RFC 8628 §3.4, §3.5).
func (a *AS) poll(c call, k *client) *reply {
	given := value(c.req.Form, "device_code")
	if given == "" {
		return missing(rules.ExtDevicePoll, "device_code")
	}
	waits := func(code, says string, rule rules.ID) *reply { return problem(400, code, says).breaks(rule) }
	sum := hash(given)
	n := latest(a.state.Devices, func(d *device) bool { return d.Hash == sum })
	if n < 0 || a.state.Devices[n].Client != k.ID && !a.faulty("device-any-client") {
		return badGrant(rules.ASTokenCodeBound, "the device code is not known, has been used, or was given to another client")
	}
	d := &a.state.Devices[n]
	early := !d.Polled.IsZero() && c.at.Before(d.Polled.Add(time.Duration(d.Interval)*time.Second))
	d.Polled = c.at
	switch {
	case !c.at.Before(d.Expires) || a.faulty("device-expired"):
		return waits("expired_token", "the device code has expired", rules.ExtDeviceEnd)
	case early && a.faulty("device-early-ends"):
		a.state.Devices = slices.Delete(a.state.Devices, n, n+1)
		return badGrant(rules.ExtDevicePoll, "the device code was polled too early")
	case early || a.faulty("device-slow-down"):
		d.Interval += 5
		return waits("slow_down", "poll less often", rules.ExtDevicePoll)
	case d.Denied || a.faulty("device-denied"):
		return waits("access_denied", "the user denied", rules.ExtDeviceEnd)
	case d.Grant == "":
		return waits("authorization_pending", "the user has not decided", "")
	}
	g := a.state.grant(d.Grant)
	a.state.Devices = slices.Delete(a.state.Devices, n, n+1)
	if g == nil || g.Revoked {
		return badGrant(rules.ASTokenCodeOnce, "the grant was revoked")
	}
	return a.issue(c.at, g, g.Scopes, a.refreshable(k, g))
}

// devicePage is the verification page (RFC 8628 §3.3). A code in the address is
// put into the form; the user still confirms it.
func (a *AS) devicePage(c call) *reply {
	return a.deviceForm(200, "", value(c.query, "user_code"))
}

func (a *AS) deviceForm(status int, says, code string) *reply {
	if code = typed(code); strings.Trim(code, userCodeAlphabet) != "" || len(code) != 8 {
		code = ""
	}
	return a.page(Page{Kind: "device", Status: status, Message: says, Action: a.config.base() + "/device", UserCode: code})
}

// enterCode takes the code that the user typed and sends them to the login page.
func (a *AS) enterCode(c call) *reply {
	if refused := a.foreignForm(c); refused != nil {
		return refused
	}
	if a.state.counted(c.at, "user code") >= maxUserCodeTries {
		r := a.deviceForm(429, "Too many wrong codes. Wait a minute.", "")
		r.set("Retry-After", "60")
		return r
	}
	sum := hash(typed(value(c.req.Form, "user_code")))
	n := latest(a.state.Devices, func(d *device) bool {
		return same(d.UserCode, sum) && c.at.Before(d.Expires) && d.Grant == "" && !d.Denied
	})
	if n < 0 {
		a.state.count(c.at, "user code", time.Minute)
		return a.deviceForm(400, "That code is not known, has been used, or has expired.", "")
	}
	d := a.state.Devices[n]
	return a.begin(c, interaction{
		Device: d.Hash, Client: d.Client, Scopes: d.Scopes, Resource: d.Resource, Expires: d.Expires,
	})
}

// decideDevice records the user's decision; the device learns of it when it
// polls.
func (a *AS) decideDevice(c call, i interaction, allow bool) *reply {
	n := latest(a.state.Devices, func(d *device) bool { return d.Hash == i.Device && d.Grant == "" && !d.Denied })
	if n < 0 || !c.at.Before(a.state.Devices[n].Expires) {
		return a.failure(400, rules.ExtDeviceEnd, "The device is no longer waiting. Start again there.")
	}
	if !allow {
		a.state.Devices[n].Denied = true
		return a.page(Page{Kind: "done", Message: "Access was denied. You can close this page."})
	}
	a.allowDevice(&a.state.Devices[n], i.Subject)
	return a.page(Page{Kind: "done", Message: "The device has access now. You can close this page."})
}
