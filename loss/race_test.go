//go:build race

package loss_test

func init() { raceDetector = true }
