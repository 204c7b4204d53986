package wire

import (
	"strings"
	"testing"

	"github.com/stile-oauth/stile/states/rules"
)

func TestCheckURL(t *testing.T) {
	loop := URLPolicy{AllowLoopbackHTTP: true}
	for _, tc := range []struct {
		raw  string
		p    URLPolicy
		rule rules.ID
	}{
		{"https://example.com", URLPolicy{}, ""},
		{"https://example.com:8443/a/b?c=d%20e", URLPolicy{}, ""},
		{"HTTPS://Example.COM/", URLPolicy{}, ""},
		{"https://[2001:db8::1]:8443/x", URLPolicy{}, ""},
		{"https://192.0.2.1/", URLPolicy{}, ""},
		{"https://my_host.example.", URLPolicy{}, ""},
		{"https://login.example/{tenantid}/v2.0", URLPolicy{}, ""},
		{"http://127.0.0.1:9000/x", loop, ""},
		{"http://127.8.9.10", loop, ""},
		{"http://[::1]:9000", loop, ""},
		{"http://localhost/", loop, ""},

		{"http://127.0.0.1:9000/x", URLPolicy{}, rules.URLHTTPS},
		{"http://example.com/", loop, rules.URLHTTPS},
		{"http://localhost.example.com/", loop, rules.URLHTTPS},
		{"http://127.0.0.1.example.com/", loop, rules.URLHTTPS},
		{"http://[::ffff:127.0.0.1]/", loop, rules.URLHTTPS},

		{"javascript:alert(1)", URLPolicy{}, rules.URLSchemeAllowlist},
		{"file:///etc/passwd", URLPolicy{}, rules.URLSchemeAllowlist},
		{"data:text/html,x", URLPolicy{}, rules.URLSchemeAllowlist},
		{"ftp://example.com/", URLPolicy{}, rules.URLSchemeAllowlist},
		{"com.example.app:/callback", URLPolicy{}, rules.URLSchemeAllowlist},
		{"api://0f9c2c1e", URLPolicy{}, rules.URLSchemeAllowlist},
		{"urn:example:mcp", URLPolicy{}, rules.URLSchemeAllowlist},

		{"https://user@example.com/", URLPolicy{}, rules.URLNoUserinfo},
		{"https://user:pw@example.com/", URLPolicy{}, rules.URLNoUserinfo},
		{"https://@example.com/", URLPolicy{}, rules.URLNoUserinfo},
		{"https://good.example@evil.example/", URLPolicy{}, rules.URLNoUserinfo},
		{"https://example.com/#x", URLPolicy{}, rules.URLNoFragment},
		{"https://example.com/#", URLPolicy{}, rules.URLNoFragment},

		{"", URLPolicy{}, rules.URLParseStrict},
		{"/path", URLPolicy{}, rules.URLParseStrict},
		{"//example.com/", URLPolicy{}, rules.URLParseStrict},
		{"example.com", URLPolicy{}, rules.URLParseStrict},
		{"https:example.com", URLPolicy{}, rules.URLParseStrict},
		{"https:/example.com", URLPolicy{}, rules.URLParseStrict},
		{"https://", URLPolicy{}, rules.URLParseStrict},
		{"https:///path", URLPolicy{}, rules.URLParseStrict},
		{"https://:443/", URLPolicy{}, rules.URLParseStrict},
		{" https://example.com", URLPolicy{}, rules.URLParseStrict},
		{"https://example.com/ a", URLPolicy{}, rules.URLParseStrict},
		{"https://example.com/\r\nHost: evil", URLPolicy{}, rules.URLParseStrict},
		{"https://example.com\\@evil.example/", URLPolicy{}, rules.URLParseStrict},
		{"https://example.com/a\\b", URLPolicy{}, rules.URLParseStrict},
		{"https://exämple.com/", URLPolicy{}, rules.URLParseStrict},
		{"https://example.com/%zz", URLPolicy{}, rules.URLParseStrict},
		{"https://example.com/?a=%", URLPolicy{}, rules.URLParseStrict},
		{"https://ex%61mple.com/", URLPolicy{}, rules.URLParseStrict},
		{"https://a..b/", URLPolicy{}, rules.URLParseStrict},
		{"https://.example.com/", URLPolicy{}, rules.URLParseStrict},
		{"https://exa$mple.com/", URLPolicy{}, rules.URLParseStrict},
		{"https://2130706433/", URLPolicy{}, rules.URLParseStrict},
		{"https://0x7f000001/", URLPolicy{}, rules.URLParseStrict},
		{"https://0x7f.1/", URLPolicy{}, rules.URLParseStrict},
		{"https://127.1/", URLPolicy{}, rules.URLParseStrict},
		{"https://127.0.0.01/", URLPolicy{}, rules.URLParseStrict},
		{"https://0177.0.0.1/", URLPolicy{}, rules.URLParseStrict},
		{"https://1.2.3.4.5/", URLPolicy{}, rules.URLParseStrict},
		{"https://256.0.0.1/", URLPolicy{}, rules.URLParseStrict},
		{"https://192.0.2.1./", URLPolicy{}, rules.URLParseStrict},
		{"https://[::1/", URLPolicy{}, rules.URLParseStrict},
		{"https://[fe80::1%25eth0]/", URLPolicy{}, rules.URLParseStrict},
		{"https://[127.0.0.1]/", URLPolicy{}, rules.URLParseStrict},
		{"https://[v1.x]/", URLPolicy{}, rules.URLParseStrict},
		{"https://" + strings.Repeat("a.", 124) + "example/", URLPolicy{}, ""},
		{"https://" + strings.Repeat("a.", 125) + "example/", URLPolicy{}, rules.URLParseStrict},
		{"https://example.com:0/", URLPolicy{}, rules.URLParseStrict},
		{"https://example.com:65536/", URLPolicy{}, rules.URLParseStrict},
		{"https://example.com:/", URLPolicy{}, rules.URLParseStrict},
		{"https://example.com:0443/", URLPolicy{}, rules.URLParseStrict},
		{"https://example.com/" + strings.Repeat("a", maxURL), URLPolicy{}, rules.URLParseStrict},
	} {
		t.Run(tc.raw[:min(len(tc.raw), 40)], func(t *testing.T) {
			got := CheckURL(tc.raw, tc.p)
			breaks(t, got, tc.rule, true)
			if got != nil && strings.Contains(got.Detail, "pw") {
				t.Errorf("detail shows a password: %s", got.Detail)
			}
		})
	}
	for _, raw := range []string{"ftp://user:pw@h/", "https://user:pw@ho st/"} {
		if bad := CheckURL(raw, URLPolicy{}); bad == nil || strings.Contains(bad.Detail, "pw") {
			t.Errorf("%v", bad)
		}
	}
}

