package wire_test

import (
	"fmt"

	"github.com/stile-oauth/stile/states/wire"
)

// A builder gives the request, somebody sends it, and a judge reads the answer. This answer
// is from a different issuer than the one that was asked.
func Example() {
	request := wire.GetMetadata("https://as.example/.well-known/oauth-authorization-server", "2026-07-28")
	response := answer(request)
	metadata, notes, problem := wire.ParseASM(response, wire.ASMPolicy{Issuer: "https://as.example"})
	fmt.Println(metadata.Issuer, len(notes))
	fmt.Println(problem.Rule, problem.Detail)
	// Output:
	// 0
	// asm-issuer-match issuer is "https://evil.example", asked for "https://as.example"
}

// answer is a server that claims to be another one.
func answer(wire.Request) wire.Response {
	return wire.Response{
		Status: 200, Header: wire.Fields{{Name: "Content-Type", Value: "application/json"}},
		Body: []byte(`{"issuer":"https://evil.example"}`),
	}
}
