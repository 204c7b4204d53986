package fsm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
)

// reserved are the parameters of an authorization request that are not a host's to set:
// the protocol's own, those that would put others in their place (RFC 9101), would have
// the answer come back another way, or hold a secret.
var reserved = []string{
	"response_type", "client_id", "redirect_uri", "code_challenge", "code_challenge_method", "state", "scope", "resource",
	"request", "request_uri", "response_mode", "nonce", "dpop_jkt", "iss",
	"client_secret", "client_assertion", "client_assertion_type", "code", "code_verifier", "access_token", "refresh_token",
}

const (
	maxParameters = 16
	maxParameter  = 1024
	maxPrefix     = 128
)

// checkParameters refuses what a host may not add to authorization requests.
func checkParameters(c *states.Config) error {
	bad := func(format string, args ...any) error { return &FieldError{"Parameters", fmt.Errorf(format, args...)} }
	if len(c.Parameters) > maxParameters {
		return bad("there are more than %d", maxParameters)
	}
	for i, p := range c.Parameters {
		switch {
		case p.Name == "" || strings.TrimLeft(p.Name, unreserved) != "":
			return bad("%q is no name of a parameter", p.Name)
		case slices.Contains(reserved, p.Name):
			return bad("%s is not to be set: a login sets it itself, or it would change what a login is safe by (%s)", p.Name, rules.AuthzReqParamOnce)
		case p.Name == "prompt" && slices.Contains(strings.Fields(p.Value), "none"):
			return bad("prompt=none asks for an answer without the user, who is what a login is for")
		case len(p.Value) > maxParameter || strings.ContainsFunc(p.Value, func(r rune) bool { return r < ' ' || r == 0x7f }):
			return bad("the value of %s is longer than %d bytes, or has control characters", p.Name, maxParameter)
		case slices.ContainsFunc(c.Parameters[:i], func(o states.Parameter) bool { return o.Name == p.Name }):
			return bad("%s is there twice (%s)", p.Name, rules.AuthzReqParamOnce)
		}
	}
	if len(c.StatePrefix) > maxPrefix || strings.TrimLeft(c.StatePrefix, unreserved+":") != "" {
		return &FieldError{"StatePrefix", fmt.Errorf("it has at most %d letters, digits and -._~: (%s)", maxPrefix, rules.AuthzReqState)}
	}
	return nil
}

// unreserved are the characters that need no escape (RFC 3986 §2.3).
const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
