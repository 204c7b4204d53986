package kit

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"unicode"
)

// Append adds a closing line to a file; no file is named by "".
func Append(file, closing string) error {
	if file == "" {
		return nil
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, closing)
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// colour is how the suite colours its words.
var colour = regexp.MustCompile("\x1b\\[[0-9;]*m")

// Clean makes what others wrote fit to print: no control characters, bounded.
func Clean(s string, bound int) string {
	s = colour.ReplaceAllString(s, "")
	s = strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return '.'
	}, s)
	if runes := []rune(s); len(runes) > bound {
		return string(runes[:bound]) + "…"
	}
	return s
}
