//go:build soak

package attack_test

// everyByte says that stores are damaged at every byte, which takes minutes.
const everyByte = true