// Rules: authz-req-resource-canonical.
func TestCanonicalServer(t *testing.T) {
	for _, tc := range []struct{ in, want, origin string }{
		{"https://mcp.example.com/mcp", "https://mcp.example.com/mcp", "https://mcp.example.com"},
		{"HTTPS://MCP.Example.com:443/Mcp", "https://mcp.example.com/Mcp", "https://mcp.example.com"},
		{"http://localhost:80/", "http://localhost", "http://localhost"},
		{"https://h:8443/", "https://h:8443", "https://h:8443"},
		{"https://h/mcp/", "https://h/mcp/", "https://h"},
		{"https://u:p@h/mcp?a=B%2f#frag", "https://h/mcp?a=B%2f", "https://h"},
		{"https://h/?a=b", "https://h?a=b", "https://h"},
		{"https://[2001:DB8::1]:443/x", "https://[2001:db8::1]/x", "https://[2001:db8::1]"},
	} {
		got, err := CanonicalServer(tc.in)
		if err != nil || got.String() != tc.want || at(tc.want) != got {
			t.Errorf("CanonicalServer(%q) = %q, %v; want %q", tc.in, got, err, tc.want)
		}
		if o := Origin(tc.in); o != tc.origin || got.Origin() != o || got.Root().String() != o {
			t.Errorf("Origin(%q) = %q, want %q", tc.in, o, tc.origin)
		}
	}
	for _, in := range []string{"", "mcp", "ftp://h/", "https:///x", "stdio:foo"} {
		if got, err := CanonicalServer(in); err == nil {
			t.Errorf("CanonicalServer(%q) = %q, want an error", in, got)
		}
		if Origin(in) != "" {
			t.Errorf("Origin(%q) is not empty", in)
		}
	}
	if !IsLoopbackHTTP("http://LOCALHOST:8000/mcp") || IsLoopbackHTTP("https://localhost/") || IsLoopbackHTTP("http://h/") {
		t.Error("IsLoopbackHTTP")
	}
}

// A URL is written to JSON as it was read, and a string that cannot be read is not a URL.
func TestURLText(t *testing.T) {
	for _, raw := range []string{"", "HTTPS://Mcp.example:443/a%2fb?c=%7e", "http://127.0.0.1:8001/mcp"} {
		var u URL
		if err := u.UnmarshalText([]byte(raw)); err != nil || u != at(raw) {
			t.Fatalf("%q: %+v, %v", raw, u, err)
		}
		if b, err := u.MarshalText(); err != nil || string(b) != raw {
			t.Errorf("%q is written %q, %v", raw, b, err)
		}
	}
	if err := new(URL).UnmarshalText([]byte("https://a b/")); err == nil {
		t.Error("an address with a space was read")
	}
}
