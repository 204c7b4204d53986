package guard

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/stile-oauth/stile/states/rules"
	"github.com/stile-oauth/stile/states/wire"
)

// The classes of an Error. They are the rows of docs/decision-tables.md#t8a.
const (
	// ClassBlocked: the guard's own policy refused; nothing was sent by the
	// refused hop.
	ClassBlocked = "blocked"
	// ClassTLS: the peer could not prove who it is (net-tls-verify).
	ClassTLS = "tls"
	// ClassUnsent: certainly nothing was sent (name not found, refused, no route).
	ClassUnsent = "unsent"
	// ClassLost: the request may have been carried out and its answer is gone.
	ClassLost = "lost"
	// ClassTimeout: a deadline passed; Sent says on which side of the request.
	ClassTimeout = "timeout"
	// ClassCancelled: the caller's context ended; Sent as with ClassTimeout.
	ClassCancelled = "cancelled"
	// ClassLate: Call.Late forbade it at the last moment; nothing was sent.
	ClassLate = "late"
)

// Error is why there is no answer. It is the network's or the policy's
// fault, never a judgement about what a peer said.
type Error struct {
	Class string
	// Sent says that a complete request head may have left this machine. A
	// request that is not idempotent must not be repeated then (docs/decision-tables.md#t8a).
	Sent bool
	// Rule is the id in docs/rules.md of a policy refusal, a TLS failure or a
	// deadline; empty for plain network trouble.
	Rule rules.ID
	// Detail is one line for people: no body, no header, no query, no secret.
	Detail string
	// Err is the first cause, for errors.Is and errors.As. Its own text may
	// quote a peer and is not for display.
	Err error
}

// Error shows class, rule and detail, and never the text of Err.
func (f *Error) Error() string {
	var b strings.Builder
	b.WriteString(f.Class)
	if f.Rule != "" {
		b.WriteString(" (" + string(f.Rule) + ")")
	}
	if f.Detail != "" {
		b.WriteString(": " + f.Detail)
	}
	return b.String()
}

// Unwrap gives the first cause.
func (f *Error) Unwrap() error { return f.Err }

func blocked(rule rules.ID, detail string) *Error {
	return &Error{Class: ClassBlocked, Rule: rule, Detail: detail}
}

// classify turns an error of the transport into an Error. The texts are our
// own: those of net/http may quote what the peer wrote (net-no-error-leak).
func classify(ctx context.Context, err error, host string, p *progress) *Error {
	sent, tlsFailed := p.state()
	f := &Error{Sent: sent, Err: err}
	var (
		own  *Error
		dns  *net.DNSError
		nerr net.Error
	)
	switch {
	case errors.As(err, &own):
		out := *own
		out.Sent = sent && own.Class != ClassLate
		if out.Err == nil {
			out.Err = err
		}
		return &out
	case errors.Is(context.Cause(ctx), errDeadline) || errors.Is(err, context.DeadlineExceeded):
		f.Class, f.Rule = ClassTimeout, rules.NetTimeout
		f.Detail = host + " did not answer within the time allowed"
		if !sent {
			f.Detail = "no connection to " + host + " within the time allowed"
		}
	case ctx.Err() != nil:
		f.Class, f.Detail = ClassCancelled, "the caller gave up waiting for "+host
	case errors.As(err, &dns):
		f.Class, f.Detail = ClassUnsent, "the name "+dns.Name+" could not be resolved"
		if dns.IsNotFound {
			f.Detail = "the name " + dns.Name + " does not exist"
		}
	case isTLS(err) || tlsFailed && !isReset(err) && !isTimeout(err):
		f.Class, f.Rule, f.Detail = ClassTLS, rules.NetTLSVerify, host+": "+tlsReason(err)
	case isHeaderLimit(err):
		f.Class, f.Rule = ClassLost, rules.NetSizeLimit
		f.Detail = fmt.Sprintf("the answer of %s has more than %d KiB of header", host, maxHeader>>10)
	case errors.As(err, &nerr) && nerr.Timeout():
		f.Class, f.Rule, f.Detail = ClassTimeout, rules.NetTimeout, host+" did not answer within the time allowed"
	case !sent:
		f.Class, f.Detail = ClassUnsent, "no connection to "+host+": "+netReason(err)
	default:
		f.Class, f.Detail = ClassLost, "the answer of "+host+" was lost: "+netReason(err)
	}
	f.Detail = wire.Clean(f.Detail, 400)
	return f
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

func isTLS(err error) bool {
	var (
		verify *tls.CertificateVerificationError
		record tls.RecordHeaderError
		alert  tls.AlertError
		roots  x509.SystemRootsError
	)
	return errors.As(err, &verify) || errors.As(err, &record) || errors.As(err, &alert) ||
		errors.As(err, &roots) || errors.Is(err, http.ErrSchemeMismatch)
}

func tlsReason(err error) string {
	var (
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &unknown):
		return "the certificate is signed by an authority that is not trusted here"
	case errors.As(err, &name):
		return "the certificate is for another name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the certificate has expired or is not yet valid"
	case errors.Is(err, http.ErrSchemeMismatch):
		return "plain HTTP is spoken on the HTTPS port"
	}
	return "no TLS connection of version 1.2 or later could be agreed on and verified"
}

func netReason(err error) string {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "no route"
	case isReset(err):
		return "the connection was closed"
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return "the connection could not be made"
	}
	return "the connection failed or the answer was not valid HTTP"
}

// isHeaderLimit recognises the transport's refusal of a long header; net/http
// exports no value for it, and says it differently for HTTP/1 and HTTP/2.
func isHeaderLimit(err error) bool {
	s := err.Error()
	return strings.Contains(s, "server response headers exceeded") ||
		strings.Contains(s, "response header list larger than advertised limit")
}
