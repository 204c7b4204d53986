package audit

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// format and version are at the beginning of a file of evidence.
const (
	format  = "stile-evidence"
	version = 1
)

type kept struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	Evidence
}

// Durations are written as Go prints them: "1.5s".
var (
	durations = json.WithMarshalers(json.MarshalFunc(func(d time.Duration) ([]byte, error) { return json.Marshal(d.String()) }))
	fromText  = json.WithUnmarshalers(json.UnmarshalFunc(func(b []byte, d *time.Duration) error {
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		var err error
		*d, err = time.ParseDuration(s)
		return err
	}))
)

// MarshalEvidence writes evidence so that it can be judged again. The same
// evidence gives the same bytes.
func MarshalEvidence(e Evidence) ([]byte, error) {
	b, err := json.Marshal(kept{format, version, e}, jsontext.Multiline(true), json.Deterministic(true), durations)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return append(b, '\n'), nil
}

// ParseEvidence reads what MarshalEvidence wrote.
func ParseEvidence(b []byte) (Evidence, error) {
	var k kept
	err := json.Unmarshal(b, &k, fromText)
	switch {
	case k.Format != format && err == nil, k.Format == "" && err != nil:
		return Evidence{}, errors.New("this is no evidence of an audit")
	case err != nil:
		return Evidence{}, fmt.Errorf("this evidence cannot be read: %w", err)
	case k.Version != version:
		return Evidence{}, fmt.Errorf("this evidence has version %d; version %d is read", k.Version, version)
	case len(k.Exchanges) > maxExchanges:
		return Evidence{}, fmt.Errorf("the evidence has %d exchanges; %d are read at most", len(k.Exchanges), maxExchanges)
	}
	return k.Evidence, nil
}
