package sealed_test

import (
	"context"
	"fmt"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/sealed"
)

func Example() {
	ctx := context.Background()
	inner := storage.NewMemory()
	store, err := sealed.New(inner, sealed.NewKey())
	if err != nil {
		fmt.Println(err)
		return
	}
	key := states.Key{Kind: states.KindCredential, Name: "https://mcp.example/mcp"}
	if _, err := store.Put(ctx, key, []byte("a token"), 0, time.Time{}); err != nil {
		fmt.Println(err)
		return
	}
	entry, err := store.Get(ctx, key)
	fmt.Println(string(entry.Value), err)
	raw, err := inner.Get(ctx, key)
	fmt.Println(string(raw.Value[:4]), err)
	// Output:
	// a token <nil>
	// SEAL <nil>
}
