package main

import (
	"context"
	"encoding/json"
	"strings"
)

// job is what a client is to do; client.mjs reads it as it stands.
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

// outcome is what became of it.
type outcome struct {
	Tools    []string
	Steps    []step   // those that went well
	Requests []string // method, path, grant type if any, status
	Err      string   // what ended it early
	Noise    []string // what else was said
}

// step is one that went well, and what the tool answered.
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

// client does a job.
type client struct {
	name string
	// anew says that it registers once more for every login.
	anew bool
	do   func(ctx context.Context, j job) outcome
}
