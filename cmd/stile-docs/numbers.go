package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/stile-oauth/stile/fsm/explore"
	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/transitions"
)

// counted is a number in a hand-written page that follows from the code. It is between
// two comments, the first of which names it.
var counted = regexp.MustCompile(`<!-- count: ([a-z]+) -->([^<]*)<!-- /count -->`)

// counts are the numbers that a page can ask for.
var counts = sync.OnceValues(func() (map[string]int, error) {
	// The exploration that finishes within seconds.
	x, err := explore.New(explore.Options{World: "closed", Situations: 200_000, Trouble: -1})
	if err != nil {
		return nil, err
	}
	for x.Run(1000) {
	}
	closed := x.Summary()
	if !closed.FixedPoint || len(x.Violations()) > 0 {
		return nil, fmt.Errorf("the closed world without trouble: %d situations, a fixed point: %v, %d violations", closed.Situations, closed.FixedPoint, len(x.Violations()))
	}
	return map[string]int{
		"situations": closed.Situations,
		"steps":      closed.Steps,
		"following":  closed.Following,
		"moves":      closed.Depth,
		"states":     len(states.All),
		"rows":       len(transitions.Table),
		"rules":      len(rules.All()),
		"quirks":     len(states.QuirkNames()),
		"invariants": len(explore.Invariants()),
		"faults":     len(peer.Faults()),
	}, nil
})

// countedPages updates the numbers in the hand-written pages under root.
func countedPages(root string) ([]page, error) {
	names, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		return nil, err
	}
	var out []page
	for _, name := range append(names, filepath.Join(root, "README.md")) {
		text, err := os.ReadFile(name)
		if os.IsNotExist(err) || err == nil && !counted.Match(text) {
			continue
		}
		if err != nil {
			return nil, err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return nil, err
		}
		numbers, err := counts()
		if err != nil {
			return nil, err
		}
		renewed, err := recount(string(text), numbers)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.ToSlash(rel), err)
		}
		out = append(out, page{filepath.ToSlash(rel), []byte(renewed)})
	}
	return out, nil
}

// recount puts the numbers into a text where it asks for them.
func recount(text string, numbers map[string]int) (string, error) {
	var unknown []string
	text = counted.ReplaceAllStringFunc(text, func(s string) string {
		name := counted.FindStringSubmatch(s)[1]
		n, ok := numbers[name]
		if !ok {
			unknown = append(unknown, name)
			return s
		}
		return "<!-- count: " + name + " -->" + grouped(n) + "<!-- /count -->"
	})
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return "", fmt.Errorf("no number is called %s", strings.Join(slices.Compact(unknown), ", "))
	}
	return text, nil
}

// grouped writes a number, with a space before each group of three digits if it is long.
func grouped(n int) string {
	s := strconv.Itoa(n)
	if n < 10_000 {
		return s
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}
