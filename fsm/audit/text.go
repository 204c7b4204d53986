package audit

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stile-oauth/stile/states/wire"
)

// maxAge reads max-age from a Cache-Control field in lower case.
func maxAge(cc string) (seconds int, ok bool) {
	for part := range strings.SplitSeq(cc, ",") {
		if v, has := strings.CutPrefix(strings.TrimSpace(part), "max-age="); has {
			n, err := strconv.Atoi(strings.Trim(v, `"`))
			return n, err == nil
		}
	}
	return 0, false
}

// hostOf is the host of a URL, in lower case, without the port.
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

// site is the last two labels of a host. That is close enough to a registrable domain
// for a fact that is only reported.
func site(host string) string {
	labels := strings.Split(host, ".")
	return strings.Join(labels[max(0, len(labels)-2):], ".")
}

// metadataService reports whether a host is where clouds keep a machine's
// credentials.
func metadataService(host string) bool {
	return strings.HasPrefix(host, "169.254.") || host == "metadata.google.internal" || host == "fd00:ec2::254" || host == "100.100.100.200"
}

// internal reports whether a host can only be reached from inside a network:
// localhost, a private or link-local address, or a name with a suffix that no public
// resolver serves.
func internal(host string) bool {
	if host == "localhost" || !strings.Contains(host, ".") && !strings.Contains(host, ":") {
		return true
	}
	for _, suffix := range []string{".localhost", ".local", ".internal", ".lan", ".home.arpa", ".cluster.local", ".svc", ".corp", ".intranet"} {
		if strings.HasSuffix(host, suffix) {
			return true
		}
	}
	b := strings.Split(host, ".")
	if len(b) == 4 {
		var n [4]int
		for i, s := range b {
			v, err := strconv.Atoi(s)
			if err != nil || v > 255 {
				return false
			}
			n[i] = v
		}
		return n[0] == 127 || n[0] == 10 || n[0] == 0 || n[0] == 172 && n[1]&0xf0 == 16 || n[0] == 192 && n[1] == 168 ||
			n[0] == 169 && n[1] == 254 || n[0] == 100 && n[1]&0xc0 == 64
	}
	return strings.HasPrefix(host, "::1") || strings.HasPrefix(host, "fc") && strings.Contains(host, ":") ||
		strings.HasPrefix(host, "fd") && strings.Contains(host, ":") || strings.HasPrefix(host, "fe80:")
}

// objects reads a member that is an array of objects.
func objects(o wire.Object, name string) ([]wire.Object, bool) {
	raw, ok := o.Raw(name)
	if !ok {
		return nil, false
	}
	var list []jsontext.Value
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, false
	}
	var out []wire.Object
	for _, v := range list {
		if obj, err := wire.ParseObject(v); err == nil {
			out = append(out, obj)
		}
	}
	return out, true
}

// read are the members of metadata that clients read.
var read = append([]string{"resource", "authorization_servers", "scopes_supported", "bearer_methods_supported", "issuer", "jwks_uri",
	"response_types_supported", "grant_types_supported", "code_challenge_methods_supported", "token_endpoint_auth_methods_supported"}, endpointNames...)

// variant reports whether a name is not one of those that clients read but becomes one
// when case is folded. A parser that folds case reads it as that name.
func variant(name string) (is string, ok bool) {
	for _, r := range read {
		if name != r && strings.EqualFold(name, r) {
			return r, true
		}
	}
	return "", false
}
