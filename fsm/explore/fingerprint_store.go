package explore

import (
	"strings"

	"github.com/stile-oauth/stile/fsm/model"
	"github.com/stile-oauth/stile/states"
)

func (e *encoder) store(s *model.Store) {
	for n := range s.Entries(e.at) {
		e.stored(n)
	}
	e.byte(0xff)
	for _, l := range s.Leases {
		if e.at.Before(l.Until) {
			e.time(l.Until)
		}
	}
	e.byte(0xfe)
}

// stored writes one entry.
func (e *encoder) stored(n *model.Entry) {
	e.text(string(n.Key.Kind))
	e.entry(n.Generation)
	e.time(n.Expires)
	switch {
	case n.Credential != nil:
		e.credential(n.Credential)
	case n.Client != nil:
		e.text(n.Key.Name)
		e.client(n.Client)
	case n.Ledger != nil:
		e.ledger(n.Ledger)
	case n.Key.Kind == states.KindLogin && strings.HasPrefix(n.Key.Name, "device "):
		if l, err := states.DecodeDeviceLogin(n.Value); err == nil {
			e.flow(l.Flow)
			e.device(l.Flow.Device)
			e.entry(l.Entry)
		}
	case n.Key.Kind == states.KindLogin:
		e.secret(n.Key.Name)
	case n.Key.Kind != states.KindMark:
		e.text(n.Value.Reveal())
	}
}
