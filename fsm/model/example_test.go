package model_test

import (
	"fmt"

	"github.com/stile-oauth/stile/fsm/model"
	"github.com/stile-oauth/stile/states"
)

// The store answers the question of a machine with the input that a driver would give.
func Example() {
	var store model.Store
	key := states.Key{Kind: states.KindCredential, Name: model.Resource}
	question := states.Save{Serial: 1, Key: key, Value: "{}"}
	fmt.Printf("%T\n", store.Answer(model.Start, question))
	question.Serial = 2 // somebody else writes as if the entry did not exist yet
	fmt.Printf("%T\n", store.Answer(model.Start, question))
	// Output:
	// states.Saved
	// states.Conflicted
}
