package lines

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// FuzzValues: an input or an effect that was read is written, read again and written as
// the same bytes. The seeds come from the traces.
func FuzzValues(f *testing.F) {
	files, err := filepath.Glob("../../testdata/traces/*.ndjson")
	if err != nil || len(files) == 0 {
		f.Fatalf("no traces: %v", err)
	}
	seen := map[string]bool{}
	add := func(v jsontext.Value) {
		if len(v) > 0 && !seen[string(v)] {
			seen[string(v)] = true
			f.Add([]byte(v))
		}
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for line := range bytes.Lines(b) {
			var l struct {
				Input   jsontext.Value   `json:"input"`
				Effects []jsontext.Value `json:"effects"`
			}
			if err := json.Unmarshal(line, &l); err != nil {
				f.Fatal(err)
			}
			add(l.Input)
			for _, e := range l.Effects {
				add(e)
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, value := range []struct {
			kind  string
			again func([]byte) ([]byte, error)
		}{
			{"input", func(b []byte) ([]byte, error) {
				in, err := ReadInput(b)
				w := Writer{B: []byte{'{'}}
				if err == nil {
					w.Input(in)
					w.Shut()
				}
				return w.B, err
			}},
			{"effect", func(b []byte) ([]byte, error) {
				e, err := ReadEffect(b)
				w := Writer{B: []byte{'{'}}
				if err == nil {
					w.Effect(e)
					w.Shut()
				}
				return w.B, err
			}},
		} {
			first, err := value.again(b)
			if err != nil {
				if len(err.Error()) > 300 {
					t.Fatalf("%v", err)
				}
				continue
			}
			second, err := value.again(first)
			if err != nil || !bytes.Equal(first, second) {
				t.Fatalf("the %s %s is written as\n%s, that as\n%s (%v)", value.kind, b, first, second, err)
			}
		}
	})
}
