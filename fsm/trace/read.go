package trace

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/lines"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
	"github.com/stile-oauth/stile/transitions"
)

// What can be wrong with a trace. Every error of this package wraps one of these and is
// one line.
var (
	ErrForeign   = errors.New("not a stile trace")
	ErrVersion   = errors.New("a trace of a version that this release cannot read")
	ErrTruncated = errors.New("the trace is truncated")
	ErrAltered   = errors.New("the trace was altered or damaged")
	ErrTooLarge  = errors.New("the trace is too large")

	errWithheld = errors.New("the configuration holds a secret where none belongs")
)

// Trace is a trace that was read.
type Trace struct {
	Header Header
	Steps  []Step
	// Ended says why recording ended before the run did: "diverged", "withheld" or
	// "full", with what is known about it. It is empty if recording did not end early.
	Ended, EndedDetail string
	// Converted says how the file was changed on its way without harm to its content:
	// "its line ends were changed to CRLF". It is empty if it was not changed.
	Converted []string
}

// Step is one record. Line holds its bytes as recorded, without the line end.
type Step struct {
	N       int
	Time    time.Time
	From    states.State
	Input   states.Input
	Event   transitions.Event
	To      states.State
	Held    bool
	Effects []states.Effect
	Notes   []wire.Finding
	Line    []byte
}

// Parse reads a whole trace.
func Parse(b []byte) (*Trace, error) {
	if len(b) > MaxTrace {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are read", ErrTooLarge, len(b), MaxTrace)
	}
	var r Reader
	for len(b) > 0 {
		line, rest, whole := bytes.Cut(b, newline)
		if !whole {
			if r.lines == 0 {
				if err := r.Line(line); errors.Is(err, ErrForeign) {
					return nil, err
				}
				return nil, fmt.Errorf("%w: line 1 has no end", ErrTruncated)
			}
			return nil, fmt.Errorf("%w: line %d has no end", ErrTruncated, r.lines+1)
		}
		if err := r.Line(line); err != nil {
			return nil, err
		}
		b = rest
	}
	return r.Trace()
}

var newline = []byte{'\n'}

// Reader reads a trace line by line, for files that should not be in memory twice, and
// for following a trace as it grows. The zero value is ready.
type Reader struct {
	trace Trace
	lines int
	bytes int
	err   error
}

// Line takes the next line, without its line end. An error is final.
func (r *Reader) Line(b []byte) error {
	if r.err == nil {
		r.err = r.line(b)
	}
	return r.err
}

// Trace gives what was read so far.
func (r *Reader) Trace() (*Trace, error) {
	switch {
	case r.err != nil:
		return nil, r.err
	case r.lines == 0:
		return nil, fmt.Errorf("%w: the file is empty", ErrForeign)
	}
	t := r.trace
	return &t, nil
}

func (r *Reader) line(b []byte) error {
	r.lines++
	r.bytes += len(b) + 1
	b = r.unconverted(b)
	switch {
	case len(b) > MaxLine:
		return fmt.Errorf("%w: line %d has %d bytes, at most %d are read", ErrTooLarge, r.lines, len(b), MaxLine)
	case r.bytes > MaxTrace+1:
		return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, MaxTrace)
	case r.lines > MaxSteps+1:
		return fmt.Errorf("%w: more than %d steps", ErrTooLarge, MaxSteps)
	case r.lines == 1:
		if utf16(b) {
			return fmt.Errorf("%w: the file is UTF-16, a trace is UTF-8", ErrForeign)
		}
		return r.readHeader(r.unmarked(b))
	case r.trace.Ended != "":
		return fmt.Errorf("%w: line %d comes after the mark that recording ended with", ErrAltered, r.lines)
	}
	return r.readStep(b)
}

// unconverted removes a carriage return that another program added to a line. A recorder
// writes none.
func (r *Reader) unconverted(b []byte) []byte {
	cut, found := bytes.CutSuffix(b, []byte{'\r'})
	if found {
		r.note(convertedCRLF)
	}
	return cut
}

// unmarked takes a byte order mark from the first line.
func (r *Reader) unmarked(b []byte) []byte {
	cut, found := bytes.CutPrefix(b, []byte("\ufeff"))
	if found {
		r.note(convertedBOM)
	}
	return cut
}

const (
	convertedCRLF = "its line ends were changed to CRLF"
	convertedBOM  = "a byte order mark was put before it"
)

func (r *Reader) note(what string) {
	if !slices.Contains(r.trace.Converted, what) {
		r.trace.Converted = append(r.trace.Converted, what)
	}
}

