//go:build race

package train_test

func init() { raceDetector = true }
