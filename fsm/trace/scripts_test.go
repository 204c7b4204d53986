package trace_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/script"
	"github.com/stile-oauth/stile/fsm/trace"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// TestScriptsRecorded records every story of testdata/scripts. Whatever happens to a machine, a
// trace of it replays to the same bytes, asks for the same as the machine did, and holds none of
// the secrets that the machine held. A story with several machines, or one that restarts its
// machine, is recorded in several traces, most of which begin in the middle.
func TestScriptsRecorded(t *testing.T) {
	stories := 0
	err := filepath.WalkDir("../../testdata/scripts", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		stories++
		told := &telling{t: t, name: path, secrets: map[string]bool{}}
		s := script.New()
		s.Observe = told.hear
		for paragraph := range strings.SplitSeq(string(b), "\n\n") {
			if command, block, ok := said(paragraph); ok {
				s.Do(command, block)
			}
		}
		told.end()
		return nil
	})
	if err != nil || stories < 100 {
		t.Errorf("%d stories, %v", stories, err)
	}
}

// said is the command of a paragraph of a script, and its block.
func said(paragraph string) (command, block string, ok bool) {
	var lines []string
	for line := range strings.SplitSeq(paragraph, "\n") {
		if line == "----" {
			break
		}
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	command, block, _ = strings.Cut(strings.Join(lines, "\n"), "\n")
	return command, block, strings.TrimSpace(command) != ""
}

// telling is a story under way, with a recorder beside the machine that is moved.
type telling struct {
	t       *testing.T
	name    string
	rec     *trace.Recorder
	file    bytes.Buffer
	last    fsm.Machine // as the last step left it
	asked   []string    // what each step asked for
	secrets map[string]bool
}

func (o *telling) hear(p script.Step) {
	if p.Err != nil || p.Before.Data.Config == nil {
		return
	}
	if o.rec == nil || !reflect.DeepEqual(o.last, p.Before) {
		o.end()
		rec, err := trace.NewRecorder(p.Before, trace.Options{})
		if err != nil {
			o.t.Fatalf("%s: %v", o.name, err)
		}
		o.rec = rec
		o.file.Write(rec.Header())
		o.collect(reflect.ValueOf(p.Before.Data))
	}
	o.collect(reflect.ValueOf(p.Result.Machine.Data))
	o.file.Write(o.rec.Step(p.At, p.In, p.Result))
	o.last, o.asked = p.Result.Machine, append(o.asked, asks(p.Result.Event, p.Result.Effects))
}

// collect remembers the secrets in the facts of a machine that are long enough to be searched for.
// A callback is no secret as a whole.
func (o *telling) collect(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			o.collect(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			o.collect(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Name != "Callback" {
				o.collect(v.Field(i))
			}
		}
	case reflect.String:
		if s := v.String(); v.Type() == reflect.TypeFor[wire.Secret]() && len(s) >= 20 {
			o.secrets[s] = true
		}
	default: // the others hold no text
	}
}

// end holds the trace against what the machine did.
func (o *telling) end() {
	if o.rec == nil {
		return
	}
	file, asked := bytes.Clone(o.file.Bytes()), o.asked
	o.rec, o.asked = nil, nil
	o.file.Reset()
	tr, err := trace.Parse(file)
	if err != nil {
		o.t.Errorf("%s: %v", o.name, err)
		return
	}
	if d, err := trace.Replay(tr); err != nil || !d.Same() || tr.Ended != "" {
		o.t.Errorf("%s: %v %v %s %s", o.name, err, d, tr.Ended, tr.EndedDetail)
		return
	}
	for i, s := range tr.Steps {
		if got := asks(s.Event, s.Effects); got != asked[i] {
			o.t.Errorf("%s: step %d of a trace asks for\n%s\nthe machine asked for\n%s", o.name, s.N, got, asked[i])
		}
	}
	for s := range o.secrets {
		if bytes.Contains(file, []byte(s)) {
			o.t.Errorf("%s: a trace holds the secret %q", o.name, s)
		}
	}
}

// asks is what a step asks for, as far as no secret has a part in it.
func asks(event any, effects []states.Effect) string {
	var b strings.Builder
	fmt.Fprintln(&b, event)
	for _, e := range effects {
		switch e := e.(type) {
		case states.Send:
			base, _, _ := strings.Cut(e.Request.URL, "?")
			if e.Request.Method == "DELETE" {
				base = wire.Origin(base) // the address of a registration may hold a secret
			}
			fmt.Fprintf(&b, "send %d %s %s once %v to %v\n", e.Serial, e.Request.Method, base, e.Once, e.NotAfter)
			for _, fs := range []wire.Fields{e.Request.Header, e.Request.Form} {
				for _, f := range fs {
					fmt.Fprint(&b, " ", f.Name)
				}
			}
		case states.Visit:
			fmt.Fprintln(&b, "visit", e.Serial, e.Issuer, e.RedirectURI, e.Deadline)
		case states.Show:
			fmt.Fprintln(&b, "show", e.URL, e.Issuer, e.Deadline)
		case states.Grant:
			fmt.Fprintln(&b, "grant", e.Type, e.Scopes, e.Expires, e.Accepted)
		case states.Ask:
			fmt.Fprintln(&b, "ask", e.Serial, e.Question, e.Options, e.Default)
		case states.Report:
			fmt.Fprintln(&b, "report", e.Fault.Party, e.Fault.State, e.Fault.Event, e.Fault.Problem.Rule, e.Fault.Transient)
		case states.Note: // notes stand in another place
		default:
			fmt.Fprintf(&b, "%T\n", e)
		}
	}
	return b.String()
}
