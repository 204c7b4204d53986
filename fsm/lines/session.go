package lines

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// Format and Version name the protocol; docs/engine-protocol.md describes it.
const (
	Format  = "stile-engine"
	Version = 1
)

// MaxLine is the maximum length of a line, in bytes without its end. A body of 1 MiB
// (states.MaxMetadata) fits, even if every character of it is escaped.
const MaxLine = 8 << 20

// The kinds of error: what the caller did wrong.
const (
	KindSize    = "size"    // the line is longer than MaxLine
	KindJSON    = "json"    // the line is not one strict JSON object
	KindMessage = "message" // it is JSON, but not a message of this protocol
	KindConfig  = "config"  // fsm.New, Restore or Resume refuses what was given
	KindIllegal = "illegal" // the state does not take such an input (fsm.ErrIllegal)
	KindStale   = "stale"   // it answers a question that is not open (fsm.ErrStale)
)

// Session is one machine that is driven by lines. It must be used by one goroutine
// only.
type Session struct {
	engine *fsm.Engine
	m      fsm.Machine
	begun  bool
	lines  uint64
	// Stepped, if set, is called after every step, for a recorder (package trace): with
	// the machine before the step, the arguments of StepResult, and its result.
	Stepped func(from fsm.Machine, at time.Time, in states.Input, r fsm.Result)
}

// NewSession begins a session that waits for its first line.
func NewSession() *Session { return &Session{engine: fsm.NewEngine()} }

// Begun reports whether a configuration, a snapshot or a login was accepted.
func (s *Session) Begun() bool { return s.begun }

// message is an incoming line. Exactly one of its members names what is wanted; time
// and generation accompany some of these members.
type message struct {
	Config   jsontext.Value `json:"config"`
	Snapshot jsontext.Value `json:"snapshot"`
	Login    jsontext.Value `json:"login"`
	Input    jsontext.Value `json:"input"`
	Command  string         `json:"command"`

	Time       *time.Time         `json:"time"`
	Generation *states.Generation `json:"generation"`
}

// refusal is an error with its kind. Its message holds no secret from the input.
type refusal struct{ kind, message string }

func (e *refusal) Error() string { return e.message }

func refuse(kind, format string, args ...any) *refusal {
	return &refusal{kind, fmt.Sprintf(format, args...)}
}

// Line takes a line, without its end, and gives the answer, with its end. The time is
// that of the caller's clock; it counts if the line names no time.
func (s *Session) Line(at time.Time, line []byte) []byte {
	s.lines++
	w := &Writer{B: append(make([]byte, 0, 1024), '{')}
	w.Num("line", s.lines)
	if bad := s.line(w, at, line); bad != nil {
		w.B = w.B[:0]
		w.B = append(w.B, '{')
		w.Num("line", s.lines)
		w.Open("error")
		w.Str("kind", bad.kind)
		w.Str("message", bad.message)
		w.Shut()
		w.Str("state", string(s.m.State))
	}
	return append(w.B, '}', '\n')
}

func (s *Session) line(w *Writer, at time.Time, line []byte) *refusal {
	msg, bad := parse(line)
	if bad != nil {
		return bad
	}
	first := msg.Config != nil || msg.Snapshot != nil || msg.Login != nil
	switch {
	case !s.begun && !first:
		return refuse(KindMessage, "the first line gives a config, a snapshot or a login")
	case s.begun && first:
		return refuse(KindMessage, "the machine has begun already; another one takes another process")
	case first:
		return s.begin(w, msg)
	case msg.Input != nil:
		return s.step(w, at, msg)
	}
	return s.command(w, msg.Command)
}

// parse reads a line strictly.
func parse(line []byte) (*message, *refusal) {
	if len(line) > MaxLine {
		return nil, refuse(KindSize, "the line is longer than %d bytes", MaxLine)
	}
	trimmed := bytes.Trim(line, " \t\r\n")
	if len(trimmed) == 0 {
		return nil, refuse(KindJSON, "the line is empty")
	}
	d := jsontext.NewDecoder(bytes.NewReader(trimmed))
	v, err := d.ReadValue()
	if err != nil {
		why := "it is not valid JSON"
		if errors.Is(err, jsontext.ErrDuplicateName) {
			why = "a member stands twice in an object"
		}
		if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
			why += fmt.Sprintf(" (byte %d)", e.ByteOffset)
		}
		return nil, refuse(KindJSON, "the line cannot be read: %s", why)
	}
	kind := v.Kind()
	if d.InputOffset() != int64(len(trimmed)) {
		return nil, refuse(KindJSON, "the line holds more than one JSON value")
	}
	if kind != '{' {
		return nil, refuse(KindJSON, "the line is JSON, but not an object")
	}
	var msg message
	if err := json.Unmarshal(trimmed, &msg, json.RejectUnknownMembers(true)); err != nil {
		return nil, refuse(KindMessage, "the message cannot be read%s", where(err))
	}
	return &msg, msg.check()
}

