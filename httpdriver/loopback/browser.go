package loopback

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// ErrNoBrowser says that no browser could be started; the caller shows the URL.
var ErrNoBrowser = errors.New("loopback: no browser could be started")

// startGrace is how long a launcher may take to say that it failed. One that
// still runs then has become the browser.
const startGrace = 3 * time.Second

// OpenBrowser shows a URL to the user, in the browser that $BROWSER names or
// that the system prefers. The URL must be https, or http on loopback
// (authz-req-url-scheme); it is one argument of an argv and no shell ever
// reads it (authz-req-no-shell). As some launchers are themselves scripts,
// characters that a shell could read are percent-encoded first.
//
// It returns ErrNoBrowser when none could be started, so that the caller
// prints the URL. Ending ctx does not end the browser.
func OpenBrowser(ctx context.Context, rawURL string) error {
	return open(ctx, rawURL, launchers(runtime.GOOS, os.Getenv), run)
}

// launcher is a program and its arguments; the URL comes last or where %s is.
type launcher []string

type runner func(ctx context.Context, argv []string) error

func open(ctx context.Context, rawURL string, ls []launcher, run runner) error {
	if p := wire.CheckURL(rawURL, wire.URLPolicy{AllowLoopbackHTTP: true}); p != nil {
		return fmt.Errorf("loopback: the browser is not sent there (%s, %s)", rules.AuthzReqURLScheme, p.Rule)
	}
	safe := neutral(rawURL)
	for _, l := range ls {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		prog, err := exec.LookPath(l[0])
		if err != nil {
			continue
		}
		if run(ctx, l.argv(prog, safe)) == nil {
			return nil
		}
	}
	return ErrNoBrowser
}

func (l launcher) argv(prog, rawURL string) []string {
	argv := append([]string{prog}, l[1:]...)
	placed := false
	for i, a := range argv {
		if i > 0 && strings.Contains(a, "%s") {
			argv[i], placed = strings.ReplaceAll(a, "%s", rawURL), true
		}
	}
	if !placed {
		argv = append(argv, rawURL)
	}
	return argv
}

// neutral percent-encodes the characters that RFC 3986 allows in a path or query
// and that mean something to some shell. "&", "=", "+" and "%" stay: they
// separate and encode the parameters.
func neutral(rawURL string) string {
	const hex = "0123456789ABCDEF"
	end := len("https://")
	if i := strings.IndexAny(rawURL[end:], "/?"); i >= 0 {
		end += i
	} else {
		return rawURL
	}
	var b strings.Builder
	b.WriteString(rawURL[:end])
	for _, c := range []byte(rawURL[end:]) {
		if strings.IndexByte("$'()*;!|^{}[],~", c) >= 0 || c <= ' ' || c >= 0x7f {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// launchers lists what to try, in order. $BROWSER is a list of commands as the
// Unix desktop has it, split at blanks; an entry that would need a shell is
// passed over.
func launchers(goos string, env func(string) string) []launcher {
	var ls []launcher
	if goos != "windows" {
		for _, e := range strings.Split(env("BROWSER"), ":") {
			argv := strings.Fields(e)
			if len(argv) == 0 || strings.ContainsAny(e, "$`;&|<>\"'\\(){}*?!~") {
				continue
			}
			ls = append(ls, launcher(argv))
		}
	}
	switch goos {
	case "darwin":
		return append(ls, launcher{"open"})
	case "windows":
		return append(ls, launcher{"rundll32.exe", "url.dll,FileProtocolHandler"})
	case "android":
		return append(ls, launcher{"termux-open-url"}, launcher{"xdg-open"})
	}
	if env("WSL_DISTRO_NAME") != "" {
		ls = append(ls, launcher{"wslview"}, launcher{"rundll32.exe", "url.dll,FileProtocolHandler"})
	}
	// Without a display the launchers fall back to browsers for terminals, which
	// would take over our terminal.
	if env("DISPLAY") != "" || env("WAYLAND_DISPLAY") != "" {
		ls = append(ls, launcher{"xdg-open"}, launcher{"x-www-browser"})
	}
	return ls
}

// started tells a test about the process; nil otherwise.
var started func(*os.Process)

// run starts a program without our terminal or pipes, and waits only long
// enough to hear that it failed.
func run(ctx context.Context, argv []string) error {
	cmd := exec.Command(argv[0], argv[1:]...)
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	if started != nil {
		started(cmd.Process)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // reaps it whenever it ends
	t := time.NewTimer(startGrace)
	defer t.Stop()
	select {
	case err := <-ended:
		return err
	case <-t.C:
		return nil
	case <-ctx.Done():
		return nil
	}
}
