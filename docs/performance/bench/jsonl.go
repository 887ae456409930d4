package main

import (
	"bytes"
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
	return []benchmark{{"jsonl", len(text), func() error {
		for _, err := range dataset.Read[dataset.Pair](bytes.NewReader(text), "bench") {
			if err != nil {
				return err
			}
		}
		return nil
	}}}, nil
}

func preferences(file string) ([]byte, error) {
	if file != "" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return io.ReadAll(f)
	}
	var text bytes.Buffer
	words := strings.Repeat("so it goes on, word after word, with a \\\"quotation\\\" and a line\\n ", 8)
	for i := range 20_000 {
		fmt.Fprintf(&text, `{"prompt":"\n\nHuman: question %d, %s\n\nAssistant:","chosen":" %s","rejected":" no, %s"}`+"\n",
			i, words[:50+i%200], words[:100+i*7%350], words[:100+i*13%350])
	}
	return text.Bytes(), nil
}
