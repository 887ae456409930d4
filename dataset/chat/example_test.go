package chat_test

import (
	"fmt"
	"strings"

	"github.com/prefgrad/prefgrad/dataset"
	"github.com/prefgrad/prefgrad/dataset/chat"
)

const talks = `{"prompt":[{"role":"user","content":"Two and two?"}],"chosen":[{"role":"assistant","content":"Four."}],"rejected":[{"role":"assistant","content":"Five."}]}
{"prompt":[{"role":"user","content":"Hi"}],"chosen":[{"role":"tool","content":"4"}],"rejected":[{"role":"assistant","content":"Hello."}]}
`

// Conversations become the text that a model was trained with; what cannot be told apart is skipped and counted.
func Example() {
	pairs := dataset.Map(dataset.Read[dataset.Pair](strings.NewReader(talks), "talks"), chat.Plain[dataset.Pair](chat.SmolLM2{}))
	var sum dataset.Summary
	for p, err := range dataset.Usable(pairs, false, &sum) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%q\n%q\n%q\n", p.Prompt, p.Chosen, p.Rejected)
	}
	fmt.Println(sum)
	// Output:
	// "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n<|im_start|>user\nTwo and two?<|im_end|>\n<|im_start|>assistant\n"
	// "Four.<|im_end|>\n"
	// "Five.<|im_end|>\n"
	// 2 read, 1 used, 1 skipped (1 no boundary: chosen)
}

func ExampleLlama31() {
	text, err := chat.Llama31{Date: "01 Feb 2025"}.Render([]dataset.Message{{Role: "user", Content: "Two and two?"}}, true)
	fmt.Print(text, err)
	// Output:
	// <|begin_of_text|><|start_header_id|>system<|end_header_id|>
	//
	// Cutting Knowledge Date: December 2023
	// Today Date: 01 Feb 2025
	//
	// <|eot_id|><|start_header_id|>user<|end_header_id|>
	//
	// Two and two?<|eot_id|><|start_header_id|>assistant<|end_header_id|>
	//
	// <nil>
}

// A tokenizer that knows "4." as one token: where the prompt ends in "4", the boundary is lost.
func ExampleTokenize() {
	tokenizer := func(text string) (ids []int32, err error) {
		for text != "" {
			n := 1
			if strings.HasPrefix(text, "4.") {
				n = 2
			}
			ids, text = append(ids, int32(text[n-1])), text[n:]
		}
		return ids, nil
	}
	fmt.Println(chat.Tokenize(tokenizer, "2+2=", "4."))
	fmt.Println(chat.Tokenize(tokenizer, "2+2=4", "."))
	// Output:
	// {[50 43 50 61 46] 4} <nil>
	// {[] 0} reply: no boundary: the prompt's tokens are not the first tokens of prompt and reply
}
