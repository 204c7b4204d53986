package secretstore_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage/secretstore"
)

// The provider is the host's: here a map. What it is given has a name that tells nothing.
func Example() {
	provider := newProvider()
	store := secretstore.New(provider)

	ctx := context.Background()
	key := states.Key{Kind: states.KindCredential, Subject: "ann", Name: "https://mcp.example/mcp"}
	if _, err := store.Put(ctx, key, []byte("a token"), 0, time.Time{}); err != nil {
		log.Fatal(err)
	}
	entry, err := store.Get(ctx, key)
	fmt.Println(string(entry.Value), err)
	// Output: a token <nil>
}
