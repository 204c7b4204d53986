package wire

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseObjectStrict(t *testing.T) {
	deep := func(n int) string {
		return `{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`
	}
	for _, tc := range []struct {
		name, body, reason string // reason "" accepts
		notObject, empty   bool
	}{
		{name: "plain", body: ` {"a": 1, "b": [ {"c":null} ], "d":"x\"}"} ` + "\n"},
		{name: "empty object", body: `{}`},
		{name: "case variants are different names", body: `{"resource":"a","Resource":"b"}`},
		{name: "64 levels", body: deep(63)},
		{name: "65 levels", body: deep(64), reason: "deeper than 64"},
		{name: "hostile depth", body: deep(200000), reason: "not valid JSON"},
		{name: "duplicate", body: `{"resource":"a","resource":"b"}`, reason: "duplicate member name"},
		{name: "duplicate through an escape", body: `{"resource":"a","re\u0073ource":"b"}`, reason: "duplicate member name"},
		{name: "duplicate inside", body: `{"a":{"b":1,"b":2}}`, reason: "duplicate member name"},
		{name: "trailing object", body: `{"a":1}{"a":2}`, reason: "bytes after"},
		{name: "trailing NUL", body: "{\"a\":1}\x00", reason: "bytes after"},
		{name: "trailing comma", body: `{"a":1,}`, reason: "not valid JSON"},
		{name: "invalid UTF-8", body: "{\"a\":\"\xff\"}", reason: "not valid JSON"},
		{name: "lone surrogate", body: `{"a":"\ud800"}`, reason: "not valid JSON"},
		{name: "control character in a string", body: "{\"a\":\"\x01\"}", reason: "not valid JSON"},
		{name: "byte order mark", body: "\ufeff{}", reason: "not valid JSON"},
		{name: "comment", body: `{"a":1/**/}`, reason: "not valid JSON"},
		{name: "NaN", body: `{"a":NaN}`, reason: "not valid JSON"},
		{name: "cut short", body: `{"a":"secret-value`, reason: "not valid JSON"},
		{name: "array", body: `[{"a":1}]`, reason: "not an object", notObject: true},
		{name: "string", body: `"a"`, reason: "not an object", notObject: true},
		{name: "null", body: `null`, reason: "not an object", notObject: true},
		{name: "nothing", body: " \n", reason: "empty", empty: true},
		{name: "too long", body: `{"a":"` + strings.Repeat("x", MaxBody) + `"}`, reason: "longer than 1 MiB"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := ParseObject([]byte(tc.body))
			if tc.reason == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var je *JSONError
			if !errors.As(err, &je) || !strings.Contains(je.Error(), tc.reason) {
				t.Fatalf("error %v, want %q", err, tc.reason)
			}
			if je.NotObject != tc.notObject || je.Empty != tc.empty {
				t.Errorf("%+v", je)
			}
			if strings.Contains(err.Error(), "secret-value") { // log-error-echo
				t.Error("the error repeats a value of the document")
			}
		})
	}
}

func TestObjectAccess(t *testing.T) {
	o, err := ParseObject([]byte(`{"s":"a\u0041\n","n":null,"l":["x","\u0079",1,null,"z"],"e":[],"t":true,"f":false,"i":7,"o":{"k":"v"},"re\u017fource":"folded"}`))
	if err != nil {
		t.Fatal(err)
	}
	type str struct {
		S           string
		Present, OK bool
	}
	get := func(n string) str { s, p, ok := o.String(n); return str{s, p, ok} }
	for name, want := range map[string]str{"s": {"aA\n", true, true}, "n": {}, "i": {"", true, false}, "none": {}, "resource": {}, "S": {}} {
		if diff := cmp.Diff(want, get(name)); diff != "" {
			t.Errorf("String(%q): %s", name, diff)
		}
	}
	l, present, ok := o.Strings("l")
	if diff := cmp.Diff([]string{"x", "y", "z"}, l); diff != "" || !present || ok {
		t.Errorf("Strings(l) = %v %v %v", l, present, ok)
	}
	if e, present, ok := o.Strings("e"); e == nil || len(e) != 0 || !present || !ok {
		t.Errorf("Strings(e) = %v %v %v", e, present, ok)
	}
	if s, present, ok := o.Strings("s"); s != nil || !present || ok {
		t.Errorf("Strings(s) = %v %v %v", s, present, ok)
	}
	if b, present, ok := o.Bool("t"); !b || !present || !ok {
		t.Error("Bool(t)")
	}
	if b, present, ok := o.Bool("s"); b || !present || ok {
		t.Error("Bool(s)")
	}
	if in, present, ok := o.Object("o"); !present || !ok || len(in) != 1 || string(in[0].Raw) != `"v"` {
		t.Error("Object(o)")
	}
	if raw, ok := o.Raw("n"); !ok || string(raw) != "null" {
		t.Error("Raw(n)")
	}
	if got := fmt.Sprintf("%v %+v %#v %s", o, o, o, o); strings.Contains(got, "folded") {
		t.Errorf("printing an object shows its values: %s", got)
	}
}

// Interned names must decode to themselves.
func TestMemberNames(t *testing.T) {
	for _, doc := range []string{benchPRM, benchASM, benchREG, benchTOK} {
		o, err := ParseObject([]byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range o {
			if !strings.Contains(doc, `"`+m.Name+`"`) {
				t.Errorf("name %q is not in the document", m.Name)
			}
			if raw, ok := o.Raw(m.Name); !ok || string(raw) != string(m.Raw) {
				t.Errorf("name %q is not found again", m.Name)
			}
		}
	}
}
