//go:build !race

package trace

const everyStory = 1
