package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// server is a stile serve that runs.
type server struct {
	Address string `json:"address"`
	Issuer  string `json:"issuer"`

	name   string
	cancel context.CancelFunc
	ended  chan error
	stderr *said
}

// said collects what a process writes, up to a bound.
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

// serve starts stile serve with arguments on a free port of 127.0.0.1 and waits
// until it says where it is. The environment adds to a small one, so that
// nothing of the caller's decides a line.
func serve(ctx context.Context, stile string, env []string, args ...string) (*server, error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, stile, append([]string{"serve", "--json"}, append(args, "--host", "127.0.0.1", "--port", "0")...)...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "NO_COLOR=1"}, env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	s := &server{name: "stile serve " + args[0], cancel: cancel, ended: make(chan error, 1), stderr: &said{}}
	cmd.Stderr = s.stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	first, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(first, s)
	}
	go func() { s.ended <- cmd.Wait() }()
	if err != nil {
		_ = s.stop()
		return nil, fmt.Errorf("%s did not say where it is: %w: %s", s.name, err, strings.Join(s.stderr.lines(), " "))
	}
	return s, nil
}

// stop ends the server as an operator would, and says when it did not end well.
func (s *server) stop() error {
	s.cancel()
	err := <-s.ended
	var status *exec.ExitError
	if errors.As(err, &status) {
		return fmt.Errorf("%s ended with %w: %s", s.name, err, strings.Join(s.stderr.lines(), " "))
	}
	return nil
}
