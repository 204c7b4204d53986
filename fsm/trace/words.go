package trace

import (
	"github.com/stile-oauth/stile/transitions"
)

// Says describes an event in plain words.
func Says(e transitions.Event) string {
	if s := transitions.Describe(e); s != "" {
		return s
	}
	return clean(string(e))
}
