package main

import (
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name, in string
		ok       bool
	}{
		{"one object", " {\"a\": 1, \"b\": null}\n", true},
		{"nothing", "", false},
		{"two objects", "{\"a\": 1, \"b\": 2}\n{}", false},
		{"text before", "done\n{\"a\": 1, \"b\": 2}", false},
		{"text after", "{\"a\": 1, \"b\": 2}\ndone", false},
		{"array", "[1]", false},
		{"null", "null", false},
		{"key missing", "{\"a\": 1}", false},
		{"cut off", "{\"a\": 1, \"b\": ", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := check(strings.NewReader(c.in), []string{"a", "b"}); (err == nil) != c.ok {
				t.Errorf("check = %v", err)
			}
		})
	}
}
