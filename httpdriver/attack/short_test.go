//go:build !attack

package attack_test

// long says that every world is visited, and not a selection.
const long = false
