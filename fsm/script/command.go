package script

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Arg is one argument of a command: name, name=value or name=(value, value).
type Arg struct {
	Name   string
	Values []string
}

// Command is one line of a script, with the block of text under it.
type Command struct {
	Verb  string
	Args  []Arg
	Block string
}

// Parse reads a command line: a verb, then arguments between spaces. Values in
// parentheses are separated by commas and may hold spaces and, in pairs,
// parentheses.
func Parse(line string) (Command, error) {
	verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	c := Command{Verb: verb}
	for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
		end := strings.IndexAny(rest, " =")
		if end < 0 {
			c.Args = append(c.Args, Arg{Name: rest})
			break
		}
		a := Arg{Name: rest[:end]}
		if a.Name == "" {
			return Command{}, fmt.Errorf("an argument without a name in %q", line)
		}
		if rest[end] == ' ' {
			rest = rest[end:]
			c.Args = append(c.Args, a)
			continue
		}
		rest = rest[end+1:]
		if !strings.HasPrefix(rest, "(") {
			v, more, _ := strings.Cut(rest, " ")
			a.Values, rest = []string{v}, more
			c.Args = append(c.Args, a)
			continue
		}
		values, more, ok := list(rest)
		if !ok {
			return Command{}, fmt.Errorf("a parenthesis is not closed in %q", line)
		}
		a.Values, rest = values, more
		c.Args = append(c.Args, a)
	}
	return c, nil
}

// list reads (value, value) and gives what follows.
func list(s string) (values []string, rest string, ok bool) {
	depth, start := 1, 1
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return append(values, strings.TrimSpace(s[start:i])), s[i+1:], true
			}
		case ',':
			if depth == 1 {
				values = append(values, strings.TrimSpace(s[start:i]))
				start = i + 1
			}
		}
	}
	return nil, "", false
}

// has reports whether an argument was given.
func (c Command) has(name string) bool {
	for _, a := range c.Args {
		if a.Name == name {
			return true
		}
	}
	return false
}

// get gives the single value of an argument, or def.
func (c Command) get(name, def string) string {
	for _, a := range c.Args {
		if a.Name == name && len(a.Values) > 0 {
			return a.Values[0]
		}
	}
	return def
}

func (c Command) all(name string) []string {
	for _, a := range c.Args {
		if a.Name == name {
			return a.Values
		}
	}
	return nil
}

// first gives the name of the n-th argument that has no value.
func (c Command) bare(n int) string {
	for _, a := range c.Args {
		if a.Values != nil {
			continue
		}
		if n == 0 {
			return a.Name
		}
		n--
	}
	return ""
}

func (c Command) number(name string, def int) (int, error) {
	v := c.get(name, "")
	if v == "" {
		return def, nil
	}
	return strconv.Atoi(v)
}

func (c Command) duration(name string, def time.Duration) (time.Duration, error) {
	v := c.get(name, "")
	if v == "" {
		return def, nil
	}
	return time.ParseDuration(v)
}
