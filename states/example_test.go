package states_test

import (
	"fmt"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// A record is read back as it was written, and printing it shows no secret.
func Example() {
	record := states.Credential{Version: states.RecordVersion, Current: &states.Token{
		AccessToken: "a-token-that-nobody-sees", Type: "Bearer", Granted: []string{"user"},
		Server: wire.ASM{Issuer: "https://as.example"},
	}}
	text, err := states.Encode(record)
	if err != nil {
		fmt.Println(err)
		return
	}
	credential, err := states.DecodeCredential(text)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(credential.Current.Server.Issuer, credential.Current.AccessToken)
	// Output: https://as.example secret(…)
}

// States say what they mean.
func ExampleDescribe() {
	fmt.Println(states.Group(states.Exchanging), states.HoldsLease(states.Exchanging))
	fmt.Println(states.Describe(states.Exchanging))
	// Output:
	// the user and the code false
	// The code is exchanged for a token.
}
