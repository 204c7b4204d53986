package redisstore_test

import (
	"bytes"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage/redisstore"
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

// told waits for a change.
func told(t *testing.T, what string, changed <-chan struct{}) {
	t.Helper()
	select {
	case <-changed:
	case <-time.After(20 * time.Second):
		t.Fatalf("nothing is told of %s", what)
	}
}

// However many keys are watched, one connection is subscribed, and it ends with the store.
// After its end a store subscribes to nothing any more.
func TestOneSubscription(t *testing.T) {
	url := realservers.Redis(t)
	c := plain(t, url)
	connections := func(name string, want int) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			list, err := c.ClientList(t.Context()).Result()
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for line := range strings.Lines(list) {
				if strings.Contains(line, " name="+name+" ") && strings.Contains(line, " sub=1 ") || want == 0 && strings.Contains(line, " name="+name+" ") {
					n++
				}
			}
			if n == want {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%s has %d connections, want %d", name, n, want)
			}
		}
	}
	other := open(t, url)
	s := open(t, url+"?client_name=watching")
	first, stop := s.Watch(k)
	defer stop()
	told(t, "the beginning", first)
	second, stop := s.Watch(k)
	defer stop()
	since, stop := other.Watch(k)
	defer stop()
	told(t, "another's beginning", since) // which is later than the second's
	connections("watching", 1)
	g, err := other.Put(t.Context(), k, []byte("v"), 0, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	told(t, "a write", first)
	told(t, "a write, the second,", second)
	if err := other.Delete(t.Context(), k, g); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	connections("watching", 0)

	late := open(t, url+"?client_name=late")
	_, stop = late.Watch(k)
	defer stop()
	if err := late.Close(); err != nil {
		t.Error(err)
	}
	another := open(t, url)
	since, stop = another.Watch(k)
	defer stop()
	told(t, "another's beginning", since)
	connections("late", 0)

	for _, s := range []*redisstore.Store{other, another} {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		all := make([]byte, 1<<20)
		all = all[:runtime.Stack(all, true)]
		if !bytes.Contains(all, []byte("(*listener).hear")) && !bytes.Contains(all, []byte("(*channel).init")) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("something still listens:\n%s", all)
		}
	}
}
