package states

import (
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// fill sets every member of a record, also those that are added one day, to
// something that is not empty; odd texts need escaping.
func fill(v reflect.Value, n *int, odd bool) {
	*n++
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 7, 28, 12, 0, *n%60, *n*1001, time.UTC)))
		return
	case jsontext.Value:
		return
	}
	switch v.Kind() {
	case reflect.String:
		s := "v" + strconv.Itoa(*n)
		if odd {
			s += "\" \\ \n é <&> \u2028 \x7f"
		}
		v.SetString(s)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint64, reflect.Uint32:
		v.SetUint(uint64(*n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n, odd)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n, odd)
		fill(v.Index(1), n, odd)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n, odd)
		}
	}
}

// one gives copies of a record, each with one of its members empty.
func one(v reflect.Value, try func()) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			one(v.Elem(), try)
		}
	case reflect.Struct:
		if _, ok := v.Interface().(time.Time); ok {
			return
		}
		for i := range v.NumField() {
			f := v.Field(i)
			kept := reflect.ValueOf(f.Interface())
			f.SetZero()
			try()
			if f.Kind() == reflect.Slice {
				f.Set(reflect.MakeSlice(f.Type(), 0, 0))
				try()
			}
			f.Set(kept)
			one(f, try)
		}
	}
}

// TestEncodeAsReflection: the records that are written member by member are,
// byte for byte, what reflection over their declarations gives, with every
// member set, with each of them empty in turn, and with none.
func TestEncodeAsReflection(t *testing.T) {
	for _, record := range []any{&Credential{}, &Login{}, &Registration{}, &Mark{}, &Config{}} {
		name := reflect.TypeOf(record).Elem().Name()
		tried := 0
		try := func() {
			tried++
			got, ok, err := encoded(record)
			if !ok || err != nil {
				t.Fatalf("%s: encoded: %v %v", name, ok, err)
			}
			want, err := reflected(record)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got != want.Reveal() {
				t.Fatalf("%s\n got %s\nwant %s", name, got, want.Reveal())
			}
		}
		try()
		for _, odd := range []bool{false, true} {
			n := 0
			fill(reflect.ValueOf(record).Elem(), &n, odd)
			try()
			one(reflect.ValueOf(record), try)
		}
		if tried < 7 {
			t.Errorf("%s: only %d forms were compared", name, tried)
		}
	}
}

// TestEncodeUnknown: members of a newer writer are carried along.
func TestEncodeUnknown(t *testing.T) {
	const text = `{"version":1,"superseded":[],"later":{"a":[1,2]},"more":"x"}`
	c, err := DecodeCredential(text)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Encode(c)
	if err != nil || got.Reveal() != `{"version":1,"later":{"a":[1,2]},"more":"x"}` {
		t.Errorf("%s, %v", got.Reveal(), err)
	}
}

// TestEncodeRefusesBadText: what is not UTF-8 has no record.
func TestEncodeRefusesBadText(t *testing.T) {
	if _, err := Encode(&Mark{Version: 1, Holder: "a\xff"}); err == nil {
		t.Error("a record was written that nobody can read")
	}
}
