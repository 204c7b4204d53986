package transitions

import (
	"strconv"

	"github.com/stile-oauth/stile/states/wire"
)

// statusClass names the class of a response by its status alone; the parser of the message
// judges the body. A status that asks for another try is not a definitive 4xx
// (docs/decision-tables.md#t2-status).
func statusClass(r wire.Response) wire.Class {
	switch r.Status {
	case 407, 408, 421, 425, 429: // none of them says what is at the address
		return wire.ClassThrottled
	}
	switch {
	case r.Status >= 500 || r.Status < 200:
		return wire.ClassServer
	case r.Status >= 300 && r.Status < 400:
		return wire.ClassRedirect
	case r.Status >= 400:
		return wire.ClassOther4xx
	}
	return wire.ClassOK
}

func statusText(r wire.Response) string { return "HTTP status " + strconv.Itoa(r.Status) }
