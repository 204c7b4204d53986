package main

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/transitions"
)

// browserName is the name under which this test program acts as a browser without a
// user: it goes to the address that it is given.
const browserName = "browser-of-the-pages"

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == browserName {
		resp, err := http.Get(os.Args[len(os.Args)-1])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		_ = resp.Body.Close()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// marked finds the fenced blocks that a page marks to be tried: a line that says how,
// and the block after it.
var marked = regexp.MustCompile("(?ms)^<!-- (run|run: in a module|compile|compile-with-it|file: [a-z.]+) -->\n```(\\w+)\n(.*?)^```$")

// TestFencedGo builds every Go program in a page that is marked <!-- compile -->.
func TestFencedGo(t *testing.T) {
	t.Parallel()
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	built := 0
	all := pages(t, root)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		var programs [][]string // each with the files that belong to it
		for _, m := range marked.FindAllStringSubmatch(all[name], -1) {
			switch n := len(programs); {
			case m[1] == "compile":
				programs = append(programs, []string{m[3]})
			case m[1] == "compile-with-it" && n > 0:
				programs[n-1] = append(programs[n-1], m[3])
			}
		}
		for _, p := range programs {
			built++
			args, dir := []string{"vet"}, t.TempDir()
			for i, text := range p {
				file := filepath.Join(dir, fmt.Sprintf("file%d.go", i))
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				args = append(args, file)
			}
			cmd := exec.Command("go", args...)
			cmd.Dir = root
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", name, err, out)
			}
		}
	}
	if built == 0 {
		t.Error("no page has a program")
	}
}

// TestFencedCommands runs the commands marked <!-- run --> as they are written, with one
// shell for each page. Each shell has the command on the PATH, its own home and working
// directory, and a browser without a user. What the commands install and build with the
// module is this working tree, by way of a module proxy. <!-- run: in a module -->
// is for words that belong into the reader's own module, which the shell makes first.
func TestFencedCommands(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the pages are written for a POSIX shell")
	}
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	env := append(published(t, root), "GOBIN="+bin, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	install := exec.Command("go", "install", modulePath+"/cmd/stile@latest")
	install.Dir, install.Env = bin, append(env, "HOME="+bin)
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	browser := filepath.Join(bin, browserName)
	if err := os.Symlink(self, browser); err != nil {
		t.Fatal(err)
	}
	all, ran := pages(t, root), 0
	for _, name := range slices.Sorted(maps.Keys(all)) {
		script := pageScript(all[name])
		if script == "" {
			continue
		}
		ran++
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			// What a page starts in the background ends with its shell. Each job has its own
			// process group (set -m), because "go run" does not pass a signal on to the program
			// that it started.
			text := "set -eum\ntrap 'for j in $(jobs -p); do kill -- -$j 2>/dev/null || true; done' EXIT\n" + script
			cmd := exec.Command("bash", "-c", text)
			cmd.Dir = dir
			cmd.Env = append(slices.Clone(env), "HOME="+filepath.Join(dir, "home"), "BROWSER="+browser)
			if err := os.Mkdir(filepath.Join(dir, "home"), 0o700); err != nil {
				t.Fatal(err)
			}
			cmd.WaitDelay = 20 * time.Second // servers that the commands started may end a little later
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s\n--- printed\n%s", err, script, out)
			}
		})
	}
	if ran == 0 {
		t.Error("no page has a command to run")
	}
}

// pageScript is what a reader of the page does, in its order: the commands that it marks,
// and its files, written to where the commands are by then. It is empty if there are no commands.
func pageScript(page string) string {
	var script strings.Builder
	commands := false
	for _, m := range marked.FindAllStringSubmatch(page, -1) {
		file, isFile := strings.CutPrefix(m[1], "file: ")
		switch {
		case isFile:
			fmt.Fprintf(&script, "cat >%s <<'END OF THE FILE'\n%sEND OF THE FILE\n", file, m[3])
		case m[1] == "run: in a module":
			script.WriteString("go mod init example.com/readers\n" + m[3])
			commands = true
		case m[1] == "run":
			script.WriteString(m[3])
			commands = true
		}
	}
	if !commands {
		return ""
	}
	return script.String()
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// TestOverview compares the drawing in README.md with the table: for each arrow there
// must be a path of rows, within the group of states or through groups in between.
func TestOverview(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	names := map[string]string{} // from names in the drawing to groups of states
	for _, m := range regexp.MustCompile(`(\w+)[(\[]{1,2}([^:<()\[\]]+)`).FindAllStringSubmatch(text, -1) {
		if slices.Contains(groups(), m[2]) {
			names[m[1]] = m[2]
		}
	}
	for _, g := range groups() {
		if !slices.Contains(slices.Collect(maps.Values(names)), g) {
			t.Errorf("the drawing has no box for %q", g)
		}
	}
	arrows := 0
	for _, m := range regexp.MustCompile(`(?m)^\s+(\w+)\S* (?:-->|-\. [^.]+ \.->) (\w+)`).FindAllStringSubmatch(text, -1) {
		arrows++
		if !leads(names[m[1]], names[m[2]]) {
			t.Errorf("the drawing leads from %q to %q; no row does", names[m[1]], names[m[2]])
		}
	}
	if arrows < 10 {
		t.Errorf("only %d arrows were read", arrows)
	}
}

// leads reports whether a row leads from a state of one group to one of another.
func leads(from, to string) bool {
	for _, r := range transitions.Table {
		if states.Group(r.From) == from && states.Group(r.To) == to && from != to {
			return true
		}
	}
	return false
}
