//go:build race

package rloo_test

func init() { raceDetector = true }
