package wire

import (
	"encoding/json"
	"testing"
	"time"
)

// The documents of a typical flow, as one large provider writes them.
const (
	benchPRM = `{
  "resource": "https://mcp.example.com/v1/mcp",
  "authorization_servers": ["https://auth.example.com/tenant"],
  "scopes_supported": ["mcp:read", "mcp:write", "profile"],
  "bearer_methods_supported": ["header"],
  "resource_name": "Example tools",
  "resource_documentation": "https://docs.example.com/mcp"
}`
	benchASM = `{
  "issuer": "https://auth.example.com/tenant",
  "authorization_endpoint": "https://auth.example.com/tenant/authorize",
  "token_endpoint": "https://auth.example.com/tenant/token",
  "registration_endpoint": "https://auth.example.com/tenant/register",
  "revocation_endpoint": "https://auth.example.com/tenant/revoke",
  "introspection_endpoint": "https://auth.example.com/tenant/introspect",
  "userinfo_endpoint": "https://auth.example.com/tenant/userinfo",
  "jwks_uri": "https://auth.example.com/tenant/keys",
  "scopes_supported": ["openid", "profile", "email", "offline_access", "mcp:read", "mcp:write"],
  "response_types_supported": ["code"],
  "response_modes_supported": ["query", "fragment"],
  "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
  "subject_types_supported": ["public"],
  "id_token_signing_alg_values_supported": ["RS256", "ES256"],
  "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
  "claims_supported": ["sub", "iss", "aud", "exp", "iat", "name", "email"],
  "code_challenge_methods_supported": ["S256"],
  "authorization_response_iss_parameter_supported": true,
  "client_id_metadata_document_supported": true,
  "service_documentation": "https://docs.example.com/auth"
}`
	benchREG = `{
  "client_id": "s6BhdRkqt3-0f9c2c1e-5a41-4d7e",
  "client_id_issued_at": 1763714400,
  "client_name": "Stile",
  "client_uri": "https://stile.example",
  "redirect_uris": ["http://127.0.0.1:43110/callback"],
  "grant_types": ["authorization_code", "refresh_token"],
  "response_types": ["code"],
  "token_endpoint_auth_method": "none",
  "application_type": "native",
  "scope": "mcp:read mcp:write offline_access"
}`
	benchTOK = `{"access_token":"eyJhbGciOiJFUzI1NiIsImtpZCI6IjEifQ.eyJpc3MiOiJodHRwczovL2F1dGguZXhhbXBsZS5jb20iLCJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlc2lnbmF0dXJlc2lnbmF0dXJlc2lnbmF0dXJl",
"token_type":"Bearer","expires_in":3600,"refresh_token":"8xLOxBtZp8Kq2mVf4nR1wQ0u","scope":"mcp:read mcp:write offline_access"}`
)

func answer(status int, body string) Response {
	return Response{
		Status: status,
		Header: Fields{{Name: "Content-Type", Value: "application/json"}, {Name: "Cache-Control", Value: "no-store"}},
		Body:   []byte(body),
	}
}

// The structs for the baseline hold the members that the parsers read, so that
// encoding/json has no more to do than the parsers.
type (
	floorPRM struct {
		Resource             string   `json:"resource"`
		AuthorizationServers []string `json:"authorization_servers"`
		ScopesSupported      []string `json:"scopes_supported"`
		BearerMethods        []string `json:"bearer_methods_supported"`
		Name                 string   `json:"resource_name"`
	}
	floorASM struct {
		Issuer                string   `json:"issuer"`
		AuthorizationEndpoint string   `json:"authorization_endpoint"`
		TokenEndpoint         string   `json:"token_endpoint"`
		RegistrationEndpoint  string   `json:"registration_endpoint"`
		RevocationEndpoint    string   `json:"revocation_endpoint"`
		IntrospectionEndpoint string   `json:"introspection_endpoint"`
		JWKSURI               string   `json:"jwks_uri"`
		ServiceDocumentation  string   `json:"service_documentation"`
		ScopesSupported       []string `json:"scopes_supported"`
		ResponseTypes         []string `json:"response_types_supported"`
		GrantTypes            []string `json:"grant_types_supported"`
		AuthMethods           []string `json:"token_endpoint_auth_methods_supported"`
		ChallengeMethods      []string `json:"code_challenge_methods_supported"`
		Iss                   bool     `json:"authorization_response_iss_parameter_supported"`
		CIMD                  bool     `json:"client_id_metadata_document_supported"`
		PAR                   bool     `json:"require_pushed_authorization_requests"`
	}
	floorREG struct {
		ClientID     string   `json:"client_id"`
		ClientSecret string   `json:"client_secret"`
		Expires      int64    `json:"client_secret_expires_at"`
		Method       string   `json:"token_endpoint_auth_method"`
		RedirectURIs []string `json:"redirect_uris"`
		GrantTypes   []string `json:"grant_types"`
		Token        string   `json:"registration_access_token"`
		URI          string   `json:"registration_client_uri"`
	}
	floorTOK struct {
		AccessToken  string `json:"access_token"`
		TokenType    string `json:"token_type"`
		ExpiresIn    int64  `json:"expires_in"`
		RefreshToken string `json:"refresh_token"`
		Scope        string `json:"scope"`
	}
)

