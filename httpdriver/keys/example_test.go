package keys_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"log"
	"os"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/keys"
)

// A client that signs its assertions with a key from a file (private_key_jwt).
func Example() {
	text, err := os.ReadFile("client-key.pem")
	if err != nil {
		log.Fatal(err)
	}
	key, err := keys.Parse(text, keys.Options{})
	if err != nil {
		log.Fatal(err)
	}
	d, err := httpdriver.New(httpdriver.Options{Signer: key})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = d.Close() }()
}

// A key that does not leave a hardware module or a key management service is a
// crypto.Signer.
func ExampleNew() {
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // or one that is elsewhere
	if err != nil {
		log.Fatal(err)
	}
	key, err := keys.New(signer, keys.Options{ID: "2026-07"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(key.About().Alg, key.About().ID)
	// Output: ES256 2026-07
}
