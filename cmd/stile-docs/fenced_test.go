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
var marked = regexp.MustCompile("(?ms)^<!-- (run|compile|compile-with-it|file: [a-z.]+) -->\n```(\\w+)\n(.*?)^```$")

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
// directory, and a browser without a user.
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
	build := exec.Command("go", "build", "-o", bin, "./cmd/stile")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
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
		var script strings.Builder
		files := map[string]string{}
		for _, m := range marked.FindAllStringSubmatch(all[name], -1) {
			if m[1] == "run" {
				script.WriteString(m[3])
			} else if file, ok := strings.CutPrefix(m[1], "file: "); ok {
				files[file] = m[3]
			}
		}
		if script.Len() == 0 {
			continue
		}
		ran++
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			// What a page starts in the background ends with its shell. Each job has its own
			// process group (set -m), because "go run" does not pass a signal on to the program
			// that it started.
			text := "set -eum\ntrap 'for j in $(jobs -p); do kill -- -$j 2>/dev/null || true; done' EXIT\n" + script.String()
			for file, text := range files {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			// Use the module that is being tested, not the published one.
			work := filepath.Join(dir, "go.work")
			if err := os.WriteFile(work, []byte("go 1.26.0\n\nuse "+root+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("bash", "-c", text)
			cmd.Dir = dir
			cmd.Env = []string{
				"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH"),
				"HOME=" + filepath.Join(dir, "home"), "BROWSER=" + browser, "GOWORK=" + work,
				"GOMODCACHE=" + goEnv(t, "GOMODCACHE"), "GOCACHE=" + goEnv(t, "GOCACHE"), "GOFLAGS=" + goEnv(t, "GOFLAGS"), "GOPROXY=" + goEnv(t, "GOPROXY"),
			}
			if err := os.Mkdir(filepath.Join(dir, "home"), 0o700); err != nil {
				t.Fatal(err)
			}
			cmd.WaitDelay = 20 * time.Second // servers that the commands started may end a little later
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s\n--- printed\n%s", err, script.String(), out)
			}
		})
	}
	if ran == 0 {
		t.Error("no page has a command to run")
	}
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
