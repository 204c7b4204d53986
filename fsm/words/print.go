// Package words prints effects for people. Scripts show the whole text, traces only the
// first line of each.
//
//	p := words.Printer{Start: start}
//	fmt.Println(p.Effect(start, effect))
//
// # Guarantees
//
//   - The same effect gives the same text.
//
// It does not hide secrets: it prints them as they are.
//
// # Who should not use it
//
// Anybody who prints effects of a real run: replace the secrets first, as package
// trace does, or in the text, as package script does. fmt prints an effect without
// its secrets.
package words

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stile-oauth/stile/states"
)

// Printer writes effects for people. The zero value is ready to use.
type Printer struct {
	// Start is the day whose times are shown without a date. If it is zero, every time
	// is shown with its date.
	Start time.Time
	// Token names the generation of a token; nil prints its number.
	Token func(states.Generation) string
}

func (p Printer) generation(g states.Generation) string {
	if p.Token == nil {
		return strconv.FormatUint(uint64(g), 10)
	}
	return p.Token(g)
}

// Clock shows a time.
func (p Printer) Clock(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	t = t.UTC()
	if p.Start.IsZero() {
		return t.Format(time.RFC3339Nano)
	}
	day := ""
	if d := t.Truncate(24*time.Hour).Sub(p.Start.Truncate(24*time.Hour)) / (24 * time.Hour); d != 0 {
		day = fmt.Sprintf("day%+d ", d)
	}
	return day + strings.TrimSuffix(t.Format("15:04:05.000"), ".000")
}

// Effect writes one effect. Its details are on further lines. at is when the effect was
// asked for.
func (p Printer) Effect(at time.Time, e states.Effect) string {
	switch e := e.(type) {
	case states.Send:
		return p.send(at, e)
	case states.Sign:
		s := fmt.Sprintf("Sign with the key %s", e.Key)
		if !e.NotBefore.IsZero() {
			s += fmt.Sprintf(", %s from now", e.NotBefore.Sub(at))
		}
		return s + "\n  " + e.Header + "\n  " + e.Claims
	case states.Assert:
		s := "Assert the workload to " + strings.Join(e.Audiences, " or ")
		if e.Provider != "" {
			s = "Assert the user of " + e.Provider + " to " + strings.Join(e.Audiences, " or ")
			if e.Refused {
				s += ", by another ID token"
			}
			if !e.User {
				s += ", without a user"
			}
		}
		if !e.NotBefore.IsZero() {
			s += fmt.Sprintf(", %s from now", e.NotBefore.Sub(at))
		}
		return s
	case states.Show:
		return fmt.Sprintf("Show %s with the code %s, until %s", e.URL, e.UserCode.Reveal(), p.Clock(e.Deadline))
	case states.Visit:
		return p.visit(e)
	case states.Load:
		return fmt.Sprintf("Load %s", p.Key(e.Key))
	case states.Lease:
		return fmt.Sprintf("Lease %s for %s", p.Key(e.Key), e.TTL)
	case states.Release:
		return fmt.Sprintf("Release %s, fence %d", p.Key(e.Key), e.Fence)
	case states.Save:
		s := fmt.Sprintf("Save %s over %d", p.Key(e.Key), e.Expected)
		if !e.NotBefore.IsZero() {
			s += ", not before " + p.Clock(e.NotBefore)
		}
		if !e.Expires.IsZero() {
			s += ", until " + p.Clock(e.Expires)
		}
		if v := p.Value(e.Key.Kind, e.Value); v != "" {
			s += "\n  " + v
		}
		return s
	case states.Delete:
		return fmt.Sprintf("Delete %s if %d", p.Key(e.Key), e.Expected)
	case states.Claim:
		return fmt.Sprintf("Claim %s if %d", p.Key(e.Key), e.Expected)
	case states.Ask:
		return p.ask(e)
	case states.Wake:
		return "Wake at " + p.Clock(e.At)
	case states.Grant:
		return p.grant(e)
	case states.Report:
		return p.report(e.Fault)
	case states.Note:
		return "Note " + string(e.Finding.Rule) + ": " + e.Finding.Detail
	}
	return fmt.Sprintf("%T", e)
}

// Key names an entry of a store.
func (p Printer) Key(k states.Key) string {
	s := string(k.Kind)
	if k.Kind == states.KindLogin || k.Kind == states.KindRegistration {
		s += " of " + k.Name
	}
	for _, part := range []struct{ name, value string }{{"tenant", k.Tenant}, {"subject", k.Subject}, {"account", k.Account}} {
		if part.value != "" {
			s += ", " + part.name + " " + part.value
		}
	}
	return s
}

func (p Printer) send(at time.Time, e states.Send) string {
	var b strings.Builder
	b.WriteString("Send " + e.Request.Method + " " + e.Request.URL)
	if e.Once {
		b.WriteString(" once")
	}
	if !e.NotBefore.IsZero() {
		fmt.Fprintf(&b, ", %s from now", e.NotBefore.Sub(at))
	}
	if !e.NotAfter.IsZero() {
		b.WriteString(", not after " + p.Clock(e.NotAfter))
	}
	for _, h := range e.Request.Header {
		switch {
		case h.Name == "Authorization":
			b.WriteString("\n  Authorization: " + authorization(h.Value))
		case h.Name == "Accept", h.Name == "Content-Type":
		default:
			b.WriteString("\n  " + h.Name + ": " + h.Value)
		}
	}
	for _, f := range e.Request.Form {
		b.WriteString("\n  " + f.Name + "=" + f.Value)
	}
	if len(e.Request.Body) > 0 {
		b.WriteString("\n  " + string(e.Request.Body))
	}
	return b.String()
}

// authorization decodes Basic credentials, so that the placeholders match.
func authorization(v string) string {
	if raw, ok := strings.CutPrefix(v, "Basic "); ok {
		if plain, err := base64.StdEncoding.DecodeString(raw); err == nil {
			return "Basic of " + string(plain)
		}
	}
	return v
}

func (p Printer) visit(e states.Visit) string {
	endpoint, query, _ := strings.Cut(e.URL.Reveal(), "?")
	var b strings.Builder
	b.WriteString("Visit " + endpoint + ", until " + p.Clock(e.Deadline))
	for part := range strings.SplitSeq(query, "&") {
		if plain, err := url.QueryUnescape(part); err == nil {
			part = plain
		}
		b.WriteString("\n  " + part)
	}
	return b.String()
}

func (p Printer) ask(e states.Ask) string {
	s := "Ask " + string(e.Question)
	if e.Subject != "" {
		s += " about " + e.Subject
	}
	if len(e.Options) > 0 {
		s += ": " + strings.Join(e.Options, " or ")
	}
	if e.Default != "" {
		s += "; else " + e.Default
	}
	return s + ", until " + p.Clock(e.Deadline)
}

func (p Printer) grant(e states.Grant) string {
	s := fmt.Sprintf("Grant %s %s %s", p.generation(e.Generation), e.Type, e.AccessToken.Reveal())
	if len(e.Scopes) > 0 {
		s += " for " + strings.Join(e.Scopes, " ")
	}
	s += ", expires " + p.Clock(e.Expires) + ", renew " + p.Clock(e.Renew)
	if e.Accepted {
		s += ", accepted"
	}
	if e.Thumbprint != "" {
		s += ", bound to a key"
	}
	return s
}

func (p Printer) report(f states.Fault) string {
	s := "Report " + string(f.Event) + ", " + f.Party.Blame() + " " + string(f.Party)
	if f.Transient {
		s += ", transient"
	}
	return s + "\n  " + f.Error()
}
