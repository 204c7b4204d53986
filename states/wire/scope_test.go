package wire

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Rules: authz-req-scope-syntax.
func TestParseScope(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want []string
	}{
		{"", nil},
		{" ", nil},
		{"a b c", []string{"a", "b", "c"}},
		{"  b  a b ", []string{"b", "a"}},
		{"repo,user gist", []string{"repo,user", "gist"}}, // challenge-scope-charset: a comma separates nothing
		{"a\tb c", []string{"c"}},
		{`a"b c\d e`, []string{"e"}},
		{"grün a", []string{"a"}},
		{"!a~ b", []string{"!a~", "b"}},
		{"https://x/y.read", []string{"https://x/y.read"}},
	} {
		if diff := cmp.Diff(tc.want, ParseScope(tc.in)); diff != "" {
			t.Errorf("ParseScope(%q): %s", tc.in, diff)
		}
	}
}

func TestScopeSets(t *testing.T) {
	a, b := []string{"x", "y"}, []string{"y", "z", "z"}
	u := Union(a, b)
	if diff := cmp.Diff([]string{"x", "y", "z"}, u); diff != "" {
		t.Error(diff)
	}
	u[0] = "changed"
	if a[0] != "x" {
		t.Error("the union shares memory with its argument")
	}
	if Union(nil, nil) != nil {
		t.Error("an empty union is not nil")
	}
	if diff := cmp.Diff([]string{"z"}, Missing(a, b)); diff != "" {
		t.Error(diff)
	}
	if !Covers(a, nil) || Covers(nil, a) || !Covers([]string{"y", "x"}, a) {
		t.Error("Covers")
	}
	if !EqualScopes([]string{"y", "x", "x"}, a) || EqualScopes(a, b) || EqualScopes(a, a[:1]) || EqualScopes(a[:1], a) {
		t.Error("EqualScopes")
	}
	if JoinScope(ParseScope("b a")) != "b a" {
		t.Error("JoinScope")
	}
}

// Many scopes use a map; the result is the same as with few.
func TestManyScopes(t *testing.T) {
	var all []string
	for i := range 5000 {
		all = append(all, "s"+strconv.Itoa(i))
	}
	twice := strings.Join(all, " ") + " " + strings.Join(all, " ")
	if got := ParseScope(twice); !slices.Equal(got, all) {
		t.Fatalf("%d scopes, want %d", len(got), len(all))
	}
	if got := Union(all, all); !slices.Equal(got, all) {
		t.Fatalf("%d scopes in the union", len(got))
	}
	if got := Missing(all[:4000], all); !slices.Equal(got, all[4000:]) {
		t.Fatalf("%d scopes missing", len(got))
	}
}
