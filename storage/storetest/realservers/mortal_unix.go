//go:build unix

package realservers

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Mortal is a server for a single test that keeps its data in files, as in
// production, and that the test kills and starts again.
type Mortal struct {
	URL string

	t     testing.TB
	p     program
	port  int
	cmd   *exec.Cmd
	ended chan struct{}
}

// MortalPostgres starts a PostgreSQL server with one empty database.
func MortalPostgres(t testing.TB) *Mortal { return mortal(t, postgresProgram) }

// MortalRedis starts an empty Redis server that writes every change to its log before
// it answers.
func MortalRedis(t testing.TB) *Mortal {
	return mortal(t, func() (program, error) { return redisProgram("appendonly yes\nappendfsync always\nsave \"\"\n", ping) })
}

func mortal(t testing.TB, prepare func() (program, error)) *Mortal {
	t.Helper()
	p, err := prepare()
	skipMissing(t, err)
	m := &Mortal{t: t, p: p}
	t.Cleanup(func() {
		if m.cmd != nil {
			m.Kill()
		}
		_ = os.RemoveAll(p.dir)
	})
	for range 3 { // a port may be taken in between
		if m.port, err = freePort(); err != nil {
			t.Fatal(err)
		}
		if err = m.start(); err == nil {
			m.URL = p.url(m.port)
			return m
		}
	}
	t.Fatalf("the server does not start: %v", err)
	return nil
}

func (m *Mortal) start() error {
	m.cmd, m.ended = m.p.command(m.port), make(chan struct{})
	if _, err := m.cmd.StdinPipe(); err != nil { // which ends with this process, and the server with it
		return err
	}
	if err := m.cmd.Start(); err != nil {
		return err
	}
	go func(c *exec.Cmd, ended chan struct{}) { _ = c.Wait(); close(ended) }(m.cmd, m.ended)
	return await(m.ended, func() error { return m.p.ready(m.port) })
}

// Kill kills the server at once, and returns when it is gone.
func (m *Mortal) Kill() {
	m.t.Helper()
	text, err := os.ReadFile(filepath.Join(m.p.dir, "pid"))
	if err != nil {
		m.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid < 2 {
		m.t.Fatalf("process %d: %v", pid, err)
	}
	select {
	case <-m.ended: // its process id may now be another's
	default:
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			m.t.Error(err)
		}
	}
	<-m.ended
	m.cmd = nil
}

// Start starts the server again, at the same address and with what it kept.
func (m *Mortal) Start() {
	m.t.Helper()
	var err error
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if err = m.start(); err == nil {
			return
		}
		// The processes that a killed PostgreSQL leaves end one after another.
		if m.cmd.Process != nil {
			<-m.ended
		}
	}
	m.t.Fatalf("the server does not start again: %v", err)
}
