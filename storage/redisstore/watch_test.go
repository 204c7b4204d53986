package redisstore_test

import (
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage/storetest/realservers"
)

// What changed between the beginning of a watch and the moment from which the server tells
// of changes is not missed: the watcher is told to look once at that moment.
func TestWatchBeginsWithALook(t *testing.T) {
	watched := states.Key{Kind: states.KindCredential, Name: "https://watched.example/"}
	s := open(t, realservers.Redis(t))
	changed, stop := s.Watch(watched)
	defer stop()
	select {
	case <-changed:
	case <-time.After(time.Minute):
		t.Fatal("nothing is told")
	}
}
