package script_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/stile-oauth/stile/fsm/script"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/transitions"
)

const scripts = "../../testdata/scripts"

var coverage = flag.Bool("rows", false, "list how often each row of the table was fired")

// TestScripts runs every story of testdata/scripts and compares what it
// prints; -rewrite writes it anew. All stories together fire every row of the
// table. (The contract of package fsm is checked at every step of them by its
// own tests.)
func TestScripts(t *testing.T) {
	fired := map[[2]string]int{}
	datadriven.Walk(t, scripts, func(t *testing.T, path string) {
		s := script.New()
		s.Observe = func(p script.Step) {
			if p.Err == nil {
				fired[[2]string{string(p.Before.State), string(p.Result.Event)}]++
			}
		}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			c := script.Command{Verb: d.Cmd, Block: d.Input}
			for _, a := range d.CmdArgs {
				c.Args = append(c.Args, script.Arg{Name: a.Key, Values: a.Vals})
			}
			return s.Run(c)
		})
	})
	if f := flag.Lookup("test.run"); f != nil && strings.Contains(f.Value.String(), "/") {
		return // a part of the stories was asked for
	}
	var missing []string
	for _, r := range transitions.Table {
		n := fired[[2]string{string(r.From), string(r.On)}]
		if *coverage {
			fmt.Printf("%5d  %s %s\n", n, r.From, r.On)
		}
		if n == 0 {
			missing = append(missing, string(r.From)+" "+string(r.On))
		}
	}
	if len(missing) > 0 {
		t.Errorf("no script fires these %d of %d rows:\n  %s", len(missing), len(transitions.Table), strings.Join(missing, "\n  "))
	}
}

// TestScriptsOpenWithTheirStory holds every script to an extension and to a first
// line that says by itself what the script shows, and cites a rule, a clause
// or a page of docs.
func TestScriptsOpenWithTheirStory(t *testing.T) {
	n := 0
	err := filepath.WalkDir(scripts, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		n++
		if filepath.Ext(path) != ".txt" {
			t.Errorf("%s: a script is called NAME.txt", path)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var head []string
		for line := range strings.Lines(string(b)) {
			if !strings.HasPrefix(line, "#") {
				break
			}
			head = append(head, strings.TrimSpace(strings.TrimPrefix(line, "#")))
		}
		text := strings.Join(head, " ")
		cites := slices.ContainsFunc(strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" (),;:", r) }), func(w string) bool {
			return strings.Count(w, "-") > 0 && known(w) || strings.HasPrefix(w, "docs/")
		}) || strings.Contains(text, "RFC")
		if len(text) < 30 || !cites || strings.HasPrefix(text, "The same") {
			t.Errorf("%s: the first lines must say by themselves what the script shows and cite its rule", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n < 80 {
		t.Errorf("%d scripts, at least 80 are wanted", n)
	}
}

// TestScriptsDocumented holds docs/scripts.md to the verbs that there are.
func TestScriptsDocumented(t *testing.T) {
	b, err := os.ReadFile("../../docs/scripts.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range script.Verbs() {
		if !strings.Contains(string(b), "\n| `"+v) {
			t.Errorf("docs/scripts.md does not explain %q", v)
		}
		if got := script.New().Do(v, ""); strings.Contains(got, "there is no verb") {
			t.Errorf("%q is listed and is no verb", v)
		}
	}
}

// TestScriptsMistakes shows that a mistake in a script is told, never a panic.
func TestScriptsMistakes(t *testing.T) {
	for _, line := range []string{
		"", "nonsense", "config server=:", "config nonsense=1", "config waive=(token-resp-json-strict)", "peer nonsense=1",
		"peer faults=(no-such-fault)", "challenge gen=T9", "challenge status=x", "answer", "answer store", "respond", "unreachable lost",
		"tick soon", "wake", "visit", "resume", "put nothing", "drop credential", "run until=Authorized", "config waive=(", "redirect =",
		"machine", "accept gen=T0", "redirect code=x", "config user=long", "pending", "state", "restart",
	} {
		s := script.New()
		if got := s.Do(line, "no header"); got == "" {
			t.Errorf("%q prints nothing", line)
		}
		if s.Machine().State != "" && s.Machine().State != states.Idle {
			t.Errorf("%q moved the machine to %s", line, s.Machine().State)
		}
	}
}

// known reports whether the word is a rule of the registry.
func known(w string) bool {
	_, ok := rules.Lookup(rules.ID(w))
	return ok
}
