package states

import (
	"errors"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/stile-oauth/stile/states/wire"
)

// ErrRecordVersion says that a record has a version that this release does not know. The
// record is kept as it is.
var ErrRecordVersion = errors.New("the record was written by a newer release")

// ErrRecordUnreadable says that a stored value is not a record. It is kept as it is (rule
// store-versioned).
var ErrRecordUnreadable = errors.New("the record cannot be read")

// ErrRecordUnbound says that a record names no issuer, or something that cannot be an
// issuer, so nothing in it may be sent anywhere (rule issuer-unbound-quarantine).
var ErrRecordUnbound = errors.New("the record is not bound to an issuer")

// reveal makes secrets readable in records and snapshots, on purpose and only
// there.
var reveal = json.JoinOptions(
	json.WithMarshalers(json.JoinMarshalers(
		json.MarshalToFunc(func(e *jsontext.Encoder, s wire.Secret) error {
			return e.WriteToken(jsontext.String(s.Reveal()))
		}),
		json.MarshalToFunc(func(e *jsontext.Encoder, d time.Duration) error {
			return e.WriteToken(jsontext.Int(int64(d)))
		}),
	)),
	json.WithUnmarshalers(json.UnmarshalFromFunc(func(d *jsontext.Decoder, v *time.Duration) error {
		var n int64
		if err := json.UnmarshalDecode(d, &n); err != nil {
			return err
		}
		*v = time.Duration(n)
		return nil
	})),
)

// Encode writes a record or a snapshot with its secrets.
func Encode(v any) (wire.Secret, error) {
	var b strings.Builder
	err := json.MarshalWrite(&b, v, reveal)
	return wire.Secret(b.String()), err
}

// mustEncode is Encode for our own records, whose fields all have an encoding.
func mustEncode(v any) wire.Secret {
	s, err := Encode(v)
	if err != nil {
		return ""
	}
	return s
}

// Decode reads what Encode wrote. The error never echoes the input.
func Decode(s wire.Secret, v any) error {
	return read(s, v, reveal)
}

// decodeRecord is Decode for a record. Records hold no durations, and without a function
// for durations every value is read faster.
func decodeRecord(s wire.Secret, v any) error {
	return read(s, v)
}

func read(s wire.Secret, v any, o ...json.Options) error {
	if err := json.UnmarshalRead(strings.NewReader(s.Reveal()), v, o...); err != nil {
		return ErrRecordUnreadable
	}
	return nil
}

// DecodeCredential reads a credential record. Its errors are ErrRecordVersion,
// ErrRecordUnbound and ErrRecordUnreadable.
func DecodeCredential(s wire.Secret) (*Credential, error) {
	var c Credential
	if err := decodeRecord(s, &c); err != nil {
		return nil, err
	}
	if c.Version != RecordVersion {
		return nil, ErrRecordVersion
	}
	if c.Current != nil && !wire.SoundIssuer(c.Current.Server.Issuer) {
		return nil, ErrRecordUnbound
	}
	return &c, nil
}

// DecodeRegistration reads a registration record.
func DecodeRegistration(s wire.Secret) (*Registration, error) {
	var r Registration
	if err := decodeRecord(s, &r); err != nil {
		return nil, err
	}
	if r.Version != RecordVersion {
		return nil, ErrRecordVersion
	}
	return &r, nil
}

// DecodeMark reads a mark. It returns the zero value for a mark that cannot be read.
func DecodeMark(s wire.Secret) Mark {
	var m Mark
	if Decode(s, &m) != nil || m.Version != RecordVersion {
		return Mark{}
	}
	return m
}

// DecodeLedger reads a ledger. A ledger that cannot be read counts as empty, because the
// ledger is kept on a best-effort basis.
func DecodeLedger(s wire.Secret) Ledger {
	var l Ledger
	if Decode(s, &l) != nil || l.Version != RecordVersion {
		return Ledger{Version: RecordVersion}
	}
	return l
}
