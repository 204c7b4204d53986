package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/stile-oauth/stile/fsm/explore"
	"github.com/stile-oauth/stile/fsm/peer"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/transitions"
)

// counted is a number in a written page that follows from the code: it stands
// between two comments, of which the first names it.
var counted = regexp.MustCompile(`<!-- count: ([a-z]+) -->([^<]*)<!-- /count -->`)

// counts are the numbers that a page can ask for.
func counts() map[string]int {
	return map[string]int{
		"states":     len(states.All),
		"rows":       len(transitions.Table),
		"rules":      len(rules.All()),
		"quirks":     len(states.QuirkNames()),
		"invariants": len(explore.Invariants()),
		"faults":     len(peer.Faults()),
	}
}

// countedPages renews the numbers in the written pages under root.
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
		renewed, err := recount(string(text), counts())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.ToSlash(rel), err)
		}
		out = append(out, page{filepath.ToSlash(rel), []byte(renewed)})
	}
	return out, nil
}

// recount puts the numbers where a text asks for them.
func recount(text string, numbers map[string]int) (string, error) {
	var unknown []string
	text = counted.ReplaceAllStringFunc(text, func(s string) string {
		name := counted.FindStringSubmatch(s)[1]
		n, ok := numbers[name]
		if !ok {
			unknown = append(unknown, name)
			return s
		}
		return "<!-- count: " + name + " -->" + strconv.Itoa(n) + "<!-- /count -->"
	})
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return "", fmt.Errorf("no number is called %s", strings.Join(slices.Compact(unknown), ", "))
	}
	return text, nil
}
