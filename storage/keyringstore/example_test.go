package keyringstore_test

import (
	"context"
	"fmt"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/storage/keyringstore"
)

func Example() {
	store, notice, err := keyringstore.OpenDefault(context.Background(), keyringstore.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if notice != "" {
		fmt.Println(notice) // where the key is, if not in the keyring
	}
	driver, err := httpdriver.New(httpdriver.Options{Store: store})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = driver.Close() }()
}
