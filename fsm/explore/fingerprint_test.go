package explore

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/fsm/model"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/states/wire"
)

// undecided are the fields that may differ in one situation, each with the
// reason why nothing is decided by it.
var undecided = map[string]string{
	"Data.Config":               "the beginning has a number of its own; what it takes over from a record is compared there",
	"Data.At":                   "every time is compared by its distance from now",
	"Data.Serial":               "it counts questions",
	"Data.Seed":                 "chance",
	"Data.Draws":                "it counts what was drawn from the seed",
	"Data.Notes":                "they are for people",
	"Flow.Visit":                "a serial",
	"Credential.Version":        "only one is written",
	"Credential.Unknown":        "members of a newer release, kept and never read",
	"Ledger.Version":            "only one is written",
	"Token.Type":                "it follows from Thumbprint; any other was refused",
	"ASM.IntrospectionEndpoint": "a client never asks there",
	"ASM.JWKSURI":               "a client never asks there",
	"ASM.ServiceDocumentation":  "it is shown to people",
	"ASM.ResponseTypes":         "judged when the document comes",
	"ASM.ChallengeMethods":      "judged when the document comes",
	"ASM.PARRequired":           "judged when the document comes",
	"Device.ExpiresIn":          "the deadline of the login says it",
	"Client.Key":                "a name",
	"Client.Assertion":          "it is not kept; what a request needs is in the facts",
	"ASM.SigningAlgs":           "a finding says so, and nothing is decided",
	"Assertion.ID":              "chance",
	"Proof.ID":                  "chance",
	"Challenge.Notes":           "they are for people",
	"Problem.Detail":            "for people",
	"OAuthError.Raw":            "for people",
	"OAuthError.Description":    "for people",
	"OAuthError.URI":            "for people",
	"Fault.State":               "for people",
	"Fault.Doing":               "for people",
	"Fault.Peer":                "for people",
	"Fault.First":               "for people",
	"Fault.Advice":              "for people",
}

// TestFingerprintKnowsEveryField changes every field of a machine, one after
// the other: two machines that differ in one are two situations.
func TestFingerprintKnowsEveryField(t *testing.T) {
	at := model.Start
	of := func(d *states.Data) print {
		var e encoder
		e.reset(at)
		e.machine(&fsm.Machine{State: states.Refreshing, Data: *d})
		return e.sum()
	}
	var d states.Data
	fill(reflect.ValueOf(&d).Elem(), at)
	d.Flow.Callback = wire.Secret(callback + "?code=a-code-of-the-issuer&state=the-state-of-this-login&iss=" + issuer)
	base := of(&d)
	fields, met := 0, map[string]bool{}
	eachField(reflect.ValueOf(&d).Elem(), "", func(path, field string, v reflect.Value) {
		fields++
		met[field] = true
		was := reflect.ValueOf(v.Interface())
		known := false
		for _, other := range others(v, at) {
			v.Set(other)
			known = known || of(&d) != base
			v.Set(was)
		}
		reason, exempt := undecided[field]
		switch {
		case !known && !exempt:
			t.Errorf("%s: a machine that differs in it has the same fingerprint", path)
		case known && exempt:
			t.Errorf("%s is part of the fingerprint, and is said to be none: %s", path, reason)
		}
	})
	for field := range undecided {
		if !met[field] {
			t.Errorf("there is no field %s", field)
		}
	}
	if of(&d) != base || fields < 300 {
		t.Errorf("%d fields were changed", fields)
	}
}

// fill gives every field a value that is not its zero.
func fill(v reflect.Value, at time.Time) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), at)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(at.Add(20 * time.Second)))
			return
		}
		if v.Type() == reflect.TypeFor[wire.URL]() {
			u, _ := wire.ParseURL(resource)
			v.Set(reflect.ValueOf(u))
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), at)
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Uint8 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			fill(v.Index(0), at)
		}
	case reflect.String:
		v.SetString("one")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(2)
	case reflect.Uint64, reflect.Uint32:
		v.SetUint(2)
	}
}

// eachField calls do for every field, however deep, with the path to it and the
// type that it is a field of. What is in a field that decides nothing is left
// out.
func eachField(v reflect.Value, path string, do func(path, field string, v reflect.Value)) {
	switch v.Kind() {
	case reflect.Pointer:
		eachField(v.Elem(), path, do)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Struct {
			eachField(v.Index(0), path+"[]", do)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			if !v.Type().Field(i).IsExported() {
				continue // worked out from others
			}
			name := v.Type().Field(i).Name
			p, field := strings.TrimPrefix(path+"."+name, "."), v.Type().Name()+"."+name
			do(p, field, v.Field(i))
			if _, exempt := undecided[field]; !exempt {
				eachField(v.Field(i), p, do)
			}
		}
	}
}

// others are values that differ from v, also in class: absent, and another.
func others(v reflect.Value, at time.Time) []reflect.Value {
	out := []reflect.Value{reflect.Zero(v.Type())}
	switch v.Kind() {
	case reflect.String:
		out = append(out, reflect.ValueOf("another").Convert(v.Type()))
	case reflect.Struct:
		if v.Type() != reflect.TypeFor[time.Time]() {
			return out
		}
		out = append(out, reflect.ValueOf(at.Add(40*time.Hour)))
	case reflect.Slice:
		if v.Len() > 0 {
			out = append(out, reflect.AppendSlice(v.Slice3(0, v.Len(), v.Len()), v))
		}
	case reflect.Int, reflect.Int64:
		out = append(out, reflect.ValueOf(5).Convert(v.Type()))
	}
	return out
}
