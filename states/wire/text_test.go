package wire

import (
	"strings"
	"testing"
)

// Rules: authz-resp-error-escaped.
func TestClean(t *testing.T) {
	for _, tc := range []struct {
		in   string
		max  int
		want string
	}{
		{"plain text", 20, "plain text"},
		{"plain text", 8, "plain…"},
		{"\x1b[31mred\x1b[0m", 40, "�[31mred�[0m"},
		{"a\u202egnp.exe", 40, "a�gnp.exe"},
		{"a\u2028b\u00a0c\r\nd", 40, "a�b�c��d"},
		{"bad \xff\xfe", 40, "bad ��"},
		{"größer", 40, "größer"},
		{"größer", 6, "gr…"},
		{"\u200b\u2066hidden\u2069", 40, "��hidden�"},
		{"ab", 1, ""},
		{"abcd", 3, "…"},
		{"", 0, ""},
	} {
		if got := Clean(tc.in, tc.max); got != tc.want {
			t.Errorf("Clean(%q, %d) = %q, want %q", tc.in, tc.max, got, tc.want)
		}
	}
	if got := Clean(strings.Repeat("\x00", 1000), 100); len(got) > 100 {
		t.Errorf("%d bytes, more than asked for", len(got))
	}
}
