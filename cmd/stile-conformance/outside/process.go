package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// said collects what a process writes, up to a limit.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if room := 64<<10 - s.b.Len(); room > 0 {
		s.b.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (s *said) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Split(strings.TrimSpace(s.b.String()), "\n")
}

// bare is an environment that influences nothing: it leaves out what the caller has
// set.
func bare(more ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "NO_COLOR=1"}, more...)
}

// process is a server that runs beside this program.
type process struct {
	name   string
	cancel context.CancelFunc
	ended  chan error
	stderr *said
}

// start runs a server. It reads the server's output up to the first line that is a JSON
// object, which goes into first. If first is nil, it does not wait for such a line.
func start(ctx context.Context, name string, env []string, first any, argv ...string) (*process, error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = bare(env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	p := &process{name: name, cancel: cancel, ended: make(chan error, 1), stderr: &said{}}
	cmd.Stderr = p.stderr
	var out io.Reader
	var err error
	if first == nil {
		cmd.Stdout = p.stderr
	} else {
		out, err = cmd.StdoutPipe()
	}
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if first != nil {
		err = firstObject(out, first)
	}
	go func() { p.ended <- cmd.Wait() }()
	if err != nil {
		_ = p.stop()
		return nil, fmt.Errorf("%s did not say where it is: %w: %s", name, err, strings.Join(p.stderr.lines(), " "))
	}
	return p, nil
}

// firstObject reads lines until one is a JSON object.
func firstObject(out io.Reader, into any) error {
	r := bufio.NewReader(out)
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return err
		}
		if bytes.HasPrefix(line, []byte("{")) {
			return json.Unmarshal(line, into)
		}
	}
}

// stop ends the server as an operator would, and returns an error if it did not end well.
func (p *process) stop() error {
	p.cancel()
	err := <-p.ended
	var status *exec.ExitError
	if errors.As(err, &status) {
		return fmt.Errorf("%s ended with %w: %s", p.name, err, strings.Join(p.stderr.lines(), " "))
	}
	return nil
}

// server is a running stile serve.
type server struct {
	*process
	Address string `json:"address"`
	Issuer  string `json:"issuer"`
}

// serve starts stile serve with arguments, on a free port of 127.0.0.1 unless they say
// otherwise.
func serve(ctx context.Context, stile string, env []string, args ...string) (*server, error) {
	s := &server{}
	argv := append([]string{stile, "serve", "--json", args[0], "--host", "127.0.0.1", "--port", "0"}, args[1:]...)
	p, err := start(ctx, "stile serve "+args[0], env, s, argv...)
	s.process = p
	return s, err
}
