package wire

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stile-oauth/stile/states/rules"
)

// Rules: asm-auth-methods-default, clientauth-default-basic.
func TestChooseMethod(t *testing.T) {
	basic, post, none := MethodBasic, MethodPost, MethodNone
	for _, tc := range []struct {
		row      string
		c        Client
		listed   []string
		explicit bool
		want     string
		inferred bool
		rule     rules.ID
		note     []rules.ID
	}{
		{"#t7-1", Client{ID: "i", Secret: "s", Method: post}, []string{post}, true, post, false, "", nil},
		{"#t7-1 not listed", Client{ID: "i", Secret: "s", Method: post}, []string{basic}, true, post, false, "", []rules.ID{rules.ClientauthMethodSupported}},
		{"#t7-1 none, although a secret is held", Client{ID: "i", Secret: "s", Method: none}, nil, true, none, false, "", nil},
		{"#t7-1 without secret", Client{ID: "i", Method: basic}, nil, true, "", false, rules.ClientauthConfidential, nil},
		{"#t7-1 of another kind", Client{ID: "i", Secret: "s", Method: "tls_client_auth"}, nil, true, "", false, rules.ClientauthMTLSUnsupported, nil},
		{"#t7-2", Client{ID: "i", Secret: "s", Method: post, Source: SourceDynamic}, []string{basic}, false, post, false, "", nil},
		{"#t7-2 without secret", Client{ID: "i", Method: post, Source: SourceDynamic}, []string{post, none}, false, none, false, "", []rules.ID{rules.DCRMethodSecretConsistent}},
		{"#t7-2 without secret, none not listed", Client{ID: "i", Method: basic, Source: SourceDynamic}, []string{basic}, false, "", false, rules.DCRMethodSecretConsistent, nil},
		{"#t7-2 without secret, nothing listed", Client{ID: "i", Method: basic, Source: SourceDynamic}, nil, false, "", false, rules.DCRMethodSecretConsistent, nil},
		{"#t7-2 with a key", Client{ID: "i", Method: "private_key_jwt", Source: SourceDynamic}, nil, false, "", false, rules.ClientauthMTLSUnsupported, nil},
		{"#t7-3", Client{ID: "https://c.example/md", Source: SourceCIMD}, []string{basic}, false, none, false, "", nil},
		{"#t7-5", Client{ID: "i", Secret: "s"}, nil, false, basic, true, "", nil},
		{"#t7-5 empty list", Client{ID: "i", Secret: "s"}, []string{}, false, basic, true, "", nil},
		{"#t7-6 basic", Client{ID: "i", Secret: "s"}, []string{basic, "private_key_jwt"}, false, basic, true, "", nil},
		{"#t7-6 post", Client{ID: "i", Secret: "s"}, []string{post, none}, false, post, true, "", nil},
		{"#t7-7 plain", Client{ID: "i", Secret: "s-1._~"}, []string{basic, post}, false, basic, true, "", nil},
		{"#t7-7 secret that encoding changes", Client{ID: "i", Secret: "a/b+c="}, []string{basic, post}, false, post, true, "", nil},
		{"#t7-7 id that encoding changes", Client{ID: "a:b", Secret: "s"}, []string{basic, post}, false, post, true, "", nil},
		{"#t7-8", Client{ID: "i", Secret: "s"}, []string{none}, false, none, true, "", []rules.ID{rules.ClientauthMethodSupported}},
		{"#t7-9", Client{ID: "i", Secret: "s"}, []string{"private_key_jwt", "tls_client_auth"}, false, "", false, rules.ClientauthMTLSUnsupported, nil},
		{"#t7-10", Client{ID: "i"}, nil, false, none, false, "", nil},
		{"#t7-10 listed", Client{ID: "i"}, []string{none}, false, none, false, "", nil},
		{"#t7-10 not listed", Client{ID: "i"}, []string{basic}, false, none, false, "", []rules.ID{rules.ClientauthMethodSupported}},
		{"one that worked before", Client{ID: "i", Secret: "s", Method: post, Inferred: true}, []string{basic, post}, false, post, true, "", nil},
	} {
		t.Run(tc.row, func(t *testing.T) {
			got, found, bad := ChooseMethod(tc.c, tc.listed, tc.explicit)
			breaks(t, bad, tc.rule, true)
			notes(t, found, tc.note...)
			if bad == nil && (got.Method != tc.want || got.Inferred != tc.inferred) {
				t.Errorf("method %q (inferred %v), want %q (%v)", got.Method, got.Inferred, tc.want, tc.inferred)
			}
		})
	}
}

