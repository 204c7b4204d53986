package fsm_test

import (
	"fmt"
	"time"

	"github.com/stile-oauth/stile/fsm"
	"github.com/stile-oauth/stile/states"
)

// A driver in small: it answers each question of the machine, here as an empty store
// does, until the machine rests.
func Example() {
	m, err := fsm.New(states.Config{Server: "https://mcp.example/mcp", Redirects: []string{"http://127.0.0.1/callback"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	engine := fsm.NewEngine()
	now := time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)
	queue := []states.Input{states.Begun{Seed: "32-bytes-of-fresh-randomness-as-text"}}
	for len(queue) > 0 {
		in := queue[0]
		queue = queue[1:]
		var effects []states.Effect
		if m, effects, err = engine.Step(m, now, in); err != nil {
			fmt.Println(err) // the caller's mistake; m is as it was
			return
		}
		for _, effect := range effects {
			switch effect := effect.(type) {
			case states.Load:
				fmt.Println("load the", effect.Key.Kind)
				queue = append(queue, states.NotFound{Serial: effect.Serial})
			default:
				fmt.Printf("%T\n", effect)
			}
		}
	}
	fmt.Println(m)
	// Output:
	// load the credential
	// Anonymous
}
