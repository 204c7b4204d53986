package wire_test

import (
	"testing"
	"time"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// Rules: ext-device-response, ext-device-verification-uri.
func TestParseDevice(t *testing.T) {
	const good = `"device_code":"dev","user_code":"WDJB-MJHT","expires_in":600`
	const at = `,"verification_uri":"https://as.example/device"`
	for _, c := range []struct {
		name, body string
		rule       rules.ID
		interval   time.Duration
		complete   string
	}{
		{"without an interval", good + at, "", 5 * time.Second, ""},
		{"an interval", good + at + `,"interval":7`, "", 7 * time.Second, ""},
		{"no pause at all", good + at + `,"interval":0`, "", 5 * time.Second, ""},
		{"an hour between polls", good + at + `,"interval":3600`, "", time.Minute, ""},
		{"complete", good + at + `,"verification_uri_complete":"https://as.example/device?user_code=WDJB-MJHT"`, "", 5 * time.Second, "https://as.example/device?user_code=WDJB-MJHT"},
		{"complete elsewhere", good + at + `,"verification_uri_complete":"https://evil.example/device"`, "", 5 * time.Second, ""},
		{"complete as a script", good + at + `,"verification_uri_complete":"javascript:alert(1)"`, "", 5 * time.Second, ""},
		{"as Google says it", good + `,"verification_url":"https://as.example/device"`, "", 5 * time.Second, ""},
		{"over http", good + `,"verification_uri":"http://as.example/device"`, rules.ExtDeviceVerificationURI, 0, ""},
		{"no address", good, rules.ExtDeviceVerificationURI, 0, ""},
		{"no user code", `"device_code":"dev","expires_in":600` + at, rules.ExtDeviceResponse, 0, ""},
		{"a user code that moves the cursor", `"device_code":"dev","user_code":"\u001b[2J","expires_in":600` + at, rules.ExtDeviceResponse, 0, ""},
		{"no end", `"device_code":"dev","user_code":"W"` + at, rules.ExtDeviceResponse, 0, ""},
		{"a code twice", good + at + `,"device_code":"other"`, rules.ExtDeviceResponse, 0, ""},
	} {
		d, _, bad := wire.ParseDevice(wire.Response{Status: 200, Body: []byte("{" + c.body + "}")}, wire.URLPolicy{})
		switch {
		case (bad == nil) != (c.rule == ""), bad != nil && bad.Rule != c.rule:
			t.Errorf("%s: %v", c.name, bad)
		case bad == nil && (d.Interval != c.interval || d.Complete != c.complete || d.ExpiresIn != 10*time.Minute):
			t.Errorf("%s: %+v", c.name, d)
		}
	}
	if _, _, bad := wire.ParseDevice(wire.Response{Status: 400, Body: []byte(`{"error":"invalid_scope"}`)}, wire.URLPolicy{}); bad == nil || bad.OAuth == nil {
		t.Errorf("an error: %v", bad)
	}
}

func FuzzParseDevice(f *testing.F) {
	f.Add([]byte(`{"device_code":"dev","user_code":"W","verification_uri":"https://as.example/device","expires_in":600,"interval":"5"}`))
	f.Add([]byte(`{"expires_in":1e99}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		d, _, bad := wire.ParseDevice(wire.Response{Status: 200, Body: body}, wire.URLPolicy{})
		if bad == nil && (d.Interval <= 0 || d.ExpiresIn <= 0 || d.Code == "" || wire.CheckURL(d.URL, wire.URLPolicy{}) != nil) {
			t.Errorf("%+v", d)
		}
	})
}
