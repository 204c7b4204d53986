// Command notices writes the licences and notices of everything that is linked into
// the command stile. They have to be shipped with its binaries. It looks at the modules
// for every platform that is built for, and at Go itself. A module without a licence is
// an error.
//
//	go run .ci/notices/main.go bin/NOTICES.txt
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const command = "./cmd/stile"

var platforms = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}

// texts are the files that may hold a licence: at the root of a module, or below it,
// where code from others was included.
var texts = regexp.MustCompile(`(?i)^(un)?(licen[cs]e|copying|notice|copyright|patents)([.-].*)?$`)

type module struct {
	Path, Version, Dir string
	Main               bool
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: notices FILE")
		os.Exit(2)
	}
	out, err := notices()
	if err == nil {
		err = os.MkdirAll(filepath.Dir(os.Args[1]), 0o755)
	}
	if err == nil {
		err = os.WriteFile(os.Args[1], out, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "notices:", err)
		os.Exit(1)
	}
}

func notices() ([]byte, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, err
	}
	version, err := exec.Command("go", "env", "GOVERSION").Output()
	if err != nil {
		return nil, err
	}
	dirs := map[module]map[string]bool{ // the folders of linked code
		{Path: "Go", Version: strings.TrimSpace(string(version)), Dir: strings.TrimSpace(string(root))}: {},
	}
	for _, p := range platforms {
		if err := linked(p, dirs); err != nil {
			return nil, err
		}
	}
	var all []module
	for m := range dirs {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b module) int { return cmp.Compare(a.Path, b.Path) })
	var b bytes.Buffer
	fmt.Fprintf(&b, "The command stile holds code of others, under the licences below.\n")
	for _, m := range all {
		files, err := licences(m, dirs[m])
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			text, err := os.ReadFile(filepath.Join(m.Dir, f))
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(&b, "\n%s\n%s %s: %s\n%s\n\n%s\n", strings.Repeat("=", 78), m.Path, m.Version, filepath.ToSlash(f), strings.Repeat("=", 78), bytes.TrimSpace(text))
		}
	}
	return b.Bytes(), nil
}

// linked adds the modules that the command is built from on a platform, with the
// folders of their packages.
func linked(platform string, dirs map[module]map[string]bool) error {
	system, arch, _ := strings.Cut(platform, "/")
	c := exec.Command("go", "list", "-deps", "-json=Dir,Module", command)
	c.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+arch, "CGO_ENABLED=0")
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		return fmt.Errorf("go list for %s: %w", platform, err)
	}
	d := json.NewDecoder(bytes.NewReader(out))
	for {
		var p struct {
			Dir    string
			Module *module
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if p.Module == nil || p.Module.Main {
			continue // the standard library, and this module, which has its LICENSE
		}
		if dirs[*p.Module] == nil {
			dirs[*p.Module] = map[string]bool{}
		}
		dirs[*p.Module][p.Dir] = true
	}
}

// licences are the licence files of a module: at its root, in the folders of the
// linked packages, and in the folders above those.
func licences(m module, packages map[string]bool) ([]string, error) {
	look := map[string]bool{m.Dir: true}
	for dir := range packages {
		for ; len(dir) > len(m.Dir); dir = filepath.Dir(dir) {
			look[dir] = true
		}
	}
	var out []string
	atRoot := false
	for dir := range look {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if e.Type().IsRegular() && texts.MatchString(e.Name()) && filepath.Ext(e.Name()) != ".go" {
				rel, err := filepath.Rel(m.Dir, filepath.Join(dir, e.Name()))
				if err != nil {
					return nil, err
				}
				out = append(out, rel)
				atRoot = atRoot || dir == m.Dir
			}
		}
	}
	if !atRoot {
		return nil, fmt.Errorf("%s %s has no licence: it may not be linked into a binary that is given away", m.Path, m.Version)
	}
	slices.Sort(out)
	return out, nil
}
