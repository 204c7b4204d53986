package loopback

import (
	"context"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What must never reach a launcher (authz-req-url-scheme).
func TestBrowserRefuses(t *testing.T) {
	started := func(context.Context, []string) error { t.Error("started"); return nil }
	for _, u := range []string{
		"", "as.example", "javascript:alert(1)", "file:///etc/passwd", "http://as.example/", "ms-settings:x", "vscode://x",
		"-h", "--new-window", "https://as.example/ x", "https://as.example/\x00", "https://as.example/`id`", "https://as.example/\"&calc",
		"https://as.example/\n", "https://as.example/\\x", "https://u:p@as.example/", "https://$(id)/", "https://a;id/", "https://a|id/", "HTTPS:as.example",
	} {
		if err := open(context.Background(), u, []launcher{{"true"}}, started); err == nil || errors.Is(err, ErrNoBrowser) {
			t.Errorf("%q: %v", u, err)
		} else if strings.Contains(err.Error(), "id") {
			t.Errorf("the URL is in the error: %v", err)
		}
	}
}

// A real program receives the URL as one argument, and what a shell could read
// in it has no meaning left. "%s" and what is run are as $BROWSER has them.
func TestBrowserArgv(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Log("uses a POSIX script as the launcher; argv building is tested below")
		return
	}
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	mark := filepath.Join(dir, "owned")
	prog := filepath.Join(dir, "fake-browser")
	// As careless as some launchers are: it passes its argument to eval.
	script := "#!/bin/sh\nprintf '%s\\n' \"$#\" \"$@\" > " + out + "\neval echo $1 >/dev/null 2>&1\n:\n"
	if err := os.WriteFile(prog, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	evil := "https://as.example/a;touch%20" + mark + "?x=$(touch$IFS" + mark + ")&y='|touch$IFS" + mark + "|'&z=(a)*!{b,c}~[^d]&%26=1+2"
	t.Setenv("BROWSER", "no-such-program-here:"+prog)
	if err := OpenBrowser(context.Background(), evil); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if len(lines) != 2 || lines[0] != "1" {
		t.Fatalf("argv %q", lines)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("a command inside the URL ran")
	}
	if strings.ContainsAny(lines[1], "$`'\"();|*!{}[]^~, <>\\") {
		t.Errorf("%q", lines[1])
	}
	// The same page: equal after decoding.
	was, _ := url.Parse(strings.ReplaceAll(evil, ";", "%3B"))
	is, err := url.Parse(lines[1])
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(was.Query(), is.Query()); d != "" || was.Path != is.Path || was.Host != is.Host {
		t.Error(d, was.Path, is.Path)
	}
}

func TestLaunchers(t *testing.T) {
	for _, tt := range []struct {
		goos string
		env  map[string]string
		want [][]string // argv with the URL
	}{
		{"linux", nil, nil}, // no display: the URL is printed
		{"linux", map[string]string{"DISPLAY": ":0"}, [][]string{{"xdg-open", "U"}, {"x-www-browser", "U"}}},
		{"linux", map[string]string{"WAYLAND_DISPLAY": "w"}, [][]string{{"xdg-open", "U"}, {"x-www-browser", "U"}}},
		{"linux", map[string]string{"WSL_DISTRO_NAME": "d"}, [][]string{{"wslview", "U"}, {"rundll32.exe", "url.dll,FileProtocolHandler", "U"}}},
		{"linux", map[string]string{"BROWSER": "firefox --new-window %s:/opt/x/chromium"}, [][]string{{"firefox", "--new-window", "U"}, {"/opt/x/chromium", "U"}}},
		{"linux", map[string]string{"BROWSER": "sh -c 'evil %s':a;b:$(x):`x`:x|y:x>y: :lynx"}, [][]string{{"lynx", "U"}}},
		{"linux", map[string]string{"BROWSER": "/opt/a%sb/browse"}, [][]string{{"/opt/a%sb/browse", "U"}}},
		{"freebsd", map[string]string{"DISPLAY": ":0"}, [][]string{{"xdg-open", "U"}, {"x-www-browser", "U"}}},
		{"android", map[string]string{"BROWSER": "termux-open"}, [][]string{{"termux-open", "U"}, {"termux-open-url", "U"}, {"xdg-open", "U"}}},
		{"darwin", map[string]string{"DISPLAY": ":0"}, [][]string{{"open", "U"}}},
		{"windows", map[string]string{"BROWSER": "c:\\x"}, [][]string{{"rundll32.exe", "url.dll,FileProtocolHandler", "U"}}},
	} {
		var got [][]string
		for _, l := range launchers(tt.goos, func(n string) string { return tt.env[n] }) {
			got = append(got, l.argv(l[0], "U"))
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s %v: %s", tt.goos, tt.env, d)
		}
	}
}

func TestBrowserGoesOnAndGivesUp(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var tried [][]string
	failing := func(_ context.Context, argv []string) error {
		tried = append(tried, argv)
		return errors.New("exit status 3")
	}
	ls := []launcher{{"no-such-program-here"}, {self, "-a"}, {self, "-b"}}
	if err := open(context.Background(), "https://as.example/", ls, failing); !errors.Is(err, ErrNoBrowser) {
		t.Error(err)
	}
	if len(tried) != 2 {
		t.Error(tried)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := open(ctx, "https://as.example/", ls, failing); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := open(context.Background(), "http://127.0.0.1:9000/authorize?x=1", ls, func(context.Context, []string) error { return nil }); err != nil {
		t.Error(err)
	}
}

// A launcher that cannot be started, or ends badly, has shown nothing.
func TestLauncherThatFails(t *testing.T) {
	for prog, fails := range map[string]bool{"false": true, "true": false, "": true} {
		path := filepath.Join(t.TempDir(), "none")
		if prog != "" {
			var err error
			if path, err = exec.LookPath(prog); err != nil {
				t.Fatal(err)
			}
		}
		if err := run(context.Background(), []string{path}); (err != nil) != fails {
			t.Errorf("%q: %v", prog, err)
		}
	}
}

// An address without a path stays as it is.
func TestNeutral(t *testing.T) {
	for in, want := range map[string]string{
		"https://as.example": "https://as.example", "https://[::1]": "https://[::1]", "https://as.example/ ": "https://as.example/%20", "https://[::1]?b=(c)": "https://[::1]?b=%28c%29", "https://as.example/a\x7f\x01~": "https://as.example/a%7F%01%7E",
	} {
		if got := neutral(in); got != want {
			t.Errorf("%q is %q, not %q", in, got, want)
		}
	}
}

// A launcher that stays is the browser: it is left running when the caller's
// context ends, and is no failure.
func TestLauncherThatStays(t *testing.T) {
	p := stays(t)
	if err := p.Kill(); err != nil { // it was still there
		t.Error(err)
	}
}

// stays runs a launcher that does not end by itself, until its caller's context ends.
func stays(t *testing.T) (p *os.Process) {
	t.Helper()
	tail, err := exec.LookPath("tail")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	started = func(launched *os.Process) {
		p = launched
		t.Cleanup(func() { _ = launched.Kill() })
	}
	defer func() { started = nil }()
	if err := run(ctx, []string{tail, "-f", file}); err != nil {
		t.Fatal(err)
	}
	if p == nil {
		t.Fatal("nothing was started")
	}
	return p
}

// origin is the beginning of an address up to an IPv6 address, if it has one.
var origin = regexp.MustCompile(`^(?i:https?)://(\[[0-9A-Fa-f:.]*\])?`)

func FuzzNeutral(f *testing.F) {
	f.Add("https://as.example/a?b=$(c)&d='e'")
	f.Add("http://[::1]:80/~;x")
	f.Add("https://a?b")
	f.Fuzz(func(t *testing.T, u string) {
		var got []string
		err := open(context.Background(), u, []launcher{{"true"}}, func(_ context.Context, argv []string) error { got = argv; return nil })
		if err != nil || len(got) == 0 {
			return
		}
		if len(got) != 2 || strings.HasPrefix(got[1], "-") {
			t.Fatalf("%q", got)
		}
		// The brackets of an IPv6 address are the only ones that stay.
		if strings.ContainsAny(origin.ReplaceAllString(got[1], ""), "$`'\"();|*!{}[]^~ <>\\\n\r\t\x00") {
			t.Fatalf("%q", got[1])
		}
	})
}
