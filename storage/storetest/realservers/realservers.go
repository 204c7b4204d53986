// Package realservers starts PostgreSQL and Redis for the tests of a package,
// from the programs that a Debian system has, in a directory of their own, on
// the loopback address, with a password that nobody knows, and stops them when
// the package's tests are over:
//
//	func TestMain(m *testing.M) {
//		os.Exit(realservers.Main(m))
//	}
//
//	func TestSomething(t *testing.T) {
//		options, err := redis.ParseURL(realservers.Redis(t))
//
// # Guarantees
//
// A server starts when the first test asks for it. Where its program is missing
// the test is skipped, and says so; in CI (CI=true) it fails.
//
// # Who should not use it
//
// A test that can do with storage.NewMemory.
package realservers

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// server is one running program.
type server struct {
	once sync.Once
	url  string
	err  error
	stop func()
}

var postgres, redis, cluster server

// sharedPostgres is the environment variable that names the server of Share.
const sharedPostgres = "STILE_TEST_POSTGRES"

// errMissing says that a program is not installed.
var errMissing = errors.New("is not installed")

// Main runs the tests of a package and stops the servers that they started.
func Main(m *testing.M) int {
	defer Stop()
	return m.Run()
}

// Stop ends the servers.
func Stop() {
	for _, s := range []*server{&postgres, &redis, &cluster} {
		if s.stop != nil {
			s.stop()
			s.stop = nil
		}
	}
}

// Postgres gives the URL of a PostgreSQL server with one empty database.
func Postgres(t testing.TB) string {
	t.Helper()
	return postgres.need(t, startPostgres)
}

// Redis gives the URL of an empty Redis server that keeps nothing on disk.
func Redis(t testing.TB) string {
	t.Helper()
	return redis.need(t, startRedis)
}

// RedisCluster gives the URL, as package redisstore reads it, of a Redis cluster
// of one node.
func RedisCluster(t testing.TB) string {
	t.Helper()
	return cluster.need(t, startCluster)
}

func (s *server) need(t testing.TB, start func() (string, func(), error)) string {
	t.Helper()
	s.once.Do(func() { s.url, s.stop, s.err = start() })
	skipMissing(t, s.err)
	return s.url
}

// skipMissing ends a test whose server does not start.
func skipMissing(t testing.TB, err error) {
	t.Helper()
	switch {
	case errors.Is(err, errMissing) && os.Getenv("CI") != "true":
		t.Skipf("NOT TESTED against the real server: %v", err)
	case err != nil:
		t.Fatalf("the server does not start: %v", err)
	}
}

// program is a server that can be started in a directory of its own.
type program struct {
	dir     string
	url     func(port int) string
	command func(port int) *exec.Cmd
	ready   func(port int) error
}

// find looks for a program in the directories (patterns) given, then in PATH.
func find(name string, dirs ...string) (string, error) {
	for _, d := range dirs {
		found, _ := filepath.Glob(filepath.Join(d, name))
		if len(found) > 0 {
			return found[len(found)-1], nil // the highest version
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s %w", name, errMissing)
	}
	return path, nil
}

// freePort gives a TCP port of the loopback address that nobody listens on.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// run starts a program and waits until ready says so. stop ends it and removes
// the directory. A port that was taken in between is tried again.
func run(dir string, command func(port int) *exec.Cmd, ready func(port int) error) (port int, stop func(), err error) {
	for range 3 {
		if port, err = freePort(); err != nil {
			return 0, nil, err
		}
		cmd := command(port)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		// The program ends when this pipe does, which is also when this process
		// is killed: a test that runs into its time limit leaves no server.
		alive, err := cmd.StdinPipe()
		if err != nil {
			return 0, nil, err
		}
		if err := cmd.Start(); err != nil {
			return 0, nil, err
		}
		ended := make(chan struct{})
		go func() { _ = cmd.Wait(); close(ended) }()
		end := func() {
			_ = alive.Close()
			select {
			case <-ended:
			case <-time.After(15 * time.Second):
				_ = cmd.Process.Kill()
			}
		}
		if err = await(ended, func() error { return ready(port) }); err == nil {
			return port, func() { end(); _ = os.RemoveAll(dir) }, nil
		}
		end()
		err = fmt.Errorf("%w\n%s", err, out.Bytes())
		if !errors.Is(err, errEnded) {
			return 0, nil, err
		}
	}
	return 0, nil, fmt.Errorf("it does not stay: %w", err)
}

var errEnded = errors.New("the program ended")

// await waits, for a bounded time, until ready has no error.
func await(ended <-chan struct{}, ready func() error) error {
	limit := time.After(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var err error
	for {
		select {
		case <-ended:
			return errEnded
		case <-limit:
			return fmt.Errorf("not ready: %w", err)
		case <-tick.C:
			if err = ready(); err == nil {
				return nil
			}
		}
	}
}
