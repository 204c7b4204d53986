//go:build unix

package soak_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/storage"
)

// TestHeapPerRefresh: how much memory a refresh in flight takes, including stacks, when
// all are at the issuer at once over HTTP, and when most wait for their turn.
func TestHeapPerRefresh(t *testing.T) {
	for name, most := range map[string]int{"all at the issuer": 1000, "64 at the issuer": 64} {
		t.Run(name, func(t *testing.T) {
			const accounts, bound = 1000, 40 << 10
			c, q := newQueueing(t, accounts, 0, false)
			q.hold = make(chan struct{})
			store := storage.NewMemory()
			c.settle(t, store, accounts)
			d := c.driver(t, store, func(o *httpdriver.Options) { o.MaxRefreshes = most })
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
			for end := time.Now().Add(10 * time.Second); q.asked.Load() < int64(most) && time.Now().Before(end); {
				time.Sleep(10 * time.Millisecond)
			}
			during := inUse()
			close(q.hold)
			wg.Wait()
			// The issuer is in this process too, so its connections and goroutines count.
			per := (during - before) / accounts
			if instrumented {
				per = per * 4 / 5 // measured: 90 kB with the detector and 73 kB without it
			}
			t.Logf("%s: %d bytes for each of %d refreshes, the server's side included for %d", t.Name(), per, accounts, q.asked.Load())
			if most == 64 && per > bound {
				t.Errorf("%d bytes for a refresh that waits", per)
			}
			if most == accounts && per > 2*bound {
				t.Errorf("%d bytes for a refresh and the server's side of it", per)
			}
		})
	}
}

// holdingEnv makes this binary an issuer that answers nothing until its input ends.
const holdingEnv = "STILE_SOAK_HOLDING"

// holding is the main function of that issuer. It prints its address, and then a line for
// each thousand requests that wait.
func holding(in io.Reader, out io.Writer) int {
	c := &crowd{spent: map[string]bool{}}
	var came atomic.Int64
	q := &queueing{workers: make(chan struct{}, 1<<20), hold: make(chan struct{}), next: http.HandlerFunc(c.token)}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if came.Add(1)%1000 == 0 {
			_, _ = fmt.Fprintln(out, "waiting")
		}
		q.ServeHTTP(w, r)
	}))
	_, _ = fmt.Fprintln(out, s.URL)
	_, _ = io.Copy(io.Discard, in)
	close(q.hold)
	s.Close()
	return 0
}

// TestHeapOfClient measures the client's own share of the memory of a refresh: the issuer
// is another process. About 20 kB are the stacks of four goroutines (the caller's, the
// run's and the two of a connection). What one round takes beyond the smallest of several
// rounds is what the runtime keeps of goroutines that have ended: up to 5 kB, depending on
// the order in which their stacks were made.
func TestHeapOfClient(t *testing.T) {
	const rounds, bound = 5, 40 << 10
	least := 1 << 20
	for round := 1; round <= rounds && least > bound; round++ {
		per := heapOfClient(t)
		t.Logf("%s: %d bytes for each refresh at the issuer", t.Name(), per)
		least = min(least, per)
	}
	if least > bound && !instrumented {
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

// inUse is the heap and the stacks after a collection.
func inUse() int {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}
