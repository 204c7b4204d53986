package wire

import (
	"strings"
	"testing"
)

func TestCheckURL(t *testing.T) {
	loop := URLPolicy{AllowLoopbackHTTP: true}
	for _, tc := range []struct {
		raw  string
		p    URLPolicy
		rule RuleID
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

		{"http://127.0.0.1:9000/x", URLPolicy{}, RuleURLHTTPS},
		{"http://example.com/", loop, RuleURLHTTPS},
		{"http://localhost.example.com/", loop, RuleURLHTTPS},
		{"http://127.0.0.1.example.com/", loop, RuleURLHTTPS},
		{"http://[::ffff:127.0.0.1]/", loop, RuleURLHTTPS},

		{"javascript:alert(1)", URLPolicy{}, RuleURLSchemeAllowlist},
		{"file:///etc/passwd", URLPolicy{}, RuleURLSchemeAllowlist},
		{"data:text/html,x", URLPolicy{}, RuleURLSchemeAllowlist},
		{"ftp://example.com/", URLPolicy{}, RuleURLSchemeAllowlist},
		{"com.example.app:/callback", URLPolicy{}, RuleURLSchemeAllowlist},
		{"api://0f9c2c1e", URLPolicy{}, RuleURLSchemeAllowlist},
		{"urn:example:mcp", URLPolicy{}, RuleURLSchemeAllowlist},

		{"https://user@example.com/", URLPolicy{}, RuleURLNoUserinfo},
		{"https://user:pw@example.com/", URLPolicy{}, RuleURLNoUserinfo},
		{"https://@example.com/", URLPolicy{}, RuleURLNoUserinfo},
		{"https://good.example@evil.example/", URLPolicy{}, RuleURLNoUserinfo},
		{"https://example.com/#x", URLPolicy{}, RuleURLNoFragment},
		{"https://example.com/#", URLPolicy{}, RuleURLNoFragment},

		{"", URLPolicy{}, RuleURLParseStrict},
		{"/path", URLPolicy{}, RuleURLParseStrict},
		{"//example.com/", URLPolicy{}, RuleURLParseStrict},
		{"example.com", URLPolicy{}, RuleURLParseStrict},
		{"https:example.com", URLPolicy{}, RuleURLParseStrict},
		{"https:/example.com", URLPolicy{}, RuleURLParseStrict},
		{"https://", URLPolicy{}, RuleURLParseStrict},
		{"https:///path", URLPolicy{}, RuleURLParseStrict},
		{"https://:443/", URLPolicy{}, RuleURLParseStrict},
		{" https://example.com", URLPolicy{}, RuleURLParseStrict},
		{"https://example.com/ a", URLPolicy{}, RuleURLParseStrict},
		{"https://example.com/\r\nHost: evil", URLPolicy{}, RuleURLParseStrict},
		{"https://example.com\\@evil.example/", URLPolicy{}, RuleURLParseStrict},
		{"https://example.com/a\\b", URLPolicy{}, RuleURLParseStrict},
		{"https://exämple.com/", URLPolicy{}, RuleURLParseStrict},
		{"https://example.com/%zz", URLPolicy{}, RuleURLParseStrict},
		{"https://example.com/?a=%", URLPolicy{}, RuleURLParseStrict},
		{"https://ex%61mple.com/", URLPolicy{}, RuleURLParseStrict},
		{"https://a..b/", URLPolicy{}, RuleURLParseStrict},
		{"https://.example.com/", URLPolicy{}, RuleURLParseStrict},
		{"https://exa$mple.com/", URLPolicy{}, RuleURLParseStrict},
		{"https://2130706433/", URLPolicy{}, RuleURLParseStrict},
		{"https://0x7f000001/", URLPolicy{}, RuleURLParseStrict},
		{"https://0x7f.1/", URLPolicy{}, RuleURLParseStrict},
		{"https://127.1/", URLPolicy{}, RuleURLParseStrict},
		{"https://127.0.0.01/", URLPolicy{}, RuleURLParseStrict},
		{"https://0177.0.0.1/", URLPolicy{}, RuleURLParseStrict},
		{"https://1.2.3.4.5/", URLPolicy{}, RuleURLParseStrict},
		{"https://256.0.0.1/", URLPolicy{}, RuleURLParseStrict},
		{"https://192.0.2.1./", URLPolicy{}, RuleURLParseStrict},
		{"https://[::1/", URLPolicy{}, RuleURLParseStrict},
		{"https://[fe80::1%25eth0]/", URLPolicy{}, RuleURLParseStrict},
		{"https://[127.0.0.1]/", URLPolicy{}, RuleURLParseStrict},
		{"https://[v1.x]/", URLPolicy{}, RuleURLParseStrict},
		{"https://example.com:0/", URLPolicy{}, RuleURLParseStrict},
		{"https://example.com:65536/", URLPolicy{}, RuleURLParseStrict},
		{"https://example.com:/", URLPolicy{}, RuleURLParseStrict},
		{"https://example.com:0443/", URLPolicy{}, RuleURLParseStrict},
		{"https://example.com/" + strings.Repeat("a", maxURL), URLPolicy{}, RuleURLParseStrict},
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
		if err != nil || got != tc.want {
			t.Errorf("CanonicalServer(%q) = %q, %v; want %q", tc.in, got, err, tc.want)
		}
		if o := Origin(tc.in); o != tc.origin {
			t.Errorf("Origin(%q) = %q, want %q", tc.in, o, tc.origin)
		}
		if again, err := CanonicalServer(got); err != nil || again != got {
			t.Errorf("CanonicalServer is not stable: %q, %v", again, err)
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
