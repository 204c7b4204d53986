package wire

import (
	"net/url"
	"strings"
	"testing"
)

// TestReach: a token is sent only where its resource is, by paths in their escaped form.
func TestReach(t *testing.T) {
	for _, tc := range []struct {
		resource string
		may, not []string
	}{
		{"https://h/mcp", []string{"https://h/mcp", "https://h/mcp/", "https://h/mcp/x?y=z", "https://H:443/mcp", "HTTPS://h/mcp", "https://h/%6dcp", "https://h/mcp?a#b", "https://h/mcp/a..b/...", "https://h/mcp/a%2Fb"},
			[]string{"https://h/", "https://h", "https://h/mc", "https://h/mcp2", "https://h/MCP", "http://h/mcp", "https://h:8443/mcp", "https://h./mcp", "https://x.h/mcp", "https://evil.example/mcp",
				"https://h/mcp%2Fx", "https://h/mcp%2f", "https://h//mcp", "https://h/x/mcp"}},
		{"https://h/mcp/", []string{"https://h/mcp", "https://h/mcp/", "https://h/mcp/x"}, []string{"https://h/mcpx"}},
		{"https://h", []string{"https://h", "https://h/", "https://h/a/b", "https://h/../x"}, []string{"https://h:444/", "http://h/", "https://h2/", "https://hx443/"}},

		// Percent escapes: equivalent ones (RFC 3986 §6.2.2) are the same path, others a different one.
		{"http://127.0.0.1:80/my%20server/mcp", []string{"http://127.0.0.1/my%20server/mcp", "http://127.0.0.1:80/my%20server/mcp/x"}, []string{"http://127.0.0.1/my+server/mcp", "http://127.0.0.1/my%2520server/mcp", "http://127.0.0.1/my"}},
		{"https://h/a/b", []string{"https://h/a/b", "https://h/a/%62", "https://h/%61/b/c"}, []string{"https://h/a%2Fb", "https://h/a%2fb", "https://h/a%252Fb", "https://h/a%5Cb"}},
		{"https://h/a%2Fb", []string{"https://h/a%2Fb", "https://h/a%2fb", "https://h/a%2Fb/c", "https://h/%61%2Fb"}, []string{"https://h/a/b", "https://h/a%252Fb", "https://h/a%2Fbc"}},
		{"https://h/%E2%82%AC/x", []string{"https://h/%e2%82%ac/x", "https://h/€/x"}, []string{"https://h/%E2%82/x"}},
		{"https://h/a:b@c!$&'()*+,;=d", []string{"https://h/a:b@c!$&'()*+,;=d", "https://h/a:b@c!$&'()*+,;=d/e"}, []string{"https://h/a%3Ab@c!$&'()*+,;=d", "https://h/a:b@c!$&'()*+,;=e"}},
		{"https://h/a;v=1/b", []string{"https://h/a;v=1/b"}, []string{"https://h/a/b", "https://h/a%3Bv=1/b", "https://h/a;v=2/b"}},
		{"https://h/~x", []string{"https://h/%7Ex", "https://h/%7ex"}, nil},
		{"https://h/{t}/v", []string{"https://h/{t}/v", "https://h/%7Bt%7D/v"}, []string{"https://h/t/v"}},
		{"https://h/a//b", []string{"https://h/a//b", "https://h/a//b/c"}, []string{"https://h/a/b"}},

		// Addresses that may climb out.
		{"https://h/mcp", []string{"https://h/mcp/v./x", "https://h/mcp/.v/x"}, []string{"https://h/mcp/..", "https://h/mcp/../x", "https://h/mcp/%2e%2e/x", "https://h/mcp/.%2E/x", "https://h/mcp/a%2F..%2Fx", "https://h/mcp/..%5Cx", "https://h/mcp/..;/x", "https://h/mcp/%252e%252e/x"}},

		// A query of the resource.
		{"https://h/mcp?tenant=a", []string{"https://h/mcp?tenant=a", "https://h/mcp?tenant=a&x=y", "https://h/mcp?x=y&tenant=%61", "https://h/mcp/z?tenant=a"},
			[]string{"https://h/mcp", "https://h/mcp?tenant=b", "https://h/mcp?tenant=a%26x", "https://h/mcp?Tenant=a", "https://h/mcp?tenant="}},
		{"https://h/?q=%2F", []string{"https://h?q=%2f"}, []string{"https://h?q=/", "https://h/"}},
	} {
		reach := at(tc.resource).Reach()
		for _, raw := range tc.may {
			if u := parsed(t, raw); !reach.Allows(u) {
				t.Errorf("a token for %s may not go to %s", tc.resource, raw)
			}
		}
		for _, raw := range tc.not {
			if u := parsed(t, raw); reach.Allows(u) {
				t.Errorf("a token for %s may go to %s", tc.resource, raw)
			}
		}
	}
}

