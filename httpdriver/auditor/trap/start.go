package trap

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stile-oauth/stile/fsm/audit"
	"github.com/stile-oauth/stile/states/wire"
)

// openers are the programs that clients start a browser with. Each becomes a
// script that notes the address and ends.
var openers = []string{"xdg-open", "open", "sensible-browser", "x-www-browser", "www-browser", "gnome-open", "kde-open", "wslview", "firefox", "chromium", "google-chrome"}

const maxOutput = 64 << 10

// start runs the client once and visits what it wants to open.
func start(ctx context.Context, s *stage, home string, o Options, logsOut bool) audit.Run {
	ctx, cancel := context.WithTimeout(ctx, max(o.Timeout, s.trap.Patience))
	defer cancel()
	bin, visits := filepath.Join(home, "bin"), filepath.Join(home, fmt.Sprintf("visits-%d", time.Now().UnixNano()))
	if err := shims(bin); err != nil {
		return audit.Run{Exit: -1, Output: err.Error()}
	}
	var args []string
	has := false
	filled := strings.NewReplacer("{url}", s.target(), "{home}", home).Replace
	command := o.Command
	if logsOut {
		command = o.Logout
	}
	for _, a := range command {
		has = has || strings.Contains(a, "{url}")
		args = append(args, filled(a))
	}
	if !has {
		args = append(args, s.target())
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = slices.Concat(os.Environ(), []string{
		"HOME=" + home, "XDG_CONFIG_HOME=" + filepath.Join(home, "config"), "XDG_DATA_HOME=" + filepath.Join(home, "data"),
		"XDG_CACHE_HOME=" + filepath.Join(home, "cache"), "XDG_STATE_HOME=" + filepath.Join(home, "state"),
		"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH"), "BROWSER=" + filepath.Join(bin, "xdg-open"),
		"STILE_TRAP_VISITS=" + visits, "DBUS_SESSION_BUS_ADDRESS=disabled:", "NO_COLOR=1",
	})
	cmd.Env = append(cmd.Env, s.environment(home)...)
	for _, v := range o.Env {
		cmd.Env = append(cmd.Env, filled(v))
	}
	cmd.Dir = home
	cmd.WaitDelay = time.Second
	alone(cmd)
	ended := make(chan struct{})
	v := &visitor{stage: s, seen: map[string]bool{}, ctx: ctx, ended: ended}
	out := &output{visitor: v}
	cmd.Stdout, cmd.Stderr = out, out
	began := time.Now()
	run := audit.Run{}
	var in io.WriteCloser
	if len(o.Answers) > 0 {
		var err error
		if in, err = cmd.StdinPipe(); err != nil {
			return audit.Run{Exit: -1, Output: err.Error()}
		}
	}
	if err := cmd.Start(); err != nil {
		return audit.Run{Exit: -1, Output: err.Error()}
	}
	var idle atomic.Bool
	s.last.at.Store(0)
	s.canKill(cancel)
	if in != nil {
		go talk(ctx, in, o.Answers, out)
	}
	if o.Idle > 0 && s.trap.Patience == 0 {
		go s.last.idle(ctx, o.Idle, func() { idle.Store(true); cancel() })
	}
	forget := s.follows(cmd.Process.Pid)
	go s.readArguments(ctx)
	watched := make(chan struct{})
	go func() { v.watch(visits); close(watched) }()
	err := cmd.Wait()
	outlived(ctx, cmd.Process.Pid)
	forget()
	close(ended)
	out.end()
	<-watched
	v.wait.Wait()
	run.Took, run.Output, run.Opened = time.Since(began), out.text(), v.opened()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		run.Exit = exit.ExitCode()
	}
	run.Killed, run.Idle, run.Crashed = ctx.Err() != nil, idle.Load(), s.wasKilled()
	run.Printed, run.Escapes, run.LogsOut = s.printed(run.Output+"\n"+strings.Join(run.Opened, "\n")), out.escaped, logsOut
	if s.trap.Store {
		run.Files = s.files(home)
	}
	return run
}

