package storage_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// A write names the generation that it replaces, so that no two writers undo each
// other.
func Example() {
	ctx := context.Background()
	var store storage.Store = storage.NewMemory()
	key := states.Key{Kind: states.KindCredential, Tenant: "acme", Subject: "ann", Name: "https://mcp.example/"}

	first, err := store.Put(ctx, key, []byte("one"), 0, time.Time{}) // 0: there must be none yet
	if err != nil {
		panic(err)
	}
	if _, err := store.Put(ctx, key, []byte("two"), first, time.Time{}); err != nil {
		panic(err)
	}
	_, err = store.Put(ctx, key, []byte("three"), first, time.Time{})
	fmt.Println(errors.Is(err, storage.ErrConflict))
	entry, err := store.Get(ctx, key)
	fmt.Println(string(entry.Value), err)
	// Output:
	// true
	// two <nil>
}
