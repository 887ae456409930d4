"""Loads a model, and an adapter if there is one, that this package wrote, and prints the
logits after each token of some ids as JSON.

    python check.py MODEL [--adapter FOLDER] ID…

Made with torch 2.15.0, transformers 5.23.0, peft 0.21.2.
"""

import argparse
import json

import torch
from transformers import AutoModelForCausalLM

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("--adapter")
parser.add_argument("ids", type=int, nargs="+")
args = parser.parse_args()
torch.set_num_threads(1)
model, info = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32, output_loading_info=True)
assert not any(info.values()), info
if args.adapter:
    from peft import PeftModel

    model = PeftModel.from_pretrained(model, args.adapter)
    assert all(p.abs().sum() > 0 for n, p in model.named_parameters() if "lora_" in n)
with torch.no_grad():
    print(json.dumps(model.eval()(input_ids=torch.tensor([args.ids])).logits[0].tolist()))
