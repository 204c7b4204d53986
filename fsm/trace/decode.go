package trace

import (
	"bytes"
	"errors"
	"time"

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

// readSecret takes a record as the JSON that it is, anything else as a string.
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
	err := json.UnmarshalDecode(d, &r)
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
	err := json.UnmarshalDecode(d, &r)
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

// named cuts an object with one member into its name and value.
func named(raw jsontext.Value) (string, jsontext.Value, error) {
	obj, err := wire.ParseObject(raw)
	if err != nil || len(obj) != 1 {
		return "", nil, errors.New("not one named value")
	}
	return obj[0].Name, obj[0].Raw, nil
}

func readInput(raw jsontext.Value) (states.Input, error) {
	name, value, err := named(raw)
	if err != nil {
		return nil, errors.New("the input cannot be read")
	}
	read, ok := inputs[name]
	if !ok {
		return nil, errors.New("there is no input " + quote(name))
	}
	in, err := read(value)
	if err != nil {
		return nil, errors.New("the input " + name + " cannot be read")
	}
	return in, nil
}

func readEffect(raw jsontext.Value) (states.Effect, error) {
	name, value, err := named(raw)
	if err != nil {
		return nil, errors.New("an effect cannot be read")
	}
	read, ok := effects[name]
	if !ok {
		return nil, errors.New("there is no effect " + quote(name))
	}
	e, err := read(value)
	if err != nil {
		return nil, errors.New("the effect " + name + " cannot be read")
	}
	return e, nil
}

func quote(s string) string { return `"` + wire.Clean(s, 60) + `"` }

// inputOf and effectOf make a reader of one type.
func inputOf[T states.Input](raw jsontext.Value) (states.Input, error) {
	var v T
	err := json.Unmarshal(raw, &v, reading)
	return v, err
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
	"Answered": inputOf[states.Answered], "Responded": inputOf[states.Responded],
	"Unreachable": inputOf[states.Unreachable], "Redirected": inputOf[states.Redirected],
	"Challenged": inputOf[states.Challenged], "Accepted": inputOf[states.Accepted], "Ticked": inputOf[states.Ticked],
	"Interrupted": inputOf[states.Interrupted], "Cancelled": inputOf[states.Cancelled], "LoggedOut": inputOf[states.LoggedOut],
}

var effects = map[string]func(jsontext.Value) (states.Effect, error){
	"Send": effectOf[states.Send], "Visit": effectOf[states.Visit], "Load": effectOf[states.Load],
	"Lease": effectOf[states.Lease], "Release": effectOf[states.Release], "Save": effectOf[states.Save],
	"Delete": effectOf[states.Delete], "Claim": effectOf[states.Claim], "Ask": effectOf[states.Ask],
	"Wake": effectOf[states.Wake], "Grant": effectOf[states.Grant], "Report": effectOf[states.Report],
}
