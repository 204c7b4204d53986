package transitions_test

import (
	"fmt"
	"time"

	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/transitions"
)

// What was found is named, and the table says where that leads.
func Example() {
	var data states.Data
	at := time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)
	input := states.Begun{Seed: "32-bytes-of-fresh-randomness-as-text", Login: true}

	event, data := transitions.Classify(states.Idle, data, at, input)
	state, held, err := transitions.Fire(states.Idle, event)
	fmt.Println(event, "leads to", state, held, err)
	fmt.Println(data.Seed)
	fmt.Println(transitions.Describe(event))
	// Output:
	// Begun leads to Loading false <nil>
	// secret(…)
	// the work began
}
