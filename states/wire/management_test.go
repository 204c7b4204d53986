package wire

import (
	"strings"
	"testing"

	"github.com/stile-oauth/stile/states/rules"
)

// TestJudgeDeletion: which answers say that the issuer does not know the client any more.
//
// Rules: dcr-delete.
func TestJudgeDeletion(t *testing.T) {
	for status, rule := range map[int]rules.ID{
		204: "", 200: "", 299: "", 401: "", 404: "", 410: "", 300: rules.NetRedirectPost, 399: rules.NetRedirectPost,
		199: rules.DCRDelete, 400: rules.DCRDelete, 403: rules.DCRDelete, 405: rules.DCRDelete, 500: rules.DCRDelete,
	} {
		wantRule(t, "status", JudgeDeletion(Response{Status: status}), rule)
	}
	r := DeleteClientRequest(Client{RegistrationURI: "https://as.example/c/1", RegistrationToken: "manage"})
	if r.Method != "DELETE" || r.URL != "https://as.example/c/1" || len(r.Body)+len(r.Form) > 0 {
		t.Errorf("%v", r)
	}
	if v := r.Header.Header("Authorization"); len(v) != 1 || v[0] != "Bearer manage" {
		t.Errorf("%v", v)
	}
}

// TestDocumentMethod: client and server choose by the same rule.
//
// Rules: cimd-methods-array.
func TestDocumentMethod(t *testing.T) {
	for _, c := range []struct {
		listed, preferred, known, want string
	}{
		{"none private_key_jwt", "private_key_jwt", "private_key_jwt none", "private_key_jwt"},
		{"none private_key_jwt", "private_key_jwt", "none", "none"},
		{"private_key_jwt none", "tls", "none tls", "none"},
		{"private_key_jwt none", "", "none private_key_jwt", "private_key_jwt"},
		{"private_key_jwt", "private_key_jwt", "none", ""},
		{"", "none", "none", ""},
	} {
		if got := DocumentMethod(strings.Fields(c.listed), c.preferred, strings.Fields(c.known)); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// TestSecretsOfAnswers: what is secret in an answer and in a callback.
func TestSecretsOfAnswers(t *testing.T) {
	for body, want := range map[string]string{
		`{"access_token":"a","refresh_token":"r","client_secret":"","registration_access_token":"m","id_token":"i","x":"y"}`: "a r m i",
		`access_token=a&x=y&id_token=i`: "a i", `[1]`: "", `{"access_token":7}`: "",
	} {
		var got []string
		for _, s := range SecretsIn([]byte(body)) {
			got = append(got, s.Reveal())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q", body, got)
		}
	}
	if got := SecretsInCallback("https://x.example/cb?code=c&state=s&x=y"); len(got) != 2 || got[0] != "c" || got[1] != "s" {
		t.Errorf("%d of a callback", len(got))
	}
	if got := SecretsInCallback("https://x.example/%zz"); got != nil {
		t.Errorf("%d of no address", len(got))
	}
}

// TestNamedEscapes: a secret behind the named escapes of HTML is found.
func TestNamedEscapes(t *testing.T) {
	const secret, escaped = `a<b>c"d'e+f/g=h_i.j:k`, `a&lt;b&gt;c&quot;d&apos;e&plus;f&sol;g&equals;h&lowbar;i&period;j&colon;k`
	if got := Mask("it is "+escaped+" here", []Secret{secret}); strings.Contains(got, "&lt;b") || got == "" {
		t.Errorf("%q", got)
	}
	for _, part := range []string{"&lt;", "&gt;", "&quot;", "&apos;", "&plus;", "&sol;", "&equals;", "&lowbar;", "&period;", "&colon;"} {
		if out := string(UnescapeHTML(nil, []byte(part))); len(out) != 1 || !strings.Contains(secret, out) {
			t.Errorf("%s: %q", part, out)
		}
	}
	for _, same := range []string{"&ltx;", "&", "&;", "a&b", "&unknown;"} {
		if out := string(UnescapeHTML(nil, []byte(same))); out != same {
			t.Errorf("%s: %q", same, out)
		}
	}
}
