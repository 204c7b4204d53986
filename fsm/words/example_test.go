package words_test

import (
	"fmt"
	"time"

	"github.com/stile-oauth/stile/fsm/words"
	"github.com/stile-oauth/stile/states"
)

func Example() {
	start := time.Date(2026, 7, 28, 12, 0, 0, 0, time.UTC)
	p := words.Printer{Start: start}
	effect := states.Wake{At: start.Add(time.Hour)}
	fmt.Println(p.Effect(start, effect))
	// Output:
	// Wake at 13:00:00
}
