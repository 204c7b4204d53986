package lines

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// reading are the options for the values of a line: member names are those of
// the types of package states, in lower case with underscores.
var reading = json.JoinOptions(
	json.MatchCaseInsensitiveNames(true),
	json.RejectUnknownMembers(true),
	json.WithUnmarshalers(json.JoinUnmarshalers(
		json.UnmarshalFromFunc(readSecret),
		json.UnmarshalFromFunc(readDuration),
		json.UnmarshalFromFunc(readFields),
		json.UnmarshalFromFunc(readRequest),
		json.UnmarshalFromFunc(readResponse),
	)),
)

// readSecret reads a record as its JSON text, and anything else as a string.
func readSecret(d *jsontext.Decoder, v *wire.Secret) error {
	if d.PeekKind() == '{' {
		raw, err := d.ReadValue()
		*v = wire.Secret(raw)
		return err
	}
	var s string
	err := json.UnmarshalDecode(d, &s)
	*v = wire.Secret(s)
	return err
}

func readDuration(d *jsontext.Decoder, v *time.Duration) error {
	var s string
	err := json.UnmarshalDecode(d, &s)
	if err == nil {
		*v, err = time.ParseDuration(s)
	}
	return err
}

func readFields(d *jsontext.Decoder, v *wire.Fields) error {
	var rows [][]string
	if err := json.UnmarshalDecode(d, &rows); err != nil {
		return err
	}
	for _, r := range rows {
		if len(r) != 2 && (len(r) != 3 || r[2] != "secret") {
			return errors.New("a field is a name, a value, and \"secret\" for one that opens something")
		}
		*v = append(*v, wire.Field{Name: r[0], Value: r[1], Secret: len(r) == 3})
	}
	return nil
}

func readRequest(d *jsontext.Decoder, v *wire.Request) error {
	var r struct {
		Method string         `json:"method"`
		URL    string         `json:"url"`
		Header wire.Fields    `json:"header"`
		Form   wire.Fields    `json:"form"`
		JSON   jsontext.Value `json:"json"`
		Body   string         `json:"body"`
	}
	err := json.UnmarshalDecode(d, &r, json.MatchCaseInsensitiveNames(false))
	*v = wire.Request{Method: r.Method, URL: r.URL, Header: r.Header, Form: r.Form, Body: bodyOf(r.JSON, r.Body)}
	return err
}

func readResponse(d *jsontext.Decoder, v *wire.Response) error {
	var r struct {
		Status    int            `json:"status"`
		Header    wire.Fields    `json:"header"`
		JSON      jsontext.Value `json:"json"`
		Body      string         `json:"body"`
		Oversized bool           `json:"oversized"`
	}
	err := json.UnmarshalDecode(d, &r, json.MatchCaseInsensitiveNames(false))
	*v = wire.Response{Status: r.Status, Header: r.Header, Body: bodyOf(r.JSON, r.Body), Oversized: r.Oversized}
	return err
}

func bodyOf(raw jsontext.Value, text string) []byte {
	if len(raw) > 0 {
		return bytes.Clone(raw)
	}
	if text == "" {
		return nil
	}
	return []byte(text)
}

// named splits an object with one member into the member's name and value.
func named(raw jsontext.Value) (string, jsontext.Value, error) {
	bad := errors.New("not one named value")
	d := jsontext.NewDecoder(bytes.NewBuffer(raw))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return "", nil, bad
	}
	t, err := d.ReadToken()
	if err != nil || t.Kind() != '"' {
		return "", nil, bad
	}
	name := t.String()
	value, err := d.ReadValue()
	if err != nil || value.Kind() != '{' {
		return "", nil, bad
	}
	value = bytes.Clone(value)
	if t, err := d.ReadToken(); err != nil || t.Kind() != '}' {
		return "", nil, bad
	}
	return name, value, nil
}

// ReadInput reads an object with one member: the kind of input and what it
// holds. The error names the kind and the member, never a value.
func ReadInput(raw jsontext.Value) (states.Input, error) {
	name, value, err := named(raw)
	if err != nil {
		return nil, errors.New("the input cannot be read: it is an object with one member, the kind of input, which is an object")
	}
	read, ok := inputs[name]
	if !ok {
		return nil, errors.New("there is no input " + Quote(name))
	}
	in, err := read(value)
	if err != nil {
		return nil, errors.New("the input " + name + " cannot be read" + where(err))
	}
	return in, nil
}