// TestReachHere: one address, and nothing below or beside it.
func TestReachHere(t *testing.T) {
	reach := at("https://h/a/mcp").ReachHere()
	for raw, want := range map[string]bool{
		"https://h/a/mcp": true, "https://h/a/mcp/": true, "https://h/a/%6Dcp": true,
		"https://h/a/mcp/x": false, "https://h/a": false, "https://h/a/mcp?x": false, "https://h/": false, "http://h/a/mcp": false,
	} {
		if reach.Allows(parsed(t, raw)) != want {
			t.Errorf("%s: want %v", raw, want)
		}
	}
	if root := at("https://h").ReachHere(); !root.Allows(parsed(t, "https://h/")) || root.Allows(parsed(t, "https://h/x")) {
		t.Error("the root alone")
	}
}

// TestReachOfNothing: the zero URL reaches nothing, and an opaque URL is not an address.
func TestReachOfNothing(t *testing.T) {
	var none URL
	for _, r := range []Reach{none.Reach(), none.ReachHere(), none.OriginReach(), {}} {
		if r.Allows(parsed(t, "https://h/")) || r.Allows(&url.URL{}) {
			t.Error("no address, and a token may go somewhere")
		}
	}
	if at("https://h").Reach().Allows(&url.URL{Scheme: "https", Host: "h", Opaque: "//evil.example/"}) {
		t.Error("a token may go to an opaque URL")
	}
}

func parsed(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// FuzzReach: every address that may get a token is the resource or below it, segment by
// segment, in the form in which it is sent.
func FuzzReach(f *testing.F) {
	f.Add("https://h/a/b", "https://h/a%2Fb")
	f.Add("https://h/a%2Fb", "https://h/a/b")
	f.Add("https://h/my%20server/mcp", "https://h/my%20server/mcp/x")
	f.Add("https://h/{a}?b", "https://h/%7ba%7d?b&c")
	f.Add("https://h/mcp", "https://h/mcp/%2e%2e/x")
	f.Fuzz(func(t *testing.T, resource, to string) {
		res := at(resource)
		u, err := url.Parse(to)
		if err != nil || res.String() == "" || !res.Reach().Allows(u) {
			return
		}
		if at(to).String() != "" && !at(to).SameOrigin(res) {
			t.Fatalf("a token for %q may go to %q", resource, to)
		}
		own := segments(t, strings.TrimSuffix(res.sent, "/"))
		theirs := segments(t, u.EscapedPath())
		if len(own) > len(theirs) && res.sent != "/" {
			t.Fatalf("a token for %q may go above it, to %q", resource, to)
		}
		for i := range own {
			if own[i] != theirs[i] {
				t.Fatalf("a token for %q may go to %q: segment %q is %q", resource, to, own[i], theirs[i])
			}
		}
		if len(own) > 1 || res.Query() != "" {
			for _, s := range theirs {
				if s == ".." {
					t.Fatalf("a token for %q may climb to %q", resource, to)
				}
			}
		}
		if !res.OriginReach().Allows(u) {
			t.Fatalf("%q is not of the origin of %q", to, resource)
		}
	})
}

// segments decodes a path segment by segment, so that an escaped slash stays inside its
// segment.
func segments(t *testing.T, escaped string) []string {
	t.Helper()
	out := strings.Split(escaped, "/")
	for i, s := range out {
		d, err := url.PathUnescape(s)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = d
	}
	return out
}
