package cpu

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Processors with AVX2 and no AVX-512 have 16 vector registers, no wider ones, and no masks. avo hands out all 32.
func TestRegistersOfAVX2(t *testing.T) {
	files, err := filepath.Glob("../*/*_amd64.s")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	foreign := regexp.MustCompile(`\b([XY](1[6-9]|2[0-9]|3[01])|Z[0-9]+|K[0-7])\b`)
	kernels := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, function := range strings.Split(string(text), "\nTEXT ")[1:] {
			name, _, _ := strings.Cut(function, "(")
			if !strings.HasSuffix(name, "AVX2") {
				continue
			}
			kernels++
			if r := foreign.FindString(function); r != "" {
				t.Errorf("%s: %s uses %s", file, name, r)
			}
		}
	}
	if kernels == 0 {
		t.Error("no kernels")
	}
	t.Log(kernels, "kernels")
}
