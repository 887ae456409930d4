//go:build race

package gomlx_test

// raced says whether the race detector is on; it makes this package about ten times
// slower.
const raced = true