// check makes sure that the message has exactly one purpose.
func (m *message) check() *refusal {
	var named []string
	for _, p := range []struct {
		name  string
		given bool
	}{
		{"config", m.Config != nil}, {"snapshot", m.Snapshot != nil}, {"login", m.Login != nil},
		{"input", m.Input != nil}, {"command", m.Command != ""},
	} {
		if p.given {
			named = append(named, p.name)
		}
	}
	switch {
	case len(named) == 0:
		return refuse(KindMessage, "the message is not one of config, snapshot, login, input, command")
	case len(named) > 1:
		return refuse(KindMessage, "the message is several at once: %s", strings.Join(named, ", "))
	case m.Time != nil && m.Input == nil:
		return refuse(KindMessage, "time goes with an input only")
	case (m.Generation != nil) != (m.Login != nil):
		return refuse(KindMessage, "generation goes with a login, and a login with its generation")
	}
	return nil
}

// begin makes the machine.
func (s *Session) begin(w *Writer, msg *message) *refusal {
	var m fsm.Machine
	var err error
	switch {
	case msg.Config != nil:
		c, bad := readConfig(msg.Config)
		if bad != nil {
			return bad
		}
		m, err = fsm.New(c)
	case msg.Snapshot != nil:
		if m, err = fsm.Restore(wire.Secret(msg.Snapshot)); err != nil {
			err = errors.New("the snapshot is not one that this release can restore")
		}
	default:
		var l states.Login
		if l, err = states.DecodeLogin(wire.Secret(msg.Login), *msg.Generation); err == nil {
			m, err = fsm.Resume(l)
		}
	}
	if err != nil {
		return refuse(KindConfig, "%s", wire.Clean(err.Error(), 400))
	}
	s.m, s.begun = m, true
	w.Str("format", Format)
	w.Int("version", Version)
	w.Str("state", string(m.State))
	return nil
}

// derived are the members of a configuration that fsm.New works out itself.
var derived = []string{"resource", "loopback", "elided"}

func readConfig(raw jsontext.Value) (c states.Config, bad *refusal) {
	if raw.Kind() != '{' {
		return c, refuse(KindConfig, "the configuration is not an object")
	}
	if err := json.Unmarshal(raw, &c, reading, json.MatchCaseInsensitiveNames(false)); err != nil {
		return c, refuse(KindConfig, "the configuration cannot be read%s", where(err))
	}
	if c.Resource != (wire.URL{}) || c.Loopback || c.Elided != "" {
		return c, refuse(KindConfig, "the configuration gives one of %s, which are worked out from server and redirects", strings.Join(derived, ", "))
	}
	return c, nil
}

// step gives the machine an input.
func (s *Session) step(w *Writer, at time.Time, msg *message) *refusal {
	in, err := ReadInput(msg.Input)
	if err != nil {
		return refuse(KindMessage, "%s", err.Error())
	}
	if msg.Time != nil {
		at = *msg.Time
	}
	at = at.UTC()
	if at.IsZero() || at.Year() < 0 || at.Year() > 9999 {
		return refuse(KindMessage, "the time is not one")
	}
	r, err := s.engine.StepResult(s.m, at, in)
	if err != nil {
		kind := KindIllegal
		if errors.Is(err, fsm.ErrStale) {
			kind = KindStale
		}
		return refuse(kind, "%s; nothing has changed", wire.Clean(err.Error(), 400))
	}
	if s.Stepped != nil {
		s.Stepped(s.m, at, in, r)
	}
	s.m = r.Machine
	w.Time("time", at)
	w.Yes("clock", msg.Time == nil)
	w.Str("event", string(r.Event))
	w.Str("state", string(r.Machine.State))
	w.Yes("held", r.Held)
	w.effects(r.Effects)
	return nil
}

// command carries out a message that is not an input.
func (s *Session) command(w *Writer, name string) *refusal {
	switch name {
	case "pending":
		w.Str("state", string(s.m.State))
		w.effects(fsm.Pending(s.m))
	case "snapshot":
		v, err := s.m.Snapshot()
		if err != nil {
			return refuse(KindIllegal, "the machine cannot be written")
		}
		w.Str("state", string(s.m.State))
		w.Value("snapshot", v)
	default:
		return refuse(KindMessage, "there is no command %s; there are pending and snapshot", Quote(name))
	}
	return nil
}

// effects writes the list of effects, even if it is empty.
func (w *Writer) effects(list []states.Effect) {
	w.Name("effects")
	w.B = append(w.B, '[')
	for i, e := range list {
		if i > 0 {
			w.B = append(w.B, ',')
		}
		w.B = append(w.B, '{')
		w.Effect(e)
		w.Shut()
	}
	w.B = append(w.B, ']')
}
