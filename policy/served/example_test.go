package served_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/prefgrad/prefgrad/policy"
	"github.com/prefgrad/prefgrad/policy/served"
)

// coin stands for a server: every token is heads or tails, ids 1 and 2, with probability ¼
// and ¾, or the end, id 3, which is certain after two tokens.
func coin(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/version":
		fmt.Fprint(w, `{"version":"0"}`)
	case "/v1/models":
		fmt.Fprint(w, `{"data":[{"id":"coin"}]}`)
	case "/v1/completions":
		var in struct {
			Prompt []int32
			Score  *int `json:"prompt_logprobs"`
		}
		_ = json.NewDecoder(r.Body).Decode(&in)
		if in.Score == nil {
			fmt.Fprint(w, `{"choices":[{"text":"heads tails","finish_reason":"stop","logprobs":{
				"tokens":["token_id:1","token_id:2","token_id:3"],"token_logprobs":[-1.3863,-0.2877,0]}}]}`)
			return
		}
		list := []any{nil}
		for range in.Prompt[1:] {
			list = append(list, json.RawMessage(`{"1":{"logprob":-1.3863},"2":{"logprob":-0.2877},"3":{"logprob":0}}`))
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"choices": []any{map[string]any{"prompt_logprobs": list}}})
	}
}

// A served model scores replies and draws them. SkipProbe is for the stand-in of this
// example; leave it out for a real server.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(coin))
	defer server.Close()
	ctx := context.Background()
	m, err := served.Open(ctx, served.Config{URL: server.URL, Protocol: served.VLLM, SkipProbe: true})
	if err != nil {
		log.Fatal(err)
	}
	x := served.Prompt{IDs: []int32{9}}
	s, err := m.Score(ctx, x, served.Reply{IDs: []int32{2, 2, 3}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("log π = %.3f, by token %.3f\n", s.LogProb, s.Tokens)

	draws := policy.Draws[served.Reply]{Y: make([]served.Reply, 2), LogProb: make([]float64, 2)}
	if err := m.Sample(ctx, draws, []served.Prompt{x}, []uint64{0}, 2, policy.Key{Seed: 1}); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%q %v ended by %v, log π = %.3f\n", draws.Y[0].Text, draws.Y[0].IDs, draws.Y[0].End, draws.LogProb[0])
	// Output:
	// log π = -0.575, by token [-0.288 -0.288 0.000]
	// "heads tails" [1 2 3] ended by eos, log π = -1.674
}

// The model behind its ids is what a trainable model with the same vocabulary takes as its
// reference.
func ExampleIDs() {
	server := httptest.NewServer(http.HandlerFunc(coin))
	defer server.Close()
	ctx := context.Background()
	m, err := served.Open(ctx, served.Config{URL: server.URL, Protocol: served.VLLM, SkipProbe: true})
	if err != nil {
		log.Fatal(err)
	}
	var ref policy.Policy[[]int32, []int32] = served.IDs{Model: m}
	logp := make([]float64, 2)
	err = ref.LogProbs(ctx, logp, [][]int32{{9}, {9}}, [][]int32{{1}, {2, 1}})
	fmt.Printf("%.3f %v\n", logp, err)
	// Output: [-1.386 -1.674] <nil>
}

// A key is read from the environment at each request, and never printed.
func ExampleEnvKey() {
	_, err := served.Open(context.Background(), served.Config{
		URL:      "https://models.example/v1",
		Key:      served.EnvKey("EXAMPLE_KEY_THAT_IS_NOT_SET"),
		Protocol: served.Echo,
		Model:    "some-model",
	})
	fmt.Println(err)
	// Output: served: GET /v1/models, attempt 1 of 6: Config.Key: environment variable EXAMPLE_KEY_THAT_IS_NOT_SET is not set
}
