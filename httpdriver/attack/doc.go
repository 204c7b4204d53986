// Package attack holds hostile surroundings and what must hold in each of them: servers
// that lie, stall and quote secrets, damaged stores, clocks that jump, full disks,
// database servers that die. It has only tests.
//
// A world (world_test.go) is one line of a table. The same assertions judge all of
// them: how long it took, how many requests it cost, how much memory, whether the
// error has the form that errors have, and where secrets went. `go test` runs a
// selection; `make attack` (build tag attack) runs all of it. Kills and stops of
// processes are tried in httpdriver/soak.
package attack