func floor[T any](b *testing.B, body string) {
	b.Helper()
	raw := []byte(body)
	b.ReportAllocs()
	for b.Loop() {
		var v T
		if err := json.Unmarshal(raw, &v); err != nil {
			b.Fatal(err)
		}
	}
}

func parsing(b *testing.B, status int, body string, parse func(Response) *Problem) {
	b.Helper()
	r := answer(status, body)
	b.ReportAllocs()
	for b.Loop() {
		if bad := parse(r); bad != nil {
			b.Fatal(bad)
		}
	}
}

func BenchmarkDocuments(b *testing.B) {
	b.Run("PRM/wire", func(b *testing.B) {
		p := PRMPolicy{Server: at("https://mcp.example.com/v1/mcp"), Reference: at("https://mcp.example.com/v1/mcp")}
		parsing(b, 200, benchPRM, func(r Response) *Problem { _, _, bad := ParsePRM(r, p); return bad })
	})
	b.Run("PRM/encoding-json", func(b *testing.B) { floor[floorPRM](b, benchPRM) })
	b.Run("ASM/wire", func(b *testing.B) {
		p := ASMPolicy{Issuer: "https://auth.example.com/tenant", RequirePKCE: true}
		parsing(b, 200, benchASM, func(r Response) *Problem { _, _, bad := ParseASM(r, p); return bad })
	})
	b.Run("ASM/encoding-json", func(b *testing.B) { floor[floorASM](b, benchASM) })
	b.Run("REG/wire", func(b *testing.B) {
		p := RegistrationParams{Endpoint: "https://auth.example.com/tenant/register", RedirectURIs: []string{"http://127.0.0.1:43110/callback"}}
		at := time.Unix(1763714401, 0)
		parsing(b, 201, benchREG, func(r Response) *Problem {
			_, _, bad := ParseRegistration(r, p, []string{"none"}, at)
			return bad
		})
	})
	b.Run("REG/encoding-json", func(b *testing.B) { floor[floorREG](b, benchREG) })
	b.Run("TOK/wire", func(b *testing.B) {
		parsing(b, 200, benchTOK, func(r Response) *Problem { _, _, bad := ParseToken(r, TokenPolicy{}); return bad })
	})
	b.Run("TOK/encoding-json", func(b *testing.B) { floor[floorTOK](b, benchTOK) })
}

func BenchmarkJudgeChallenge(b *testing.B) {
	r := Response{Status: 401, Header: wwwAuthenticate(`Bearer realm="mcp", error="invalid_token", error_description="The access token expired", scope="mcp:read mcp:write", resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/v1/mcp"`)}
	b.ReportAllocs()
	for b.Loop() {
		if c, _ := JudgeChallenge(r, at("https://mcp.example.com/v1/mcp"), false); c.ResourceMetadata == "" {
			b.Fatal(c)
		}
	}
}

func BenchmarkBuilders(b *testing.B) {
	client := Client{ID: "s6BhdRkqt3", Secret: "secret", Method: MethodPost}
	b.Run("AuthorizationURL", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, bad := AuthorizationURL(AuthorizationParams{
				Endpoint: "https://auth.example.com/tenant/authorize", ClientID: client.ID, RedirectURI: "http://127.0.0.1:43110/callback",
				Challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", State: "q1w2e3r4t5y6u7i8o9p0a1", Scope: "mcp:read mcp:write", Resource: "https://mcp.example.com/v1/mcp",
			}); bad != nil {
				b.Fatal(bad)
			}
		}
	})
	b.Run("TokenRequest", func(b *testing.B) {
		p := TokenParams{Endpoint: "https://auth.example.com/tenant/token", Client: client, Code: "code", Verifier: "verifier", RedirectURI: "http://127.0.0.1:43110/callback", Resource: "https://mcp.example.com/v1/mcp"}
		b.ReportAllocs()
		for b.Loop() {
			if r := TokenRequest(p); len(r.Form) != 7 {
				b.Fatal(r)
			}
		}
	})
	b.Run("RegistrationRequest", func(b *testing.B) {
		p := RegistrationParams{Endpoint: "https://auth.example.com/r", Name: "Stile", RedirectURIs: []string{"http://127.0.0.1:43110/callback"}, ApplicationType: "native", Scope: "mcp:read"}
		b.ReportAllocs()
		for b.Loop() {
			if r := RegistrationRequest(p); len(r.Body) == 0 {
				b.Fatal(r)
			}
		}
	})
}
