package transitions

import (
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// adviceByRule says what to do about a broken rule.
var adviceByRule = map[rules.ID]string{
	rules.PRMResourceMatchWellknown:   "check the URL you gave: it must be the server's own address, often with a path such as /mcp; if the metadata is right, use that address",
	rules.PRMResourceMatchHeader:      "check the URL you gave: it must be the server's own address, often with a path such as /mcp; if the metadata is right, use that address",
	rules.PRMResourceCrossOrigin:      "do not continue: the metadata is for another server; tell the operator of the one that was asked",
	rules.PRMResourcePresent:          "tell the operator that the metadata must name its resource; if you trust the server, use the quirk prm-no-resource",
	rules.PRMResourceSyntax:           "tell the operator of the server; if you trust it, use the quirk resource-alias with its address and this resource",
	rules.PRMServed:                   "ask the operator to publish protected resource metadata (RFC 9728), or name the issuer yourself",
	rules.PRMASSelection:              "allow the issuer if you trust it",
	rules.ASMIssuerMatch:              "tell the operator that the two strings must be equal; if you trust both, use the quirk issuer-alias with them",
	rules.ASMPKCEAdvertised:           "the issuer does not say that it supports PKCE; if you know that it does, use the quirk assume-s256",
	rules.ASMPKCES256:                 "the issuer does not support S256; it cannot be used safely",
	rules.IssuerTrustFirstUse:         "log in again and accept the resource if you trust it",
	rules.ASMServed:                   "check that the issuer is up and publishes metadata (RFC 8414 or OpenID Connect Discovery)",
	rules.IssuerPreregMismatch:        "configure a client for the issuer that the server now names, or remove the configured client",
	rules.RegAskUser:                  "register a client with the issuer by hand and configure its client id",
	rules.RegBindBeforeRegister:       "free the port, or choose another redirect URI",
	rules.IssuerResponseCompare:       "try again; if it repeats, somebody may be mixing up authorization servers: tell the operator",
	rules.IssuerResponseRequired:      "the issuer promised an iss parameter and sent none: tell its operator",
	rules.AuthzRespDeniedKeeps:        "log in again and allow the access if you want it",
	rules.AuthzRespDeadline:           "log in again",
	rules.ChallengeFreshTokenLoop:     "the resource server and its issuer disagree about tokens: tell the operator",
	rules.StepupRetryLimit:            "the permission was not obtained before; log in again if you expect another answer",
	rules.StepupSameChallengeTerminal: "tell the operator: the token has the scope that the server asks for",
	rules.StoreVersioned:              "use the newer release that wrote it, or remove the entry",
	rules.StoreAAD:                    "the entry was kept as it is; check the store's key, or remove the entry and log in again",
	rules.IssuerUnboundQuarantine:     "bind the record to its issuer, or remove it and log in again",
	rules.NetTLSVerify:                "check the certificate; behind a corporate proxy, configure its CA",
	rules.NetIPPolicy:                 "if you trust this address, allow it with the option for private addresses",
	rules.ClientauthMTLSUnsupported:   "ask the issuer's operator for a public client, or for one with a secret (client_secret_basic or client_secret_post)",
	rules.AuthzRespClaimedOnce:        "log in again",
	rules.AuthzReqURLHostPolicy:       "if you trust this address, allow it with the option for private addresses",
	rules.HouseVisit:                  "log in by hand: print the link, open it, and paste the address where the browser ends",
	rules.NetBackoffBounded:           "try again; if this persists, look for another process that uses the same store and hangs",
	rules.RefreshAmbiguousOnce:        "log in again",
	rules.HouseCancel:                 "log in again when you want to",
}

// adviceByCode says what to do about an OAuth error.
var adviceByCode = map[wire.ErrorCode]string{
	wire.CodeInvalidTarget:        "the issuer does not accept the resource parameter; if it is known for that, use the quirk omit-resource",
	wire.CodeInvalidRequest:       "the issuer refused the request; the cause is often the resource parameter or the client authentication method",
	wire.CodeInvalidClient:        "check the client id, its secret and the authentication method",
	wire.CodeUnauthorizedClient:   "the client may not use this grant; ask the operator",
	wire.CodeInvalidScope:         "ask for fewer scopes",
	wire.CodeAccessDenied:         "log in again and allow the access if you want it",
	wire.CodeInvalidGrant:         "log in again",
	wire.CodeUnsupportedGrantType: "log in again when the token has expired; the issuer does not refresh",
}

func advise(f *states.Fault) string {
	if f.Event == RefreshDenied || f.Event == ClientUnknown || f.Event == RefreshGivenUp {
		return "log in again"
	}
	if f.Event == AnswerLostAgain || f.Event == RefreshPutOff {
		return "try again in a moment; if this persists, log in again"
	}
	if f.Problem.Plain {
		return "tell the operator: the server names itself by http, though it was asked by https; behind a proxy it must read X-Forwarded-Proto"
	}
	if f.Problem.Rule == rules.RegReregisterOnce {
		return "the issuer refuses the client that it has registered itself: tell its operator, or register with another authentication method"
	}
	if o := f.Problem.OAuth; o != nil {
		if a := adviceByCode[o.Code]; a != "" {
			return a
		}
	}
	if a := adviceByRule[f.Problem.Rule]; a != "" {
		return a
	}
	switch f.Party {
	case states.PartyHost:
		if f.Transient {
			return "try again"
		}
	case states.PartyNetwork:
		return "try again later"
	case states.PartyStore:
		return "check the credential store"
	case states.PartyPeer:
		if f.Transient {
			return "try again later; if this persists, tell the operator of the server"
		}
		return "tell the operator of the server"
	default: // the others need nothing here
	}
	return ""
}