func TestOtherMethod(t *testing.T) {
	basic, post, none := MethodBasic, MethodPost, MethodNone
	for _, tc := range []struct {
		name   string
		c      Client
		listed []string
		want   string // "" when there is none
	}{
		{"basic to post", Client{Secret: "s", Method: basic, Inferred: true}, nil, "post"},
		{"post to basic", Client{Secret: "s", Method: post, Inferred: true}, []string{basic, post}, "basic"},
		{"the only one listed", Client{Secret: "s", Method: basic, Inferred: true}, []string{basic}, ""},
		{"explicit", Client{Secret: "s", Method: basic}, nil, ""},
		{"no secret", Client{Method: none, Inferred: true}, nil, ""},
		{"none listed, a secret held (#t7-8)", Client{Secret: "s", Method: none, Inferred: true}, []string{none}, "basic post"},
		{"nothing listed, registered with none", Client{Secret: "s", Method: none, Inferred: true}, nil, "basic post"},
		{"none and post listed", Client{Secret: "s", Method: none, Inferred: true}, []string{none, post}, "post"},
		{"both listed", Client{Secret: "s", Method: none, Inferred: true}, []string{post, basic}, "basic post"},
		{"only what needs a key listed", Client{Secret: "s", Method: basic, Inferred: true}, []string{"private_key_jwt"}, "post"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var tried []string
			for c, ok := OtherMethod(tc.c, tc.listed); ok; c, ok = OtherMethod(c, tc.listed) {
				tried = append(tried, strings.TrimPrefix(c.Method, "client_secret_"))
				if len(tried) > 2 {
					t.Fatal("the tries have no bound (clientauth-fallback-once)")
				}
			}
			if got := strings.Join(tried, " "); got != tc.want {
				t.Errorf("tried %q, want %q", got, tc.want)
			}
		})
	}
}

// clientauth-one-method, clientauth-basic-encoding, clientauth-basic-no-body-id
//
// Rules: clientauth-none, clientauth-basic-no-body-id.
func TestClientAuthentication(t *testing.T) {
	for _, tc := range []struct {
		name string
		c    Client
		head string
		form []string
	}{
		{"none", Client{ID: "i", Secret: "unused", Method: MethodNone}, "", []string{"client_id=i"}},
		{"post", Client{ID: "i", Secret: "s", Method: MethodPost}, "", []string{"client_id=i", "client_secret=s"}},
		{"basic", Client{ID: "i", Secret: "s", Method: MethodBasic}, "Basic aTpz", nil},
		// "a:b é" and "p%/ +" form-encoded, as RFC 6749 §2.3.1 says
		{"basic, encoded", Client{ID: "a:b é", Secret: "p%/ +", Method: MethodBasic}, "Basic YSUzQWIrJUMzJUE5OnAlMjUlMkYrJTJC", nil},
		{"basic, quirk basic-raw", Client{ID: "i", Secret: "p%/ +", Method: MethodBasic, Raw: true}, "Basic aTpwJS8gKw==", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := formRequest("https://as.example/token", tc.c, Field{Name: "grant_type", Value: "x"}, Field{Name: "empty", Value: ""})
			head := ""
			for _, f := range r.Header {
				if f.Name == "Authorization" {
					head = f.Value
					if !f.Secret {
						t.Error("Authorization is not marked as secret")
					}
				}
			}
			if head != tc.head {
				t.Errorf("Authorization %q, want %q", head, tc.head)
			}
			var form []string
			for _, f := range r.Form[1:] {
				form = append(form, f.Name+"="+f.Value)
				if f.Secret != (f.Name == "client_secret") {
					t.Errorf("%s: secret %v", f.Name, f.Secret)
				}
			}
			if diff := cmp.Diff(tc.form, form); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestForm(t *testing.T) {
	fs := Fields{{Name: "a b", Value: "c&d=é"}, {Name: "e", Value: ""}, {Name: "a b", Value: "+"}}
	s := EncodeForm(fs)
	if s != "a+b=c%26d%3D%C3%A9&e=&a+b=%2B" {
		t.Error(s)
	}
	back, ok := DecodeForm(s)
	if diff := cmp.Diff(fs, back); diff != "" || !ok {
		t.Error(diff)
	}
	if got, ok := DecodeForm("&a=%zz&b=1&"); ok || len(got) != 1 || got[0].Name != "b" {
		t.Error(got, ok)
	}
}
