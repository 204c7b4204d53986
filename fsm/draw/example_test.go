package draw_test

import (
	"fmt"

	"github.com/stile-oauth/stile/fsm/draw"
	"github.com/stile-oauth/stile/states"
	"github.com/stile-oauth/stile/transitions"
)

// The whole table is draw.Mermaid(transitions.Table); here it is one row.
func Example() {
	rows := []transitions.Row{{On: transitions.Begun, From: states.Idle, To: states.Loading}}
	fmt.Print(draw.Mermaid(rows))
	// Output:
	// stateDiagram-v2
	//     classDef g0 fill:#475569,stroke:#475569,color:#ffffff
	//     classDef g1 fill:#9a3412,stroke:#9a3412,color:#ffffff
	//     state "Idle" as sIdle
	//     state "Loading" as sLoading
	//     [*] --> sIdle
	//     sIdle --> sLoading : Begun
	//     class sIdle g0
	//     class sLoading g1
}
