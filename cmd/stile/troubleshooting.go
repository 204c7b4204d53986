package main

import (
	"errors"
	"slices"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/storage"
)

// troubleshooting is the page that explains what the command prints.
const troubleshooting = "https://github.com/stile-oauth/stile/blob/main/docs/troubleshooting.md"

// rulesExplained are the rules that have an entry of their own on that page.
var rulesExplained = []rules.ID{
	rules.HouseUnreachable, rules.NetTLSVerify, rules.NetIPPolicy, rules.NetRedirectPost, rules.URLHTTPS, rules.ChallengeRedirectNotAuth,
	rules.PRMServed, rules.PRMResourceMatchWellknown, rules.PRMResourceMatchHeader, rules.PRMResourcePresent, rules.PRMResourceSyntax,
	rules.PRMResourceCrossOrigin, rules.PRMASSelection, rules.IssuerTrustFirstUse, rules.ASMServed, rules.ASMIssuerMatch,
	rules.ASMPKCEAdvertised, rules.ASMPKCES256, rules.ASM5xxNotAbsent,
	rules.RegAskUser, rules.DCRInitialAccessToken, rules.IssuerPreregMismatch, rules.RegBindBeforeRegister, rules.ClientauthMTLSUnsupported,
	rules.RegReregisterOnce,
	rules.HouseVisit, rules.AuthzRespDeadline, rules.AuthzRespDeniedKeeps, rules.AuthzRespClaimedOnce, rules.IssuerResponseCompare,
	rules.IssuerResponseRequired, rules.AuthzReqURLHostPolicy,
	rules.RefreshAmbiguousOnce,
	rules.ChallengeFreshTokenLoop, rules.StepupRetryLimit, rules.StepupSameChallengeTerminal, rules.BearerBoundResource,
	rules.NetBackoffBounded, rules.HouseCancel,
	rules.StoreAAD, rules.StoreVersioned, rules.IssuerUnboundQuarantine, rules.StoreLeaseTristate,
}

// codesExplained are the error codes of an issuer that have an entry, or whose rule has
// an entry.
var codesExplained = map[wire.ErrorCode]string{
	wire.CodeInvalidTarget: "invalid-target", wire.CodeInvalidScope: "invalid-scope", wire.CodeInvalidRequest: "invalid-request",
	wire.CodeInvalidGrant: "invalid-grant", wire.CodeUnauthorizedClient: "unauthorized-client",
	wire.CodeUnsupportedGrantType: "unsupported-grant-type", wire.CodeInvalidClient: "invalid-client",
	wire.CodeAccessDenied: string(rules.AuthzRespDeniedKeeps),
}

// statusExplained are the entries for all other errors, by the exit status.
var statusExplained = map[int]string{
	exitFailed: "exit-1", exitUsage: "exit-2", exitLogin: "exit-3", exitPeer: "exit-4", exitNetwork: "exit-5", exitStore: "exit-6",
}

// entryAt is the address of an entry of the page.
func entryAt(name string) string { return troubleshooting + "#" + name }

// see gives the address of the entry that explains an error, which s describes. It is
// the entry that the error itself names, or that of the issuer's error code, of the
// broken rule or of the exit status.
func see(s errorView, err error) string {
	var (
		own  *failure
		code wire.ErrorCode

		unreadable *storage.UnreadableError
	)
	if f, ok := fsm.FaultOf(err); ok && f.Problem.OAuth != nil {
		code = f.Problem.OAuth.Code
	}
	at := statusExplained[s.Exit]
	switch {
	case errors.As(err, &own) && own.see != "":
		at = own.see
	case newerFormat(err), errors.Is(err, states.ErrRecordVersion):
		at = string(rules.StoreVersioned)
	case errors.Is(err, states.ErrRecordUnbound):
		at = string(rules.IssuerUnboundQuarantine)
	case errors.As(err, &unreadable), errors.Is(err, states.ErrRecordUnreadable):
		at = string(rules.StoreAAD)
	case codesExplained[code] != "" && s.Rule != string(rules.RegReregisterOnce):
		at = codesExplained[code]
	case slices.Contains(rulesExplained, rules.ID(s.Rule)):
		at = s.Rule
	case s.Message == interrupted:
		at = string(rules.HouseCancel)
	}
	return entryAt(at)
}
