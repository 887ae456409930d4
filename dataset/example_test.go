package dataset_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/prefgrad/prefgrad/dataset"
)

// Four dialogues as HH-RLHF has them: the prompt is inside, one reply is blank, one pair parts before the last reply.
const dialogues = `{"chosen":"\n\nHuman: Is it raining?\n\nAssistant: Look outside.","rejected":"\n\nHuman: Is it raining?\n\nAssistant: No."}
{"chosen":"\n\nHuman: Hello\n\nAssistant: ","rejected":"\n\nHuman: Hello\n\nAssistant: Go away."}
{"chosen":"\n\nHuman: Why?\n\nAssistant: Because.","rejected":"\n\nHuman: How?\n\nAssistant: So."}
{"chosen":"\n\nHuman: Two and two?\n\nAssistant: Four.","rejected":"\n\nHuman: Two and two?\n\nAssistant: Five."}
`

// Reading a file: malformed lines stop the program, unusable pairs are skipped and counted.
func Example() {
	dir, err := os.MkdirTemp("", "dataset")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "pairs.jsonl")
	if err := os.WriteFile(path, []byte(dialogues), 0o600); err != nil {
		panic(err)
	}

	split, err := dataset.NewSplit(0.8, 0.1, 0.1)
	if err != nil {
		panic(err)
	}
	var sum dataset.Summary
	for p, err := range dataset.Usable(dataset.Pairs(path), false, &sum) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%d %s: %q %q\n", p.At.Line, split.Part(p.Prompt), p.Chosen, p.Rejected)
	}
	fmt.Println(sum)
	// Output:
	// 1 train: " Look outside." " No."
	// 4 train: " Four." " Five."
	// 4 read, 2 used, 2 skipped (1 blank reply: chosen, 1 prompts differ)
}

func ExampleRead() {
	lines := `{"prompt":"2+2=","completion":"4","label":true}
{"prompt":"2+2=","completion":"5","label":"no"}
{"prompt":"2+2=","completion":"6","label":false}`
	for u, err := range dataset.Read[dataset.Unpaired](strings.NewReader(lines), "sums.jsonl") {
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(u.Prompt, u.Completion, u.Label)
	}
	// Output:
	// 2+2= 4 true
	// sums.jsonl:2: label: wrong type: want true or false, have a string
	// 2+2= 6 false
}

func ExamplePair_AsChat() {
	for p, err := range dataset.Read[dataset.Pair](strings.NewReader(dialogues), "dialogues") {
		if err != nil {
			continue
		}
		talk, err := p.AsChat()
		fmt.Println(talk.Prompt.Messages, talk.Chosen.Messages, err)
	}
	// Output:
	// [{user Is it raining?}] [{assistant Look outside.}] <nil>
	// [{user Two and two?}] [{assistant Four.}] <nil>
}

func ExampleParseTurns() {
	messages, err := dataset.ParseTurns("\n\nHuman: Hello\n\nAssistant: Hi.\n\nHuman: Bye")
	fmt.Println(messages, err)
	// Output: [{user Hello} {assistant Hi.} {user Bye}] <nil>
}

func ExampleShuffle() {
	prompts := dataset.Read[dataset.PromptOnly](strings.NewReader(`{"prompt":"a"}
{"prompt":"b"}
{"prompt":"c"}
{"prompt":"d"}`), "letters")
	for p := range dataset.Shuffle(prompts, 1, dataset.InFull) {
		fmt.Print(p.Prompt, " ")
	}
	// Output: b c a d
}

func ExampleSplit() {
	split, err := dataset.NewSplit(0.7, 0.1, 0.2)
	if err != nil {
		panic(err)
	}
	for _, prompt := range []string{"a", "b", "c"} {
		fmt.Println(prompt, split.Part(dataset.Text{Plain: prompt}))
	}
	// Output:
	// a train
	// b validation
	// c test
}

// Reference log-probabilities are stored with what they were computed from, and refused for anything else.
func ExamplePair_CheckRef() {
	p := dataset.Pair{Prompt: dataset.Text{Plain: "2+2="}, Chosen: dataset.Text{Plain: "4"}, Rejected: dataset.Text{Plain: "5"}}
	p.Ref = &dataset.Ref{Chosen: -0.1, Rejected: -3.5, Fingerprint: dataset.NewFingerprint(p, "tiny-llama@1f2e", "bfloat16")}

	out := dataset.NewEncoder[dataset.Pair](os.Stdout)
	if err := out.Encode(p); err != nil {
		panic(err)
	}
	if err := out.Close(); err != nil {
		panic(err)
	}
	fmt.Println(p.CheckRef("tiny-llama@1f2e", "bfloat16"))
	fmt.Println(p.CheckRef("tiny-llama@9a8b", "bfloat16"))
	// Output:
	// {"prompt":"2+2=","chosen":"4","rejected":"5","ref_chosen_logps":-0.1,"ref_rejected_logps":-3.5,"ref_fingerprint":"sha256:9a6f9e9affb45cef670d6d04c1ce8d46"}
	// <nil>
	// ref_fingerprint: fingerprint mismatch: have sha256:9a6f9e9affb45cef670d6d04c1ce8d46, want sha256:e8dbc52e40aae23792b8e6a86f1e001e
}

func ExampleCensus() {
	var census dataset.Census
	for p, err := range dataset.Read[dataset.Pair](strings.NewReader(`{"prompt":"2+2=","chosen":"4","rejected":"5"}
{"prompt":"2+2=","chosen":"4","rejected":"5"}
{"prompt":"2+2=","chosen":"5","rejected":"4"}`), "sums") {
		if err == nil {
			census.Add(p)
		}
	}
	fmt.Println(census.Pairs, census.Prompts, census.Duplicates, census.Contradictions)
	// Output: 3 1 1 1
}
