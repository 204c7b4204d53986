package script_test

import (
	"fmt"

	"github.com/stile-oauth/stile/fsm/script"
)

func Example() {
	s := script.New()
	fmt.Print(s.Do("config server=https://mcp.example/mcp", ""))
	fmt.Print(s.Do("begin login", ""))
	// Output:
	// ok
	// Idle: Begun → Loading
	//   Load credential
}
