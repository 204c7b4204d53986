package storetest_test

import (
	"testing"

	"github.com/stile-oauth/stile/storage"
	"github.com/stile-oauth/stile/storage/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) storage.Store { return storage.NewMemory() })
}
