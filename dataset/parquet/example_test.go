package parquet_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/prefgrad/prefgrad/dataset"
	"github.com/prefgrad/prefgrad/dataset/parquet"
)

// Reading the shards of a data set: malformed rows stop the program, unusable pairs are skipped and counted.
func Example() {
	files, err := parquet.Glob("testdata/datasets-chat-*-of-00003.parquet")
	if err != nil {
		panic(err)
	}
	var sum dataset.Summary
	for p, err := range dataset.Usable(parquet.Pairs(files...), false, &sum) {
		if err != nil {
			fmt.Println(err)
			return
		}
		if sum.Read%10 == 1 {
			fmt.Println(p.At.Line, len(p.Prompt.Messages), p.Chosen.Messages[0])
		}
	}
	fmt.Println(sum)
	// Output:
	// 1 2 {assistant yes 0: plain}
	// 3 5 {assistant yes 10: plain}
	// 5 1 {assistant yes 20: plain}
	// 24 read, 24 used, 0 skipped
}

func ExampleOpen() {
	for u, err := range parquet.Open[dataset.Unpaired]("testdata/bad-unpaired.parquet") {
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(u.Prompt, u.Completion, u.Label)
	}
	// Output:
	// p c true
	// testdata/bad-unpaired.parquet:2: label: missing field
	// testdata/bad-unpaired.parquet:3: prompt: missing field
	// testdata/bad-unpaired.parquet:4: completion: missing field
	// testdata/bad-unpaired.parquet:5: completion: empty field
	// testdata/bad-unpaired.parquet:6: completion: blank reply
}

// A file of JSONL becomes one of Parquet.
func ExampleCreate() {
	dir, err := os.MkdirTemp("", "parquet")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "pairs.parquet")

	out, err := parquet.Create[dataset.Pair](path)
	if err != nil {
		panic(err)
	}
	for p, err := range dataset.Pairs("testdata/numbers.jsonl") {
		if err != nil {
			panic(err)
		}
		if err := out.Encode(p); err != nil {
			panic(err)
		}
	}
	if err := out.Close(); err != nil {
		panic(err)
	}
	for p := range parquet.Pairs(path) {
		fmt.Println(p.At.Line, p.Prompt, *p.Margin, p.Ref.Chosen)
	}
	// Output:
	// 1 p 0 0
	// 2 p 1 -1
	// 3 p 7 -7
	// 4 p 1.6777216e+07 -1.6777216e+07
	// 5 p 3e+09 -1.6777216e+07
}
