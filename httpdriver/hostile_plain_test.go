//go:build !race

package httpdriver_test

const nthFault = 1
