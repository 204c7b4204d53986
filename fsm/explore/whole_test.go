//go:build !race && soak

package explore

const shrink = 1
