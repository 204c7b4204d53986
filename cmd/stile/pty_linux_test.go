package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// pty is a terminal, and what was written to it.
type pty struct {
	keys, tty *os.File // where a user types, and what a command is given
	said      lockedBuffer
}

func newPTY(t *testing.T) *pty {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keys.Close() })
	ioctl(t, keys, syscall.TIOCSPTLCK, 0)
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", ioctl(t, keys, syscall.TIOCGPTN, 0)), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tty.Close() })
	p := &pty{keys: keys, tty: tty}
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := keys.Read(b)
			if err != nil {
				return
			}
			_, _ = p.said.Write(b[:n])
		}
	}()
	return p
}

func ioctl(t *testing.T, f *os.File, request uintptr, value int32) int32 {
	t.Helper()
	c, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Control(func(fd uintptr) {
		if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, fd, request, uintptr(unsafe.Pointer(&value))); e != 0 { //nolint:gosec // what ioctl takes
			t.Error(e)
		}
	}); err != nil {
		t.Fatal(err)
	}
	return value
}

func (p *pty) press(t *testing.T, keys string) {
	t.Helper()
	if _, err := p.keys.WriteString(keys); err != nil {
		t.Fatal(err)
	}
}

// Control-C on a terminal ends every command that reads from it. It is pressed when the
// command has asked its question, or has taken a first line and waits for more.
func TestControlCOnATerminal(t *testing.T) {
	_, server := peers(t, nil, nil)
	trace := filepath.Join(t.TempDir(), "login.ndjson")
	logged := newCLI(t)
	logged.ok("login", server, "--trace", trace, "--store-key", "keyfile") // a key that another process has too
	nowhere := []string{"--client-id", "x", "--issuer", "http://127.0.0.1:1"}
	with := func(args ...string) []string { return append(args, nowhere...) }
	for _, c := range []struct {
		args  []string
		asked string // what is waited for; empty: that the command has read a line
	}{
		{[]string{"login", server, "--no-browser"}, "/authorize?"},
		{[]string{"login", server, "--store-key", "passphrase", "--passphrase-file", "-"}, ""},
		{with("login", server, "--client-secret-file", "-"), ""},
		{with("login", server, "--client-key-file", "-"), ""},
		{[]string{"login", server, "--issuer", "http://127.0.0.1:1", "--initial-token-file", "-"}, ""},
		{[]string{"call", server, "get_time", "-"}, ""},
		{[]string{"bridge", server, "--no-browser"}, ""},
		{[]string{"serve", "rs", "--port", "0", "--introspection-secret-file", "-"}, ""},
		{[]string{"store", "purge", server}, "[y/N]"},
		{[]string{"engine"}, ""},
		{[]string{"replay", "-"}, ""},
		{[]string{"explain", "-"}, ""},
		{[]string{"trace", "show", "-"}, ""},
		{[]string{"trace", "diff", trace, "-"}, ""},
	} {
		t.Run(strings.Join(c.args[:min(2, len(c.args))], " ")+" "+strings.Join(c.args[len(c.args)-1:], " "), func(t *testing.T) {
			t.Parallel()
			p, cmd := newPTY(t), command(t, c.args...)
			if c.args[0] == "store" {
				cmd.Env = append(cmd.Env, "STILE_STORE="+logged.env["STILE_STORE"])
			}
			cmd.Stdin, cmd.Stdout, cmd.Stderr = p.tty, p.tty, p.tty
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan struct{})
			go func() { _ = cmd.Wait(); close(ended) }()
			if c.asked == "" {
				p.press(t, "{\n")
			}
			for waits := false; !waits; time.Sleep(5 * time.Millisecond) {
				select {
				case <-ended:
					t.Fatalf("it has ended by itself: %v %s", cmd.ProcessState, p.said.String())
				default:
				}
				if c.asked != "" {
					waits = strings.Contains(p.said.String(), c.asked)
				} else {
					waits = strings.Contains(p.said.String(), "{\r\n") && ioctl(t, p.tty, syscall.TIOCINQ, 0) == 0
				}
			}
			p.press(t, "\x03")
			<-ended // the command's own context ends it after a minute, by a signal
			if code := cmd.ProcessState.ExitCode(); code <= exitOK {
				t.Errorf("%v: %s", cmd.ProcessState, p.said.String())
			}
		})
	}
}
