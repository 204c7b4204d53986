package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// binary is the test program of a package.
type binary struct {
	dir, path string
}

// switches is the extra file that each mutated package gets.
const switches = `package %s

import (
	"os"
	"strconv"
	"sync/atomic"
)

var mutantNumber, _ = strconv.Atoi(os.Getenv("MUTANT"))

var mutantPassed = os.Getenv("MUTANT_PASSED")

var mutantSeen [1 << 16]atomic.Bool

func mutantOn(n int) bool {
	if mutantPassed != "" {
		mutantPass(n)
	}
	return n == mutantNumber
}

func mutantPass(n int) {
	if n >= len(mutantSeen) || mutantSeen[n].Load() || mutantSeen[n].Swap(true) {
		return
	}
	f, err := os.OpenFile(mutantPassed, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return
	}
	_, _ = f.WriteString(strconv.Itoa(n) + "\n")
	_ = f.Close()
}

// MutantSet turns a mutant on, and the one before it off.
func MutantSet(n int) { mutantNumber = n }

// MutantsPassed gives the switches that were passed since the last call, from the first call
// on.
func MutantsPassed() (all []int) {
	mutantPassed = os.DevNull
	for i := range mutantSeen {
		if mutantSeen[i].Swap(false) {
			all = append(all, i)
		}
	}
	return all
}

type mutantInteger interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uintptr
}

func mutantMore[T mutantInteger](n int, v T) T {
	if !mutantOn(n) {
		return v
	}
	if v < 4 {
		return v + 1
	}
	return 2 * v
}

func mutantLess[T mutantInteger](n int, v T) T {
	if !mutantOn(n) {
		return v
	}
	return v / 2
}
`

// render writes a file together with its switches.
func (s *source) render() []byte {
	ins := slices.DeleteFunc(slices.Clone(s.ins), func(i insertion) bool { return i.mutant.dropped })
	slices.SortStableFunc(ins, func(a, b insertion) int {
		if c := cmp.Compare(a.offset, b.offset); c != 0 {
			return c
		}
		if a.closes != b.closes {
			return map[bool]int{true: -1, false: 1}[a.closes] // what ends here ends first
		}
		if a.closes {
			return cmp.Compare(b.depth, a.depth)
		}
		return cmp.Compare(a.depth, b.depth)
	})
	var out []byte
	at := 0
	for _, i := range ins {
		out = append(out, s.text[at:i.offset]...)
		out = append(out, i.text...)
		at = i.offset
	}
	return append(out, s.text[at:]...)
}

// complaint is a line of the compiler's output.
var complaint = regexp.MustCompile(`(?m)^(\S+\.go):(\d+):\d+: (.*)$`)

// build builds the tests of all packages that may notice a mutant, with all switches.
// Mutants that do not compile are dropped, line by line.
func build(work string, p *plan, chosen []target) ([]binary, error) {
	var dirs []string
	for _, t := range chosen {
		dirs = append(dirs, t.tests...)
	}
	slices.Sort(dirs)
	dirs = slices.Compact(dirs)
	for range 12 {
		overlay, err := p.overlay(work, storyTest(chosen))
		if err != nil {
			return nil, err
		}
		var paths []string
		for _, d := range dirs {
			paths = append(paths, "./"+d)
		}
		// -gcflags=-e makes the compiler report every error, not only the first ten.
		bin := filepath.Join(work, "bin")
		if err := os.MkdirAll(bin, 0o755); err != nil {
			return nil, err
		}
		out, err := exec.Command("go", append([]string{"test", "-c", "-vet=off", "-gcflags=-e", "-overlay", overlay, "-o", bin + "/"}, paths...)...).CombinedOutput()
		if err == nil {
			var bs []binary
			for _, d := range dirs {
				b := binary{d, filepath.Join(bin, filepath.Base(d)+".test")}
				if _, err := os.Stat(b.path); err == nil {
					bs = append(bs, b)
				}
			}
			return bs, nil
		}
		if !p.drop(string(out)) {
			return nil, fmt.Errorf("the mutated code does not build:\n%s", out)
		}
	}
	return nil, fmt.Errorf("the mutated code does not build after twelve attempts")
}

// overlay writes the copies and a list of them. stories is the text of the test that tells the
// stories, if they are wanted.
func (p *plan) overlay(work, stories string) (string, error) {
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	put := func(file string, text []byte) error {
		copied := filepath.Join(work, strings.ReplaceAll(file, "/", "_"))
		replace[filepath.Join(here, filepath.FromSlash(file))] = copied
		return os.WriteFile(copied, text, 0o600)
	}
	for file, src := range p.files {
		if err := put(file, src.render()); err != nil {
			return "", err
		}
	}
	for dir, name := range p.paks {
		if err := put(dir+"/mutant_switches.go", fmt.Appendf(nil, switches, name)); err != nil {
			return "", err
		}
	}
	if stories != "" {
		if err := put(tellers+"/mutants_test.go", []byte(stories)); err != nil {
			return "", err
		}
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	name := filepath.Join(work, "overlay.json")
	return name, os.WriteFile(name, b, 0o600)
}

// drop drops the mutants on the lines that the compiler complains about.
func (p *plan) drop(output string) bool {
	any := false
	for _, m := range complaint.FindAllStringSubmatch(output, -1) {
		line, _ := strconv.Atoi(m[2])
		for _, x := range p.all {
			if x.line == line && filepath.Base(x.file) == filepath.Base(m[1]) && strings.HasSuffix(filepath.ToSlash(m[1]), x.file) && !x.dropped {
				x.dropped, any = true, true
			}
		}
	}
	return any
}
