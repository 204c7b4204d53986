// Package wire holds the messages of OAuth 2.1 (draft-ietf-oauth-v2-1) and of
// MCP authorization as plain values: functions that build requests, and functions
// that judge responses and cite the rules of package rules.
//
//	request := wire.GetMetadata("https://as.example/.well-known/oauth-authorization-server", "2026-07-28")
//	metadata, notes, problem := wire.ParseASM(response, wire.ASMPolicy{Issuer: "https://as.example"})
//	fmt.Println(problem.Rule, problem.Detail)
//
// Messages come in pairs, one for each exchange of a login:
//
//	GetMetadata          ParsePRM             RFC 9728, resource metadata
//	GetMetadata          ParseASM             RFC 8414, OpenID Connect Discovery
//	RegistrationRequest  ParseRegistration    RFC 7591
//	AuthorizationURL     ParseCallback        OAuth 2.1 §4.1, RFC 9207 (JudgeIss)
//	TokenRequest         ParseToken           OAuth 2.1 §3.2, §4.1.3
//	RefreshRequest       ParseToken           OAuth 2.1 §4.3
//	RevokeRequest        JudgeRevocation      RFC 7009
//	the MCP request      JudgeChallenge       RFC 9110 §11, RFC 6750 §3
//
// A builder returns a Request that somebody else carries out. A judge takes the
// Response and the current policy, and returns the message, the breaches that were
// tolerated ([]Finding), and the breach that was not tolerated (*Problem). With a
// Problem the message is empty. Classify and ParseOAuthError tell what kind of failure
// a refused answer is.
//
// # Guarantees
//
//   - It does no input or output, reads no clock and draws no random numbers: the same
//     arguments give the same result.
//   - Whatever bytes a peer sends, a judge returns in time proportional to their
//     length (bounded by MaxBody); it does not panic.
//   - JSON is read strictly: exact member names, no duplicates at any level, valid
//     UTF-8, nothing after the object.
//   - A Detail, an OAuthError and every other text of a peer that is meant to be
//     shown has been through Clean. No Detail holds a token, a code or a secret.
//   - A Field is marked Secret if its value opens something, and printing any value of
//     the package hides what is marked.
//   - Fields of a header have their usual spelling; fields of a form have a fixed order,
//     which the builder documents.
//
// # Who should not use it
//
// A client: the machine (package fsm) decides the order of the messages and what to do
// when one is refused. A program that reads single messages, such as a test or an
// audit, can use this package.
package wire
