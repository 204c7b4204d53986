package sqlitestore_test

import (
	"context"
	"fmt"

	"github.com/stile-oauth/stile/storage/keyringstore"
	"github.com/stile-oauth/stile/storage/sqlitestore"
)

// The store keeps values as they are given; Seal encrypts them on the way.
func Example() {
	ctx := context.Background()
	inner, err := sqlitestore.Open(ctx, "/home/me/.local/state/app/stile.db")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = inner.Close() }()
	store, notice, err := keyringstore.Seal(ctx, inner, keyringstore.Options{KeyFile: "/etc/app/sealing.key"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(store, notice)
}
