//go:build unix

package soak_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/storage"
)

// setting is the first line that a worker reads.
type setting struct {
	Where  where         `json:"where"`
	Server string        `json:"server"`
	Tenant string        `json:"tenant"`
	Lease  time.Duration `json:"lease"`
	Skew   time.Duration `json:"skew"` // how wrong this process's clock is
	// StopAt is the point at which the process stops itself (the first is 1).
	StopAt int `json:"stop_at"`
	// Signal is the signal with which it stops itself: SIGSTOP or SIGKILL.
	Signal syscall.Signal `json:"signal"`
}

// order is each further line that a worker reads.
type order struct {
	Ahead      time.Duration `json:"ahead"` // the world's clock
	Cold       bool          `json:"cold"`  // use a new driver
	Goroutines int           `json:"goroutines"`
	Churn      bool          `json:"churn"` // refresh without end
}

// said is what a worker answers.
type said struct {
	OK     int      `json:"ok"`
	Errors []string `json:"errors,omitempty"`
	Point  string   `json:"point,omitempty"`  // the point at which it is about to stop
	Points int      `json:"points,omitempty"` // how many points there were
}

// work is the worker process.
func work(in io.Reader, out io.Writer) int {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	var mu sync.Mutex
	tell := func(s said) {
		b, _ := json.Marshal(s)
		mu.Lock()
		defer mu.Unlock()
		_, _ = out.Write(append(b, '\n'))
	}
	var set setting
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &set) != nil {
		return 2
	}
	ctx := context.Background()
	st, end, err := set.Where.open(ctx)
	if err != nil {
		tell(said{Errors: []string{err.Error()}})
		return 2
	}
	defer end()
	var ahead atomic.Int64
	p := &points{at: int64(set.StopAt), signal: set.Signal, tell: tell, wait: func() { lines.Scan() }}
	now := func() time.Time {
		p.pass("the clock is read")
		return time.Now().Add(set.Skew + time.Duration(ahead.Load()))
	}
	fresh := func() (*httpdriver.Driver, error) {
		return httpdriver.New(httpdriver.Options{
			Store: halting{st, p}, Host: httpdriver.UserAgent(follow), Clock: now,
			Policy:  httpdriver.Policy{LeaseTime: set.Lease},
			Observe: func(s httpdriver.Step) { p.pass("after " + string(s.Result.Event)) },
		})
	}
	a := httpdriver.Account{Server: set.Server, Tenant: set.Tenant}
	var d *httpdriver.Driver
	tell(said{})
	for lines.Scan() {
		var o order
		if json.Unmarshal(lines.Bytes(), &o) != nil {
			return 2
		}
		ahead.Store(int64(o.Ahead))
		if d == nil || o.Cold {
			if d != nil {
				_ = d.Close()
			}
			if d, err = fresh(); err != nil {
				tell(said{Errors: []string{err.Error()}})
				return 2
			}
		}
		p.on.Store(set.StopAt != 0)
		for o.Churn { // until killed
			_, _ = persist(ctx, d, a)
			ahead.Add(int64(2 * time.Hour))
		}
		s := together(ctx, d, a, o.Goroutines)
		p.on.Store(false)
		s.Points = int(p.passed.Load())
		tell(s)
	}
	if d != nil {
		_ = d.Close()
	}
	return 0
}

// together sends n requests at once.
func together(ctx context.Context, d *httpdriver.Driver, a httpdriver.Account, n int) said {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var s said
	start := make(chan struct{})
	for range n {
		wg.Go(func() {
			<-start
			err := request(ctx, d, a)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				s.Errors = append(s.Errors, err.Error())
			} else {
				s.OK++
			}
		})
	}
	close(start)
	wg.Wait()
	return s
}

// points are the places where a process can be made to stop.
type points struct {
	on     atomic.Bool
	passed atomic.Int64
	at     int64
	signal syscall.Signal
	tell   func(said)
	wait   func()
}

func (p *points) pass(name string) {
	if !p.on.Load() || p.passed.Add(1) != p.at {
		return
	}
	p.tell(said{Point: name})
	_ = syscall.Kill(os.Getpid(), p.signal)
	p.wait() // the signal may take a moment, in which nothing must happen
}

// halting is a store with points before and after each call.
type halting struct {
	storage.Store
	p *points
}

func (h halting) Get(ctx context.Context, k states.Key) (storage.Entry, error) {
	h.p.pass("before the store reads")
	defer h.p.pass("after the store read")
	return h.Store.Get(ctx, k)
}

func (h halting) Put(ctx context.Context, k states.Key, v []byte, g states.Generation, until time.Time) (states.Generation, error) {
	h.p.pass("before the store writes")
	defer h.p.pass("after the store wrote")
	return h.Store.Put(ctx, k, v, g, until)
}

func (h halting) Lease(ctx context.Context, k states.Key, ttl time.Duration) (storage.Lease, error) {
	h.p.pass("before the lease")
	defer h.p.pass("after the lease")
	return h.Store.Lease(ctx, k, ttl)
}

func (h halting) Release(ctx context.Context, k states.Key, fence uint64) error {
	h.p.pass("before the release")
	defer h.p.pass("after the release")
	return h.Store.Release(ctx, k, fence)
}

// process is a worker seen from the test.
type process struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Scanner
	gone bool
}

// spawn starts a worker and waits until it is ready.
func spawn(t *testing.T, set setting) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run=^$")
	cmd.Env = append(os.Environ(), workerEnv+"=1")
	cmd.Stderr = os.Stderr
	p := &process{cmd: cmd}
	if p.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewScanner(out)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	p.write(t, set)
	if s := p.read(t); len(s.Errors) > 0 {
		t.Fatalf("the worker: %v", s.Errors)
	}
	return p
}

func (p *process) write(t *testing.T, v any) {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.in.Write(append(b, '\n')); err != nil {
		t.Fatalf("the worker is gone: %v", err)
	}
}

func (p *process) read(t *testing.T) said {
	t.Helper()
	s, ok := p.hear()
	if !ok {
		t.Fatal("the worker is gone")
	}
	return s
}

// hear reads one line; false when the worker is gone.
func (p *process) hear() (s said, ok bool) {
	ok = p.out.Scan() && json.Unmarshal(p.out.Bytes(), &s) == nil
	return s, ok
}

// stopped waits until the process has stopped or ended.
func (p *process) stopped(t *testing.T) {
	t.Helper()
	var ws syscall.WaitStatus
	for {
		_, err := syscall.Wait4(p.cmd.Process.Pid, &ws, syscall.WUNTRACED, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if !ws.Stopped() {
			p.gone = true
			t.Fatalf("the worker ended: %v", fmt.Sprint(ws))
		}
		return
	}
}

// goOn continues a process that has stopped itself at a point.
func (p *process) goOn(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGCONT)
	p.write(t, order{})
}

func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// kill ends the process, whatever it is doing, and waits for its end.
func (p *process) kill() {
	if p.gone {
		return
	}
	p.gone = true
	_ = p.cmd.Process.Kill()
	_ = p.in.Close()
	for p.out.Scan() {
	}
	_ = p.cmd.Wait()
}
