// Command stile-rules writes the Go form of the rule registry from the file
// that people edit:
//
//	go generate ./states/rules
//
// It refuses a file with an unknown member, an id or a name that occurs twice,
// an empty column, or a level that no specification knows.
package main

import (
	"bytes"
	"fmt"
	"go/format"
	"os"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: stile-rules rules.yaml rules_gen.go")
		os.Exit(2)
	}
	src, err := os.ReadFile(os.Args[1])
	if err == nil {
		var out []byte
		if out, err = generate(src); err == nil {
			err = os.WriteFile(os.Args[2], out, 0o644)
		}
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "stile-rules: %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}

// group and rule are the form of rules.yaml; the meaning of each member stands
// at rules.Rule.
type group struct {
	Group int
	Title string
	Rules []rule
}

type rule struct {
	ID        string
	Name      string // of the constant
	Level     string
	House     bool
	Unchecked bool
	Who       string
	Since     string
	Clause    string
	Requires  string
	Observe   string
	Breach    string
}

// generate gives the Go file of the registry.
func generate(src []byte) ([]byte, error) {
	var groups []group
	d := yaml.NewDecoder(bytes.NewReader(src))
	d.KnownFields(true)
	if err := d.Decode(&groups); err != nil {
		return nil, err
	}
	if err := check(groups); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString("// Code generated from rules.yaml by stile-rules. DO NOT EDIT.\n\npackage rules\n\nvar groups = []Group{\n")
	for _, g := range groups {
		fmt.Fprintf(&b, "{%d, %q},\n", g.Group, g.Title)
	}
	b.WriteString("}\n\n")
	for _, g := range groups {
		fmt.Fprintf(&b, "// Group %d: %s.\nconst (\n", g.Group, g.Title)
		for _, r := range g.Rules {
			fmt.Fprintf(&b, "%s ID = %q // %s\n", r.Name, r.ID, strings.Join(strings.Fields(r.Requires), " "))
		}
		b.WriteString(")\n\n")
	}
	b.WriteString("var rows = []Rule{\n")
	for _, g := range groups {
		for _, r := range g.Rules {
			fmt.Fprintf(&b, "{ID: %s, Group: %d, Level: %q,", r.Name, g.Group, r.Level)
			if r.House {
				b.WriteString(" House: true,")
			}
			if r.Unchecked {
				b.WriteString(" Unchecked: true,")
			}
			fmt.Fprintf(&b, " Who: %q, Since: %q,\nClause: %q,\nRequires: %q,\n", r.Who, r.Since, r.Clause, r.Requires)
			if r.Observe != "" {
				fmt.Fprintf(&b, "Observe: %q,\n", r.Observe)
			}
			fmt.Fprintf(&b, "Breach: %q},\n", r.Breach)
		}
	}
	b.WriteString("}\n")
	return format.Source(b.Bytes())
}

var (
	levels   = []string{"MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY"}
	idForm   = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)+$`)
	nameForm = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)
)

// check names the first row that cannot stand.
func check(groups []group) error {
	ids, names := map[string]bool{}, map[string]bool{}
	for i, g := range groups {
		if g.Group != i+1 || g.Title == "" {
			return fmt.Errorf("group %d with the title %q is number %d of the file", g.Group, g.Title, i+1)
		}
		for _, r := range g.Rules {
			switch {
			case !idForm.MatchString(r.ID) || ids[r.ID]:
				return fmt.Errorf("group %d: the id %q is malformed or occurs twice", g.Group, r.ID)
			case !nameForm.MatchString(r.Name) || names[r.Name]:
				return fmt.Errorf("%s: the name %q is malformed or occurs twice", r.ID, r.Name)
			case !slices.Contains(levels, r.Level):
				return fmt.Errorf("%s: level %q", r.ID, r.Level)
			case r.Who == "" || r.Since == "" || r.Clause == "" || r.Requires == "" || r.Breach == "":
				return fmt.Errorf("%s: who, since, clause, requires or breach is empty", r.ID)
			case r.Unchecked != strings.Contains(r.Clause, "(?)"):
				return fmt.Errorf("%s: unchecked is %v and the clause is %q", r.ID, r.Unchecked, r.Clause)
			}
			ids[r.ID], names[r.Name] = true, true
		}
	}
	return nil
}
