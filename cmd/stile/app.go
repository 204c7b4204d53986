package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"
	"unicode/utf16"

	"github.com/stile-oauth/stile/states/wire"
)

// app is what surrounds a command: the streams, the environment, and the flags that
// every command takes.
type app struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string
	// terminal reports whether a stream is a terminal.
	terminal func(stream any) bool
	// columns gives the width of the terminal; 0 when it is not known. It may
	// be nil.
	columns func() int
	// browse opens a URL in a browser; nil is the browser of this machine.
	browse func(ctx context.Context, url string) error

	json    bool
	verbose bool

	helped error // what is wrong with the request for help, if anything is

	tty     struct{ in, out, err bool } // which streams are terminals
	secrets secrets

	mu sync.Mutex // one line at a time: other goroutines print steps
}

// raw is text that this program wrote itself, with line ends and colours. The
// printing methods clean every other argument, because a server may have written
// it (rule prm-display-untrusted).
type raw string

// maxShown bounds one argument in a printed line.
const maxShown = 4000

func cleaned(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		switch a := a.(type) {
		case raw:
			out[i] = string(a)
		case string:
			out[i] = wire.Clean(a, maxShown)
		case bool, int, int64, uint64, float64:
			out[i] = a
		default:
			out[i] = wire.Clean(fmt.Sprint(a), maxShown)
		}
	}
	return out
}

// say prints to standard output, note to standard error.
func (a *app) say(format string, args ...any)  { a.print(a.out, format, args) }
func (a *app) note(format string, args ...any) { a.print(a.err, format, args) }

// notice prints a line on standard error that is not an error. With --json the line
// is an object, like every other line there.
func (a *app) notice(text string) {
	if !a.json {
		a.note("%s\n", text)
		return
	}
	_ = a.printJSON(a.err, struct {
		Notice string `json:"notice"`
	}{text})
}

func (a *app) print(w io.Writer, format string, args []any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, _ = fmt.Fprintf(w, format, cleaned(args)...)
}

// together writes what f says in large pieces rather than line by line. Nothing
// else may print to standard output meanwhile.
func (a *app) together(f func()) {
	out := a.out
	b := bufio.NewWriterSize(out, 64<<10)
	a.out = b
	defer func() {
		_ = b.Flush() // out keeps the error
		a.out = out
	}()
	f()
}

// block prints text of a server that may have several lines.
func (a *app) block(text string) {
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		parts := strings.Split(strings.TrimSuffix(line, "\r"), "\t")
		for i := range parts {
			parts[i] = wire.Clean(parts[i], 1<<20)
		}
		a.say("%s\n", raw(strings.Join(parts, "\t")))
	}
}

// printJSON writes one JSON value on one line.
func (a *app) printJSON(w io.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return a.printLine(w, b)
}

// printLine writes a line of JSON. It escapes what a terminal could interpret as
// a control sequence, which changes nothing for a JSON decoder.
func (a *app) printLine(w io.Writer, line []byte) error {
	var s strings.Builder
	s.Grow(len(line) + 1)
	for _, r := range string(line) {
		switch {
		case unicode.IsPrint(r):
			s.WriteRune(r)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			fmt.Fprintf(&s, `\u%04x\u%04x`, hi, lo)
		default:
			fmt.Fprintf(&s, `\u%04x`, r)
		}
	}
	s.WriteByte('\n')
	a.mu.Lock()
	defer a.mu.Unlock()
	_, err := io.WriteString(w, s.String())
	return err
}

// result prints v with --json; otherwise it calls text, which prints it.
func (a *app) result(v any, text func()) error {
	if a.json {
		return a.printJSON(a.out, v)
	}
	text()
	return nil
}
