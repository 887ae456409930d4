package chat_test

import (
	"strings"
	"testing"

	"github.com/prefgrad/prefgrad/dataset"
	"github.com/prefgrad/prefgrad/dataset/chat"
)

func BenchmarkPlain(b *testing.B) {
	long := strings.Repeat("nobody really knows ", 20)
	pair := dataset.Pair{Prompt: talk("user", long, "assistant", long, "user", long), Chosen: talk("assistant", long), Rejected: talk("assistant", "no")}
	for _, t := range []struct {
		name string
		chat.Template
	}{{"ChatML", chat.ChatML{}}, {"Llama31", chat.Llama31{Date: chat.Llama31Date}}} {
		b.Run(t.name, func(b *testing.B) {
			b.ReportAllocs()
			plain := chat.Plain[dataset.Pair](t.Template)
			for b.Loop() {
				if _, err := plain(pair); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
