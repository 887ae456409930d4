"""Makes small tokenizers of the kinds that Llama-like models have, and what the
tokenizers library computes with them.

    python golden.py

Versions: tokenizers 0.23.3. Others may train other merges.
"""

import json
import os

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = os.path.dirname(os.path.abspath(__file__))
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CORPUS = [
    "The quick brown fox jumps over the lazy dog. The dog doesn't mind; it's asleep.",
    "def main():\n    print('hello, world')\n\n    return 12345 + 67890\n",
    "Preference optimization compares two answers, and prefers the one that people prefer.",
    "Größe, café, naïve, Zürich — 日本語のテキスト, русский текст, 🙂🙃.",
] * 3
TEXTS = [
    "",
    "a",
    " leading and trailing ",
    "The quick brown fox doesn't jump.",
    "Numbers: 1, 22, 333, 4444, 55555; and 3.14159!",
    "two  spaces,   three,\ttab\n\nnewlines\r\n  indented",
    "<|im_start|>user\nHello there!<|im_end|>\n<|im_start|>assistant\n",
    "text<|im_end|>text <|im_end|> text",
    "Größe, café, naïve — 日本語 русский 🙂 e\u0301",
    "I'M SURE THEY'LL say 'twas we've",
    "unknown \u0f40\u0f0b and \u0000 control \u200b zero-width",
    "http://example.org/a?b=c&d=%20#frag (x*y)**2 != x[1:-1]",
    "   ",
    "\n",
]
# Ids in no order, so that bytes do not make characters.
BROKEN = [[(i * 37 + k) % 300 for i in range(40)] for k in range(6)] + [[i] for i in range(3, 300, 7)]
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def byte_level(pre, post=None):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer, t.decoder = pre, decoders.ByteLevel()
    t.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=340, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    )
    if post:
        t.post_processor = post
    return t


def smollm2():
    return byte_level(
        pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    )


def llama3():
    return byte_level(
        pre_tokenizers.Sequence(
            [pre_tokenizers.Split(Regex(LLAMA3), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
        ),
        processors.TemplateProcessing(single="<|endoftext|> $A", pair="$A $B", special_tokens=[("<|endoftext|>", 0)]),
    )


def llama2():
    trained = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    trained.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    trained.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=420, special_tokens=["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)])
    )
    spec = json.loads(trained.to_str())
    spec["added_tokens"] = [a for a in spec["added_tokens"] if a["id"] < 3]  # bytes are tokens like others
    t = Tokenizer.from_str(json.dumps(spec))
    t.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(content=" ", left=1)]
    )
    t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    return t


def metaspace():
    t = llama2()
    t.normalizer = None
    t.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=True)
    t.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="first", split=True)
    return t


for name, make in {"smollm2": smollm2, "llama3": llama3, "llama2": llama2, "metaspace": metaspace}.items():
    t = make()
    os.makedirs(os.path.join(HERE, name), exist_ok=True)
    t.save(os.path.join(HERE, name, "tokenizer.json"), pretty=False)
    golden = [{"ids": ids, "decoded": t.decode(ids, skip_special_tokens=False)} for ids in BROKEN]
    for text in TEXTS:
        ids = t.encode(text, add_special_tokens=False).ids
        golden.append({
            "text": text, "ids": ids, "prompt": t.encode(text).ids, "decoded": t.decode(ids, skip_special_tokens=False),
        })
    with open(os.path.join(HERE, name, "golden.json"), "w") as f:
        json.dump(golden, f)
        f.write("\n")
