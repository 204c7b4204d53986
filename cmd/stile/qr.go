package main

import (
	"fmt"
	"io"
	"runtime"
	"strings"

	"rsc.io/qr"
)

// quiet is how many light modules surround a QR code. The standard asks for four; readers
// find a code on a dark screen with two, and a terminal has few lines.
const quiet = 2

// canDraw reports whether a QR code can be drawn on w: a terminal with colours, whose
// characters are Unicode's.
func (a *app) canDraw(w io.Writer) bool {
	if !a.colours(w) {
		return false
	}
	if runtime.GOOS == "windows" {
		return true // a terminal with colours has Unicode too
	}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} { // the first that is set counts
		if v := strings.ToUpper(a.getenv(name)); v != "" {
			return strings.Contains(v, "UTF-8") || strings.Contains(v, "UTF8")
		}
	}
	return false
}

// drawQR gives text as a QR code of half blocks, two modules in each character, black on
// white whatever the colours of the terminal are. It is empty if the code is wider than the
// terminal.
func drawQR(text string, columns int) string {
	code, err := qr.Encode(text, qr.L)
	if err != nil || code.Size+2*quiet > columns {
		return ""
	}
	var b strings.Builder
	for y := -quiet; y < code.Size+quiet; y += 2 {
		b.WriteString("\x1b[30;107m")
		for x := -quiet; x < code.Size+quiet; x++ {
			switch top, bottom := code.Black(x, y), code.Black(x, y+1); {
			case top && bottom:
				b.WriteRune('█')
			case top:
				b.WriteRune('▀')
			case bottom:
				b.WriteRune('▄')
			default:
				b.WriteByte(' ')
			}
		}
		b.WriteString("\x1b[0m\n")
	}
	return b.String()
}

// showQR draws an address that a phone can open, where the terminal can show it.
func (a *app) showQR(address string) {
	if !a.canDraw(a.err) {
		return
	}
	width := 0
	if a.columns != nil {
		width = a.columns()
	}
	if width <= 0 {
		width = defaultWidth
	}
	if drawn := drawQR(address, width); drawn != "" {
		_, _ = fmt.Fprintf(a.err, "Or point a phone's camera at this:\n\n%s\n", drawn)
	}
}
