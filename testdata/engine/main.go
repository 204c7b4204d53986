// The machine without an operating system: this program, built for WebAssembly,
// takes a whole life of a credential again from the lines of life.txt, a cold
// login first, and prints the answers.
package main

import (
	_ "embed"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/stile-oauth/stile/fsm/lines"
)

//go:embed life.txt
var life string

func main() {
	var s *lines.Session
	for line := range strings.Lines(life) {
		switch {
		case strings.HasPrefix(line, "#"):
			s = lines.NewSession()
		case strings.HasPrefix(line, "> "):
			if _, err := os.Stdout.Write(s.Line(time.Now(), []byte(strings.TrimSuffix(line[2:], "\n")))); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
	}
}
