package filestore_test

import (
	"fmt"
	"os"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/storage/filestore"
)

// The directory is the usual one for this user. The entries are not encrypted: package
// keyringstore does that.
func Example() {
	dir, err := filestore.DefaultDir(os.Getenv)
	if err != nil {
		fmt.Println(err)
		return
	}
	store, err := filestore.Open(dir)
	if err != nil {
		fmt.Println(err) // names the path, and the command that fixes it
		return
	}
	driver, err := httpdriver.New(httpdriver.Options{Store: store})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = driver.Close() }()
}
