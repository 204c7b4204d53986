package explore_test

import (
	"fmt"

	"github.com/stile-oauth/stile/fsm/explore"
)

// A short walk of the pair: two processes, one store, an issuer that punishes reuse.
func Example() {
	x, err := explore.New(explore.Options{World: "pair", Situations: 200})
	if err != nil {
		fmt.Println(err)
		return
	}
	for x.Run(100) {
	}
	for _, v := range x.Violations() {
		fmt.Println(v.Script)
	}
	fmt.Println(len(x.Violations()), "violations")
	// Output: 0 violations
}
