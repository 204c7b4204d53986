package audit

import (
	"errors"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// clientFormat is at the beginning of a file of what a client did in traps.
const clientFormat = "stile-client-evidence"

type keptClient struct {
	Format  string     `json:"format"`
	Version int        `json:"version"`
	Traps   []Evidence `json:"traps"`
}

// MarshalClient writes the evidence of an audit of a client, one part for each
// trap. The same evidence gives the same bytes.
func MarshalClient(all []Evidence) ([]byte, error) {
	b, err := json.Marshal(keptClient{clientFormat, version, all}, jsontext.Multiline(true), json.Deterministic(true), durations)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return append(b, '\n'), nil
}

// ParseClient reads what MarshalClient wrote. It returns ErrNoClient if the bytes
// are something else.
func ParseClient(b []byte) ([]Evidence, error) {
	var k keptClient
	err := json.Unmarshal(b, &k, fromText)
	n := 0
	for _, e := range k.Traps {
		n += len(e.Exchanges)
	}
	switch {
	case k.Format != clientFormat:
		return nil, ErrNoClient
	case err != nil:
		return nil, fmt.Errorf("this evidence cannot be read: %w", err)
	case k.Version != version:
		return nil, fmt.Errorf("this evidence has version %d; version %d is read", k.Version, version)
	case n > maxExchanges:
		return nil, fmt.Errorf("the evidence has %d exchanges; %d are read at most", n, maxExchanges)
	}
	return k.Traps, nil
}

// ErrNoClient says that something is not the evidence of an audit of a client.
var ErrNoClient = errors.New("this is no evidence of an audit of a client")

// Join puts the exchanges of the traps with findings into one list, for a page that
// shows them, and adjusts the numbers in the findings.
func Join(r Report, all []Evidence) (Report, Evidence) {
	out, e := r, Evidence{Source: LiveClient}
	out.Verdicts = slices.Clone(r.Verdicts)
	for i := range out.Verdicts {
		v := &out.Verdicts[i]
		at := slices.IndexFunc(all, func(e Evidence) bool { return e.Trap == v.Check })
		if at < 0 || len(v.Findings) == 0 {
			continue
		}
		offset := len(e.Exchanges)
		e.Exchanges = append(e.Exchanges, all[at].Exchanges...)
		v.Findings = slices.Clone(v.Findings)
		for k := range v.Findings {
			f := &v.Findings[k]
			if f.Exchange > 0 {
				f.Exchange += offset
			}
			f.Also = slices.Clone(f.Also)
			for n := range f.Also {
				if f.Also[n] > 0 {
					f.Also[n] += offset
				}
			}
		}
	}
	return out, e
}
