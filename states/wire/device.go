package wire

import (
	"time"

	"github.com/stile-oauth/stile/states/rules"
)

// DeviceGrant is the grant of RFC 8628.
const DeviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// Device is a device authorization response (RFC 8628 §3.2).
type Device struct {
	Code     Secret `json:"device_code"`
	UserCode Secret `json:"user_code"`
	URL      string `json:"verification_uri"`
	Complete string `json:"verification_uri_complete,omitempty"`
	// Interval is the minimum time between two polls.
	Interval  time.Duration `json:"interval"`
	ExpiresIn time.Duration `json:"expires_in"`
}

// The numbers from RFC 8628, and the limit on what an issuer may ask for.
const (
	deviceInterval    = 5 * time.Second
	maxDeviceInterval = time.Minute
	maxDeviceLife     = time.Hour
)

// DeviceRequest asks for a device authorization (RFC 8628 §3.1). Form, in this order:
// scope, resource, then the client's authentication.
//
// Rules: ext-device-request.
func DeviceRequest(p TokenParams) Request {
	return formRequest(p.Endpoint, p.Client,
		Field{Name: "scope", Value: JoinScope(p.Scopes)},
		Field{Name: "resource", Value: p.Resource})
}

// PollRequest asks whether the user has decided (RFC 8628 §3.4).
//
// Rules: ext-device-poll.
func PollRequest(p TokenParams) Request {
	return p.form(
		Field{Name: "grant_type", Value: DeviceGrant},
		Field{Name: "device_code", Value: p.Code.Reveal(), Secret: true},
		Field{Name: "resource", Value: p.Resource})
}

// ParseDevice judges a device authorization response (RFC 8628 §3.2). The address that
// the user is shown must pass the policy for URLs. An address that holds the code is left
// out if it does not pass.
//
// Rules: ext-device-response, ext-device-verification-uri.
func ParseDevice(r Response, urls URLPolicy) (Device, []Finding, *Problem) {
	if r.Status < 200 || r.Status > 299 {
		return Device{}, nil, tokenRefusal(r)
	}
	obj, bad := ParseObject(r.Body)
	if r.Oversized || bad != nil {
		return Device{}, nil, refuse(rules.ExtDeviceResponse, "the answer is no JSON object")
	}
	if e := objectError(obj); e != nil {
		return Device{}, nil, &Problem{Rule: rules.TokenRespErrorStatus, Detail: "an error response with " + statusDetail(r), OAuth: e}
	}
	var found []Finding
	text := func(name string) string { s, _, _ := obj.String(name); return s }
	d := Device{Code: Secret(text("device_code")), UserCode: Secret(text("user_code")), URL: text("verification_uri"), Interval: deviceInterval}
	if d.URL == "" && text("verification_url") != "" { // Google's name for it
		d.URL = text("verification_url")
		note(&found, rules.ExtDeviceResponse, "verification_url in place of verification_uri")
	}
	seconds := func(name string) time.Duration { // 0 if there is no such number
		raw, _ := obj.Raw(name)
		n, _ := rawSeconds(raw)
		return time.Duration(min(n, int64(maxDeviceLife/time.Second))) * time.Second
	}
	if every := seconds("interval"); every > 0 {
		d.Interval = min(every, maxDeviceInterval)
	}
	d.ExpiresIn = seconds("expires_in")
	switch {
	case d.Code == "" || !printable(d.Code.Reveal()) || d.UserCode == "" || !printable(d.UserCode.Reveal()):
		return Device{}, found, refuse(rules.ExtDeviceResponse, "device_code or user_code is missing")
	case d.ExpiresIn == 0:
		return Device{}, found, refuse(rules.ExtDeviceResponse, "expires_in is missing")
	}
	if bad := CheckURL(d.URL, urls); bad != nil {
		return Device{}, found, refuse(rules.ExtDeviceVerificationURI, "verification_uri: "+bad.Words())
	}
	if c := text("verification_uri_complete"); c != "" {
		if bad := CheckURL(c, urls); bad != nil || Origin(c) != Origin(d.URL) {
			note(&found, rules.ExtDeviceVerificationURI, "verification_uri_complete left out: it is not safe, or elsewhere")
		} else {
			d.Complete = c
		}
	}
	return d, found, nil
}
