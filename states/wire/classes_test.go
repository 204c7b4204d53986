package wire

import (
	"testing"
	"time"
)

func TestClassify(t *testing.T) {
	for _, tc := range []struct {
		status int
		body   string
		want   Class
	}{
		{200, `{"a":1}`, ClassOK},
		{201, `{}`, ClassOK},
		{200, `access_token=x&token_type=bearer`, ClassOK},
		{200, `{"error":"invalid_grant"}`, ClassOAuth},
		{200, `{"ok":false}`, ClassOAuth},
		{200, `error=invalid_grant`, ClassOAuth},
		{200, `{"error":null,"access_token":"x"}`, ClassOK},
		{200, `<html>`, ClassNotJSON},
		{200, ``, ClassNotJSON},
		{200, `[1]`, ClassNotJSON},
		{200, `"x"`, ClassNotJSON},
		{200, `{"a":1,"a":2}`, ClassMalformed},
		{200, `{"a":1`, ClassMalformed},
		{200, ` {"a":1}x`, ClassMalformed},
		{301, ``, ClassRedirect},
		{307, `{"error":"invalid_grant"}`, ClassRedirect},
		{400, `{"error":"invalid_grant"}`, ClassOAuth},
		{400, `<html>`, ClassOther4xx},
		{400, `{"message":"x"}`, ClassOther4xx},
		{401, ``, ClassDenied},
		{403, `blocked`, ClassDenied},
		{403, `{"error":"access_denied"}`, ClassOAuth},
		{404, ``, ClassGone},
		{405, ``, ClassGone},
		{410, ``, ClassGone},
		{404, `{"error":"invalid_client"}`, ClassOAuth},
		{422, `{"detail":[]}`, ClassOther4xx},
		{429, `{"error":"invalid_grant"}`, ClassThrottled},
		{500, `{"error":"invalid_grant"}`, ClassServer},
		{503, ``, ClassServer},
		{0, ``, ClassServer},
		{101, ``, ClassServer},
		{999, ``, ClassServer},
	} {
		if got := Classify(answer(tc.status, tc.body)); got != tc.want {
			t.Errorf("%d %s: %s, want %s", tc.status, tc.body, got, tc.want)
		}
	}
	if got := Classify(Response{Status: 200, Oversized: true}); got != ClassMalformed {
		t.Error(got)
	}
	if got := Classify(Response{Status: 401, Header: wwwAuthenticate(`Basic realm="x"`)}); got != ClassOAuth {
		t.Error(got)
	}
}

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