func utf16(b []byte) bool {
	return bytes.HasPrefix(b, []byte{0xFF, 0xFE}) || bytes.HasPrefix(b, []byte{0xFE, 0xFF})
}

func (r *Reader) readHeader(b []byte) error {
	var peek struct {
		Format  string         `json:"format"`
		Version int            `json:"version"`
		Rest    jsontext.Value `json:",embed"`
	}
	if err := json.Unmarshal(b, &peek); err != nil || peek.Format != Format {
		return fmt.Errorf("%w: the first line is not the header of one", ErrForeign)
	}
	if peek.Version != Version {
		return fmt.Errorf("%w: version %d, this release reads %d", ErrVersion, peek.Version, Version)
	}
	h := &r.trace.Header
	if err := json.Unmarshal(bytes.Clone(b), h, json.RejectUnknownMembers(true)); err != nil {
		return fmt.Errorf("%w: the header cannot be read", ErrAltered)
	}
	if len(h.Config) == 0 || h.Table == "" {
		return fmt.Errorf("%w: the header names no configuration or no table", ErrAltered)
	}
	return checkHeader(h)
}

func (r *Reader) readStep(b []byte) error {
	bad := func(why string) error {
		return fmt.Errorf("%w: line %d: %s", ErrAltered, r.lines, why)
	}
	var l struct {
		N       int               `json:"n"`
		Time    time.Time         `json:"time"`
		From    states.State      `json:"from"`
		Input   jsontext.Value    `json:"input"`
		Event   transitions.Event `json:"event"`
		To      states.State      `json:"to"`
		Held    bool              `json:"held"`
		Effects []jsontext.Value  `json:"effects"`
		Notes   []wire.Finding    `json:"notes"`
		Ended   string            `json:"ended"`
		Detail  string            `json:"detail"`
	}
	b = bytes.Clone(b)
	if err := json.Unmarshal(b, &l, json.RejectUnknownMembers(true)); err != nil {
		return bad("not a record of this format")
	}
	if l.N != r.lines-1 {
		return bad(fmt.Sprintf("step %d where step %d should be", l.N, r.lines-1))
	}
	if l.Ended != "" {
		if why := r.trace.checkEnd(l.From, l.Ended, l.Detail, len(l.Input)+len(l.Effects)+len(l.Notes) > 0 || l.Event != "" || l.To != "" || l.Held); why != "" {
			return bad(why)
		}
		r.trace.Ended, r.trace.EndedDetail = l.Ended, l.Detail
		return nil
	}
	if l.Detail != "" {
		return bad("not a record of this format")
	}
	if last := len(r.trace.Steps) - 1; last >= 0 && r.trace.Steps[last].To != l.From {
		return bad("begins in " + lines.Quote(string(l.From)) + ", the step before ended in " + lines.Quote(string(r.trace.Steps[last].To)))
	}
	in, err := lines.ReadInput(l.Input)
	if err != nil {
		return bad(err.Error())
	}
	s := Step{N: l.N, Time: l.Time, From: l.From, Input: in, Event: l.Event, To: l.To, Held: l.Held, Notes: l.Notes, Line: b}
	for _, raw := range l.Effects {
		e, err := lines.ReadEffect(raw)
		if err != nil {
			return bad(err.Error())
		}
		s.Effects = append(s.Effects, e)
	}
	r.trace.Steps = append(r.trace.Steps, s)
	return nil
}

// Begin gives the machine that the trace begins with.
func (t *Trace) Begin() (fsm.Machine, error) {
	if len(t.Header.Machine) > 0 {
		m, err := fsm.Restore(wire.Secret(t.Header.Machine))
		if err != nil {
			return fsm.Machine{}, fmt.Errorf("%w: the machine of the header cannot be restored", ErrAltered)
		}
		return m, nil
	}
	var c states.Config
	if err := states.Decode(wire.Secret(t.Header.Config), &c); err != nil {
		return fsm.Machine{}, fmt.Errorf("%w: the configuration of the header cannot be read", ErrAltered)
	}
	m, err := fsm.New(c)
	if err != nil {
		return fsm.Machine{}, fmt.Errorf("%w: %s", ErrAltered, wire.Clean(err.Error(), 300))
	}
	return m, nil
}

// Config gives the configuration of the header, with its stand-ins.
func (t *Trace) Config() (states.Config, error) {
	m, err := t.Begin()
	if err != nil {
		return states.Config{}, err
	}
	return *m.Data.Config, nil
}
