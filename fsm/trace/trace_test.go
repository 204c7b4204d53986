package trace

import (
	"testing"
)

// TestLives records every story: the shadow never leaves the real machine, and
// the trace replays to the same bytes.
func TestLives(t *testing.T) {
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			l := newLife(t, s.setting)
			s.live(l)
			l.want(s.want...)
			l.sound()
		})
	}
}
