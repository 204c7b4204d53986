//go:build !race

package explore

const shrink = 1
