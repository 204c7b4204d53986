package open_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/storage/keyringstore"
	"github.com/stile-oauth/stile/storage/open"
	"github.com/stile-oauth/stile/storage/sealed"
)

// Replicas share a database and a key file; here it is a database of one machine.
func Example() {
	dir, err := os.MkdirTemp("", "gateway")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	keyFile := filepath.Join(dir, "sealing.key")
	if err := keyringstore.WriteKeyFile(keyFile, sealed.NewKey()); err != nil {
		panic(err)
	}

	store, closeStore, notice, err := open.Open(context.Background(), "sqlite:"+filepath.Join(dir, "stile.db"), open.Options{
		Sealing: keyringstore.Options{KeyFile: keyFile},
	})
	if err != nil {
		panic(err)
	}
	defer func() { _ = closeStore() }()
	driver, err := httpdriver.New(httpdriver.Options{Store: store})
	if err != nil {
		panic(err)
	}
	defer driver.Close()
	fmt.Printf("notice: %q\n", notice)
	// Output: notice: ""
}
