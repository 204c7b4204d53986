package script

import (
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/stile-oauth/stile/states/wire"
)

// merged is a stored value with some members changed, as a JSON merge patch (RFC 7396)
// says it.
func merged(stored, patch wire.Secret) (wire.Secret, error) {
	var into, change members
	if err := json.Unmarshal([]byte(stored.Reveal()), &into); err != nil {
		return "", fmt.Errorf("nothing is stored that could be changed: %w", err)
	}
	if err := json.Unmarshal([]byte(patch.Reveal()), &change); err != nil {
		return "", err
	}
	all, err := merge(into, change)
	if err != nil {
		return "", err
	}
	value, err := json.Marshal(all, json.Deterministic(true))
	return wire.Secret(value), err
}

func merge(into, change members) (members, error) {
	if into == nil {
		into = members{}
	}
	for name, v := range change {
		switch v.Kind() {
		case 'n':
			delete(into, name)
		case '{':
			var below, more members
			if err := json.Unmarshal(v, &more); err != nil {
				return nil, err
			}
			_ = json.Unmarshal(into[name], &below) // what is no object is replaced
			below, err := merge(below, more)
			if err != nil {
				return nil, err
			}
			if into[name], err = json.Marshal(below, json.Deterministic(true)); err != nil {
				return nil, err
			}
		default:
			into[name] = v.Clone()
		}
	}
	return into, nil
}
