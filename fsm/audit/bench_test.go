package audit

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/states/wire"
)

// BenchmarkJudge judges a recording of ten thousand exchanges (whole logins, one
// after the other) by every check that a recording can answer.
func BenchmarkJudge(b *testing.B) {
	const exchanges = 10_000
	one := []Exchange{
		{Request: request("POST", "https://mcp.example/mcp", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`), Response: answer(401, "WWW-Authenticate", `Bearer resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp"`, "")},
		{Request: request("GET", "https://mcp.example/.well-known/oauth-protected-resource/mcp", ""), Response: answer(200, "Content-Type", "application/json", `{"resource":"https://mcp.example/mcp","authorization_servers":["https://as.example"]}`)},
		{Request: request("GET", "https://as.example/.well-known/oauth-authorization-server", ""), Response: answer(200, "Content-Type", "application/json", `{"issuer":"https://as.example","authorization_endpoint":"https://as.example/authorize","token_endpoint":"https://as.example/token","response_types_supported":["code"],"code_challenge_methods_supported":["S256"]}`)},
		{Request: request("GET", "https://as.example/authorize?response_type=code&client_id=c&redirect_uri=http%3A%2F%2F127.0.0.1%3A9%2Fcb&state=state-N-0123456789abcdef&code_challenge=challenge-N-0123456789abcdef0123456789abcdef&code_challenge_method=S256&resource=https%3A%2F%2Fmcp.example%2Fmcp", ""), Response: answer(302, "Location", "http://127.0.0.1:9/cb?code=code-N-0123456789&state=state-N-0123456789abcdef", "")},
		{Request: request("GET", "http://127.0.0.1:9/cb?code=code-N-0123456789&state=state-N-0123456789abcdef", ""), Response: answer(200, "Content-Type", "text/html", "")},
		{Request: request("POST", "https://as.example/token", "grant_type=authorization_code&code=code-N-0123456789&client_id=c&code_verifier=verifier-N&redirect_uri=http%3A%2F%2F127.0.0.1%3A9%2Fcb&resource=https%3A%2F%2Fmcp.example%2Fmcp"), Response: answer(200, "Content-Type", "application/json", `{"access_token":"access-N","token_type":"Bearer","expires_in":60,"refresh_token":"refresh-N"}`)},
	}
	var e Evidence
	e.Source = FromHAR
	for i := 0; len(e.Exchanges) < exchanges; i++ {
		n := strings.NewReplacer("-N", fmt.Sprintf("-%06d", i/len(one))).Replace
		x := one[i%len(one)]
		x.Request.URL, x.Request.Body = n(x.Request.URL), []byte(n(string(x.Request.Body)))
		e.Exchanges = append(e.Exchanges, x)
	}
	e.Name()
	checks := Select(Options{Recording: true})
	b.ReportAllocs()
	for b.Loop() {
		e.read = nil // as if it had just been read from a file
		Judge(&e, checks)
	}
}

func request(method, url, body string) wire.Request {
	r := wire.Request{Method: method, URL: url, Body: []byte(body)}
	if method == "POST" && !strings.HasPrefix(body, "{") {
		r.Header = wire.Fields{{Name: "Content-Type", Value: "application/x-www-form-urlencoded"}}
	}
	return r
}

func answer(status int, name, value, body string) *wire.Response {
	return &wire.Response{Status: status, Header: wire.Fields{{Name: name, Value: value}}, Body: []byte(body)}
}
