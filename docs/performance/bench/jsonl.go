package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/prefgrad/prefgrad/dataset"
)

// jsonl reads preference pairs, of a file or made up, from memory.
func jsonl(o options) ([]benchmark, error) {
	text, err := preferences(o.file)
	if err != nil {
		return nil, err
	}
	return []benchmark{{"jsonl", len(text), 1, func() error {
		for _, err := range dataset.Read[dataset.Pair](bytes.NewReader(text), "bench") {
			if err != nil {
				return err
			}
		}
		return nil
	}}}, nil
}

func preferences(file string) ([]byte, error) {
	if file == "" {
		return madeUp(), nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// madeUp is preference pairs of about a kilobyte each.
func madeUp() []byte {
	var text bytes.Buffer
	lines := json.NewEncoder(&text)
	words := strings.Repeat("so it goes on, word after word, with a \"quotation\" and a line\n ", 8)
	for i := range 20_000 {
		_ = lines.Encode(map[string]string{ // a buffer takes everything
			"prompt":   fmt.Sprintf("\n\nHuman: question %d, %s\n\nAssistant:", i, words[:50+i%200]),
			"chosen":   " " + words[:100+i*7%350],
			"rejected": " no, " + words[:100+i*13%350],
		})
	}
	return text.Bytes()
}
