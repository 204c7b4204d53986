package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/httpdriver/loopback"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// This file translates what the packages below say about their fields and options
// into the words of the command line: arguments and flags.

// flagOf names the flag, or the argument, that fills a field of httpdriver.Policy.
var flagOf = map[string]string{
	"Server": "URL", "Revision": "--revision", "Redirects": "--redirect-uri", "CIMD": "--client-metadata",
	"Client": "--client-id", "Issuer": "--issuer", "InitialToken": "--initial-token-file", "Quirks": "--quirk", "Parameters": "--authorize-param",
	"AuthMethod": "--auth-method", "Grants": "--grants", "Key": "--client-key-file", "Provider": "--idp", "Grant": "--grant",
}

// adviceOnRules and adviceOnCodes add to the advice of the machine the flag or the
// command that follows it. URL stands for the address of the server.
var (
	adviceOnRules = map[rules.ID]string{
		rules.PRMServed:                 "--issuer ISSUER",
		rules.PRMResourcePresent:        "--quirk prm-no-resource",
		rules.RegReregisterOnce:         "--auth-method METHOD",
		rules.PRMResourceSyntax:         "--quirk resource-alias=ADDRESS,RESOURCE",
		rules.ASMIssuerMatch:            "--quirk issuer-alias=ONE,OTHER",
		rules.ASMPKCEAdvertised:         "--quirk assume-s256",
		rules.IssuerPreregMismatch:      "--client-id ID --issuer ISSUER",
		rules.RegAskUser:                "--client-id ID --issuer ISSUER",
		rules.RegBindBeforeRegister:     "--redirect-uri URI",
		rules.AuthzRespDeadline:         "--timeout gives you longer",
		rules.StepupRetryLimit:          "stile login URL --again",
		rules.RefreshAmbiguousOnce:      "stile login URL --again",
		rules.StoreVersioned:            "stile store purge URL",
		rules.StoreAAD:                  "stile store purge URL",
		rules.NetTLSVerify:              "--ca-bundle FILE",
		rules.NetIPPolicy:               "--allow-private HOST",
		rules.AuthzReqURLHostPolicy:     "--allow-private HOST",
		rules.HouseVisit:                "--no-browser",
		rules.PRMResourceMatchWellknown: "stile login URL",
		rules.PRMResourceMatchHeader:    "stile login URL",
	}
	adviceOnCodes = map[wire.ErrorCode]string{
		wire.CodeInvalidTarget: "--quirk omit-resource",
		wire.CodeInvalidClient: "--client-id, --client-secret-file",
		wire.CodeInvalidScope:  "stile login URL --only-scopes --scope SCOPE",
		wire.CodeInvalidGrant:  "stile login URL --again",

		wire.CodeInvalidClientMetadata: "--auth-method, --grants, --client-name",
	}
)

// inFlags is the advice on a fault with the flag or the command that follows it.
func inFlags(f states.Fault) string {
	more := adviceOnRules[f.Problem.Rule]
	if o := f.Problem.OAuth; o != nil && adviceOnCodes[o.Code] != "" && f.Problem.Rule != rules.RegReregisterOnce {
		more = adviceOnCodes[o.Code]
	}
	if states.RenewsIn(f.State) && (f.Party == states.PartyPeer && !f.Transient || strings.Contains(f.Advice, "log in again")) {
		more = "stile login URL --again" // a login helps, whatever the issuer called the error
	}
	if more == "" || f.Advice == "" || f.Problem.Plain {
		return f.Advice
	}
	return f.Advice + " (" + more + ")"
}

// prefixes matches what packages put before their errors.
var prefixes = regexp.MustCompile(`(^|: )(?:(?:httpdriver|loopback|guard|devas|peer|bearer|open|storage|filestore|keyringstore|sqlitestore|pgstore|redisstore|sealed|keys|workload): )+`)

// inWords is the text of an error for a user who typed a command.
func inWords(err error) string {
	var (
		field *fsm.FieldError
		port  *loopback.PortError
	)
	switch {
	case errors.As(err, &field):
		name := flagOf[field.Field]
		if name == "" {
			name = field.Field
		}
		return name + ": " + field.Err.Error()
	case errors.As(err, &port):
		return fmt.Sprintf("--redirect-uri: port %d cannot be bound on %s: another program uses it, or it is not permitted (port 0 takes any free one)", port.Port, port.Addr)
	case errors.Is(err, httpdriver.ErrNotReplayable):
		return "the request needs authorization, and is too long to be sent a second time"
	}
	return prefixes.ReplaceAllString(err.Error(), "$1")
}
