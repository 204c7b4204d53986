package states

import "testing"

// TestElidePort: only the port of a loopback URI goes (RFC 8252 §7.3).
func TestElidePort(t *testing.T) {
	for uri, want := range map[string]string{
		"http://127.0.0.1:39323/callback":       "http://127.0.0.1/callback",
		"http://127.0.0.1/callback":             "http://127.0.0.1/callback",
		"http://127.8.9.1:80/a:b/c":             "http://127.8.9.1/a:b/c",
		"http://localhost:1/":                   "http://localhost/",
		"http://LOCALHOST:1/x":                  "http://localhost/x",
		"http://localhost:8080":                 "http://localhost",
		"http://[::1]:8080/cb":                  "http://[::1]/cb",
		"http://127.0.0.1:1/cb?x=1":             "http://127.0.0.1/cb?x=1",
		"http://127.0.0.1:1/%41":                "http://127.0.0.1/%41",
		"https://localhost:8443/cb":             "https://localhost/cb",
		"https://app.example:8443/cb":           "https://app.example:8443/cb",
		"http://127.0.0.1.example.com:1/cb":     "http://127.0.0.1.example.com:1/cb",
		"http://localhost.example.com:8080/cb":  "http://localhost.example.com:8080/cb",
		"com.example.app:/callback":             "com.example.app:/callback",
		"http://127.0.0.1:99999/out-of-bounds":  "http://127.0.0.1:99999/out-of-bounds",
		"http://127.0.0.1:39323/two/../segment": "http://127.0.0.1/two/../segment",
	} {
		if got := ElidePort(uri); got != want {
			t.Errorf("%s: %s, want %s", uri, got, want)
		}
	}
}

func TestRedirectAllowed(t *testing.T) {
	for uri, want := range map[string]bool{
		"http://127.0.0.1:39323/callback": true,
		"http://localhost/callback":       true,
		"http://[::1]:1/callback":         true,
		"https://app.example/cb?x=1":      true,

		"http://app.example/cb":             false,
		"http://127.0.0.1.example.com/cb":   false,
		"http://localhost.example.com/cb":   false,
		"http://127.0.0.1:1/cb#part":        false,
		"https://app.example/cb#":           false,
		"http://user@127.0.0.1:1/cb":        false,
		"https://user:secret@app.example/c": false,
		"com.example.app:/callback":         false,
		"javascript:alert(1)":               false,
		"/callback":                         false,
		"":                                  false,
	} {
		if got := RedirectAllowed(uri); got != want {
			t.Errorf("%q: %v, want %v", uri, got, want)
		}
	}
}
