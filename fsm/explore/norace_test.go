//go:build !race && !soak

package explore

// The worlds are walked a quarter as far as in `make soak`, which walks each of them again.
const shrink = 4
