package pgstore_test

import (
	"context"
	"fmt"

	"github.com/stile-oauth/stile/storage/keyringstore"
	"github.com/stile-oauth/stile/storage/pgstore"
)

// The store keeps values as they are given; Seal encrypts them on the way.
func Example() {
	ctx := context.Background()
	inner, err := pgstore.Open(ctx, "postgres://user@host/db?sslmode=verify-full")
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