// where says at which member reading failed, and whether that member is unknown.
func where(err error) string {
	s, ok := errors.AsType[*json.SemanticError](err)
	if !ok {
		if own, ok := errors.AsType[*NameError](err); ok {
			return ": " + own.Error()
		}
		return ""
	}
	switch at := string(s.JSONPointer); {
	case errors.Is(err, json.ErrUnknownName):
		return ": there is no member " + Quote(strings.TrimPrefix(at, "/"))
	case at != "":
		return ": the member " + Quote(strings.TrimPrefix(at, "/")) + " is not what it should be"
	}
	return ""
}

// NameError says that a member has a name that is not known at its place.
type NameError struct{ Name string }

func (e *NameError) Error() string { return "there is no member " + Quote(e.Name) }

// ReadEffect reads an object with one member: the kind of effect and what it
// holds.
func ReadEffect(raw jsontext.Value) (states.Effect, error) {
	name, value, err := named(raw)
	if err != nil {
		return nil, errors.New("an effect cannot be read")
	}
	read, ok := effects[name]
	if !ok {
		return nil, errors.New("there is no effect " + Quote(name))
	}
	e, err := read(value)
	if err != nil {
		return nil, errors.New("the effect " + name + " cannot be read")
	}
	return e, nil
}

// Quote shows text from outside in a message: cleaned, shortened and in quotes.
func Quote(s string) string { return `"` + wire.Clean(s, 60) + `"` }

// inputOf and effectOf make a reader of one type.
func inputOf[T states.Input](raw jsontext.Value) (states.Input, error) {
	var v T
	if err := exact[T](raw); err != nil {
		return v, err
	}
	err := json.Unmarshal(raw, &v, reading)
	return v, err
}

// exact checks that the members are spelled exactly as in T, since reading would fold
// their case.
func exact[T any](raw jsontext.Value) error {
	d := jsontext.NewDecoder(bytes.NewBuffer(raw))
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() == '"' {
		t, err := d.ReadToken()
		if err != nil {
			return err
		}
		name := t.String()
		if err := d.SkipValue(); err != nil {
			return err
		}
		if !has(reflect.TypeFor[T](), name) {
			return &NameError{name}
		}
	}
	return nil
}

// has reports whether a type has a field that is written as name in a line.
func has(t reflect.Type, name string) bool {
	for i := range t.NumField() {
		if snake(t.Field(i).Name) == name {
			return true
		}
	}
	return false
}

// snake writes a field's name as it is in lines: NotBefore is not_before.
func snake(s string) string {
	var b strings.Builder
	for i, r := range s {
		if i > 0 && unicode.IsUpper(r) && unicode.IsLower(rune(s[i-1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

func effectOf[T states.Effect](raw jsontext.Value) (states.Effect, error) {
	var v T
	err := json.Unmarshal(raw, &v, reading)
	return v, err
}

var inputs = map[string]func(jsontext.Value) (states.Input, error){
	"Begun": inputOf[states.Begun], "Resumed": inputOf[states.Resumed], "Loaded": inputOf[states.Loaded],
	"NotFound": inputOf[states.NotFound], "Leased": inputOf[states.Leased], "Held": inputOf[states.Held],
	"Saved": inputOf[states.Saved], "Deleted": inputOf[states.Deleted], "Claimed": inputOf[states.Claimed],
	"Conflicted": inputOf[states.Conflicted], "StoreFailed": inputOf[states.StoreFailed],
	"Answered": inputOf[states.Answered], "Signed": inputOf[states.Signed], "Unsigned": inputOf[states.Unsigned], "Responded": inputOf[states.Responded],
	"Unreachable": inputOf[states.Unreachable], "Redirected": inputOf[states.Redirected],
	"Challenged": inputOf[states.Challenged], "Accepted": inputOf[states.Accepted], "Ticked": inputOf[states.Ticked],
	"Interrupted": inputOf[states.Interrupted], "Cancelled": inputOf[states.Cancelled], "LoggedOut": inputOf[states.LoggedOut],
}

var effects = map[string]func(jsontext.Value) (states.Effect, error){
	"Send": effectOf[states.Send], "Sign": effectOf[states.Sign], "Assert": effectOf[states.Assert], "Show": effectOf[states.Show], "Visit": effectOf[states.Visit], "Load": effectOf[states.Load],
	"Lease": effectOf[states.Lease], "Release": effectOf[states.Release], "Save": effectOf[states.Save],
	"Delete": effectOf[states.Delete], "Claim": effectOf[states.Claim], "Ask": effectOf[states.Ask],
	"Wake": effectOf[states.Wake], "Grant": effectOf[states.Grant], "Report": effectOf[states.Report],
}
