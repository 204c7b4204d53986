//go:build soak && unix

package soak_test

import (
	"bufio"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/storage"
)

// TestHeapOfClient measures the client's own share of the memory of a refresh: the issuer
// is another process. About 20 kB are the stacks of four goroutines (the caller's, the
// run's and the two of a connection). What one round takes beyond the smallest of several
// rounds is what the runtime keeps of goroutines that have ended: up to 12 kB, depending on
// the order in which their stacks were made.
func TestHeapOfClient(t *testing.T) {
	const rounds, bound = 5, 40 << 10
	least := 1 << 20
	for round := 1; round <= rounds && least > bound; round++ {
		per := heapOfClient(t)
		t.Logf("%s: %d bytes for each refresh at the issuer", t.Name(), per)
		least = min(least, per)
	}
	if least > bound {
		t.Errorf("%d bytes for a refresh in the best of %d rounds", least, rounds)
	}
}

// heapOfClient runs 1,000 refreshes at an issuer and returns how much memory each takes.
func heapOfClient(t *testing.T) int {
	const accounts = 1000
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), holdingEnv+"=1"), os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close(); _ = cmd.Wait() }()
	out := bufio.NewScanner(pipe)
	if !out.Scan() {
		t.Fatal("the issuer did not start")
	}
	c := newCrowd(t, 1)
	c.issuer = &httptest.Server{URL: out.Text()}
	store := storage.NewMemory()
	c.settle(t, store, accounts)
	d := c.driver(t, store, func(o *httpdriver.Options) { o.MaxRefreshes = accounts })
	before := inUse()
	var wg sync.WaitGroup
	for i := range accounts {
		wg.Go(func() {
			a, _, _ := c.account(i)
			if _, err := d.Token(t.Context(), a); err != nil {
				t.Error(err)
			}
		})
	}
	if !out.Scan() || out.Text() != "waiting" {
		t.Fatal("the refreshes did not all come to the issuer")
	}
	per := (inUse() - before) / accounts
	_ = in.Close()
	wg.Wait()
	return per
}