// shims writes the scripts that replace browsers.
func shims(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	const script = "#!/bin/sh\nfor a in \"$@\"; do :; done\nprintf '%s\\n' \"$a\" >>\"$STILE_TRAP_VISITS\"\n"
	for _, name := range openers {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700); err != nil {
			return err
		}
	}
	return nil
}

// output keeps the end of the client's output, and visits authorization addresses in it.
type output struct {
	visitor *visitor
	mu      sync.Mutex
	buf     []byte
	line    []byte
	rest    *time.Timer // looks at what came last
	escaped bool        // a server's terminal escapes are in it
}

var (
	printedURL     = regexp.MustCompile(`https?://[^\s"'<>\x1b]+`)
	printedRequest = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*:[^\s"'<>\x1b]*[?&]response_type=[^\s"'<>\x1b]*`)
)

func (o *output) Write(b []byte) (int, error) {
	o.visitor.stage.last.again()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.buf = append(o.buf, b...); len(o.buf) > 2*maxOutput {
		o.buf = bytes.Clone(o.buf[len(o.buf)-maxOutput:])
	}
	o.escaped = o.escaped || escapes(o.buf)
	o.line = append(o.line, b...)
	for {
		i := bytes.IndexByte(o.line, '\n')
		if i < 0 {
			break
		}
		o.scan(string(o.line[:i]))
		o.line = o.line[i+1:]
	}
	// A prompt has no line end. An address at the end may be incomplete, so it is visited
	// only when no more output has come for a while.
	if i := bytes.LastIndexAny(o.line, " \t"); i >= 0 {
		o.scan(string(o.line[:i]))
	}
	if o.rest != nil {
		o.rest.Stop()
	}
	o.rest = time.AfterFunc(300*time.Millisecond, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.scan(string(o.line))
	})
	if len(o.line) > maxOutput {
		o.line = nil
	}
	return len(b), nil
}

// scan visits addresses of the stage's issuers that have an authorization
// request in them.
func (o *output) scan(line string) {
	for _, u := range printedURL.FindAllString(line, -1) {
		if strings.Contains(u, "response_type=") && o.visitor.stage.ours(u) {
			o.visitor.visit(u, false)
		}
	}
	for _, u := range printedRequest.FindAllString(line, -1) {
		o.visitor.sentTo(u)
	}
}

// end says that there will be no more output.
func (o *output) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.rest != nil {
		o.rest.Stop()
	}
	o.scan(string(o.line))
}

// all is the kept part of the output, unchanged.
func (o *output) all() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.buf)
}

func (o *output) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return wire.Clean(string(o.buf[max(0, len(o.buf)-8000):]), 8000)
}

// printed names the kinds of secret in a text that the stage's servers gave to the
// client.
func (s *stage) printed(text string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	see := func(kind, v string) {
		if len(v) >= 8 && (strings.Contains(text, v) || strings.Contains(text, url.QueryEscape(v))) && !slices.Contains(out, kind) {
			out = append(out, kind)
		}
	}
	for _, x := range s.all {
		if x.Response != nil {
			if obj, err := wire.ParseObject(x.Response.Body); err == nil {
				for name, kind := range map[string]string{"access_token": "an access token", "refresh_token": "a refresh token", "client_secret": "a client secret", "registration_access_token": "a registration token"} {
					v, _, _ := obj.String(name)
					see(kind, v)
				}
			}
		}
		form, _ := wire.DecodeForm(string(x.Request.Body))
		for name, kind := range map[string]string{"code": "a code", "code_verifier": "a verifier"} {
			v, _ := form.Get(name)
			see(kind, v)
		}
	}
	slices.Sort(out)
	return out
}

// sortFields puts header fields into one order.
func sortFields(fs wire.Fields) {
	slices.SortStableFunc(fs, func(a, b wire.Field) int { return cmp.Compare(a.Name, b.Name) })
}
