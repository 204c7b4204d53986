package pgstore_test

import (
	"testing"
	"time"

	"github.com/stile-oauth/stile/storage/storetest/realservers"
)

// What changed between the beginning of a watch and the moment from which the server tells
// of changes is not missed: the watcher is told to look once at that moment.
func TestWatchBeginsWithALook(t *testing.T) {
	s := open(t, realservers.Postgres(t))
	changed, stop := s.Watch(k)
	defer stop()
	select {
	case <-changed:
	case <-time.After(time.Minute):
		t.Fatal("nothing is told")
	}
}
