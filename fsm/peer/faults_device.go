package peer

import "strings"

// Faults of the device grant (RFC 8628). They act where ASConfig.Device is set.
var deviceFaults = []Fault{
	{"asm-http-device", "metadata", "ext-device-https", "device_authorization_endpoint over http on a public host", func(r *reply, _ scene) bool {
		if !r.doc.has("device_authorization_endpoint") {
			return false
		}
		r.doc.put("device_authorization_endpoint", "http://as.example/device_authorization")
		return true
	}},
	{"device-no-code", "device", "ext-device-response", "no device_code", drop("device_code")},
	{"device-no-interval", "device", "ext-device-response", "no interval", drop("interval")},
	{"device-interval-huge", "device", "ext-device-response", "an interval of a year", put("interval", 31_536_000)},
	{"device-expires-missing", "device", "ext-device-response", "no expires_in", drop("expires_in")},
	{"device-uri-script", "device", "ext-device-verification-uri", "verification_uri is javascript:", func(r *reply, _ scene) bool {
		if !r.doc.has("verification_uri") {
			return false
		}
		r.doc.put("verification_uri", "javascript:alert(1)")
		r.doc.put("verification_uri_complete", "javascript:alert(1)")
		return true
	}},
	{"device-user-code-escapes", "device", "ext-device-verification-uri", "terminal escapes in user_code", put("user_code", "\x1b[2JWXYZ")},
	{"device-500", "device", "token-resp-error-vs-transient", "the device authorization endpoint answers 500", become(500, "text/plain", "oops\n")},
	{"device-slow-down", "token", "ext-device-slow-down", "slow_down for every poll", nil},
	{"device-expired", "token", "ext-device-end", "expired_token for every poll", nil},
	{"device-denied", "token", "ext-device-end", "access_denied for every poll", nil},
	{"device-poll-504", "token", "ext-device-timeout-backoff", "a gateway gives up on polls", func(r *reply, s scene) bool {
		if value(s.req.Form, "grant_type") != deviceGrant || !strings.HasSuffix(s.req.URL, "/token") {
			return false
		}
		r.become(504, "text/plain", "gateway timeout\n")
		return true
	}},
}
