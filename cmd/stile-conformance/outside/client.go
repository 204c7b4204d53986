package main

import (
	"context"
	"encoding/json"
	"strings"
)

// job is what a client has to do; client.mjs reads it in this form.
type job struct {
	Server       string   `json:"server"`
	Steps        []string `json:"steps"` // tools to call, or "revoke"
	Refresh      bool     `json:"refresh"`
	Client       string   `json:"client,omitempty"`
	Document     string   `json:"document,omitempty"`
	CallbackPort int      `json:"callbackPort"`
	Revoke       string   `json:"revoke"`
	browser      browser
}

// outcome is the result of a job.
type outcome struct {
	Tools    []string
	Steps    []step   // the successful ones
	Requests []string // method, path, grant type if any, status
	Err      string   // the error that ended it early
	Noise    []string // other output
}

// step is one successful step, and what the tool answered.
type step struct {
	Name   string
	Output json.RawMessage
}

// registrations counts the clients that were registered.
func (o outcome) registrations() int {
	n := 0
	for _, r := range o.Requests {
		if strings.HasPrefix(r, "POST ") && (strings.HasSuffix(r, "/register 201") || strings.HasSuffix(r, "/reg 201")) {
			n++
		}
	}
	return n
}

// grants counts the token responses for a grant type.
func (o outcome) grants(kind string) int {
	n := 0
	for _, r := range o.Requests {
		if strings.HasSuffix(r, "/token "+kind+" 200") {
			n++
		}
	}
	return n
}

// client is a client that can do a job.
type client struct {
	name string
	// anew says that it registers again for every login.
	anew bool
	do   func(ctx context.Context, j job) outcome
}
