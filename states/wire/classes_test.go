package wire

import (
	"testing"
	"time"
)

// net-retry-after
func TestRetryAfter(t *testing.T) {
	at := time.Date(1994, 11, 6, 8, 49, 0, 0, time.UTC)
	for _, tc := range []struct {
		in   string
		want time.Duration
		ok   bool
	}{
		{"7", 7 * time.Second, true},
		{" 0 ", 0, true},
		{"3600", time.Hour, true},
		{"999999", time.Hour, true},
		{"99999999999999999999999", time.Hour, true},
		{"Sun, 06 Nov 1994 08:49:37 GMT", 37 * time.Second, true},
		{"Sunday, 06-Nov-94 08:49:37 GMT", 37 * time.Second, true},
		{"Sun Nov  6 08:49:37 1994", 37 * time.Second, true},
		{"Sun, 06 Nov 1994 08:00:00 GMT", 0, true},
		{"Sun, 06 Nov 2094 08:00:00 GMT", time.Hour, true},
		{"-5", 0, false},
		{"1.5", 0, false},
		{"soon", 0, false},
		{"", 0, false},
	} {
		r := Response{Status: 429, Header: Fields{{Name: "retry-after", Value: tc.in}}}
		if got, ok := RetryAfter(r, at); got != tc.want || ok != tc.ok {
			t.Errorf("%q: %v %v, want %v %v", tc.in, got, ok, tc.want, tc.ok)
		}
	}
	if _, ok := RetryAfter(Response{Status: 429}, at); ok {
		t.Error("a time without a field")
	}
}
