package attack_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/httpdriver"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/transitions"
)

// TestClockJumps moves the clock of a process, but not that of the store, between two
// requests, and back. A request succeeds at every time. The exception is a login of a
// process whose clock is far behind the store's: what it parks there expires at once,
// so that the login ends, after the second visit, in a fault that names the clock.
func TestClockJumps(t *testing.T) {
	for _, jump := range []time.Duration{
		time.Second, -time.Second, time.Hour, -time.Hour, 24 * time.Hour, -24 * time.Hour,
		365 * 24 * time.Hour, -365 * 24 * time.Hour, 20 * 365 * 24 * time.Hour, -30 * 365 * 24 * time.Hour, // to 1970
	} {
		for _, begins := range []string{"before the login", "while a token is held", "in every request"} {
			t.Run(fmt.Sprintf("%v %s", jump, begins), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ahead := time.Duration(0)
					s := begin(t, func(o *httpdriver.Options) {
						o.Clock = func() time.Time { return time.Now().Add(ahead) }
					})
					defer s.end()
					if begins == "before the login" {
						ahead = jump
					}
					m := s.measure()
					for round := range 6 {
						if begins != "before the login" && (round == 2 || begins == "in every request" && round > 0) {
							ahead = jump - ahead
						} else if begins == "before the login" && round == 2 {
							ahead = 0
						}
						err := s.post(ping)
						if late := begins == "before the login" && jump <= -time.Hour; late && round == 0 {
							visits := 0
							for _, r := range s.net.seen {
								if r.user {
									visits++
								}
							}
							if f, ok := fsm.FaultOf(err); !ok || f.Event != transitions.ClaimLostAgain || visits != 2 {
								t.Errorf("the user was sent away %d times, and then: %v", visits, err)
							}
							s.judge(want{ends: "fault", party: states.PartyHost}, err, m.read())
							return
						}
						if err != nil {
							t.Fatalf("request %d: %v", round, err)
						}
					}
					s.judge(want{ends: "ok"}, nil, m.read())
				})
			})
		}
	}
}
