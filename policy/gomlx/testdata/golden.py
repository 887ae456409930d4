"""Makes the golden files of this folder: tiny random Llamas, a LoRA adapter, and what
transformers, torch, PEFT and TRL compute with them in float32 on a CPU.

    python golden.py

Versions: torch 2.15.0, transformers 5.23.0, peft 0.21.2, trl 1.16.0, tokenizers 0.23.3,
safetensors 0.8.0, datasets 5.2.0. Others may give other last digits.
"""

import json
import os
import tempfile

import torch
import torch.nn.functional as F
from datasets import Dataset
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from trl import DPOConfig, DPOTrainer

HERE = os.path.dirname(os.path.abspath(__file__))
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)

TINY = dict(
    vocab_size=32, hidden_size=16, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    intermediate_size=24, max_position_embeddings=64, rms_norm_eps=1e-5, tie_word_embeddings=False,
    bos_token_id=None, eos_token_id=29, pad_token_id=30, rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
)
TIED = dict(
    vocab_size=20, hidden_size=12, num_hidden_layers=1, num_attention_heads=3, num_key_value_heads=1, head_dim=8,
    intermediate_size=16, max_position_embeddings=128, rms_norm_eps=1e-6, tie_word_embeddings=True,
    bos_token_id=1, eos_token_id=[2, 3],
    rope_parameters={
        "rope_type": "llama3", "rope_theta": 100.0, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32,
    },
)
# Pairs of prompt, chosen, rejected, of different lengths.
PAIRS = [
    ([1, 5, 9], [3, 7, 2, 29], [4, 29]),
    ([8, 2, 2, 11, 17, 6], [12, 1], [19, 3, 5, 8, 13, 21, 29]),
    ([25], [16, 14, 29], [16, 15, 10, 29]),
]
BETA = 0.1


def make(options, seed):
    torch.manual_seed(seed)
    model = LlamaForCausalLM(LlamaConfig(attn_implementation="eager", **options)).float().eval()
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn_like(p) * 0.3 + (1.0 if p.dim() == 1 else 0.0))
    return model


def token_logits(model, prompt, reply):
    """The logits that the tokens of a reply are drawn from, one sequence at a time: no padding."""
    ids = torch.tensor([prompt + reply])
    return model(input_ids=ids).logits[0, len(prompt) - 1 : -1]


def stats(z, reply, zref=None):
    logp = F.log_softmax(z, -1)
    p = logp.exp()
    out = {
        "LogProb": logp[range(len(reply)), reply],
        "Entropy": -(p * logp).sum(-1),
        "SumSq": (p * p).sum(-1).log(),
    }
    if zref is not None:
        out["KL"] = (p * (logp - F.log_softmax(zref, -1))).sum(-1)
    return out


def dpo(model, refs):
    """The mean DPO loss over PAIRS; refs are the reference's log-probabilities (chosen, rejected)."""
    loss = 0.0
    for (prompt, chosen, rejected), (c, r) in zip(PAIRS, refs):
        lc = stats(token_logits(model, prompt, chosen), chosen)["LogProb"].sum()
        lr = stats(token_logits(model, prompt, rejected), rejected)["LogProb"].sum()
        loss = loss - F.logsigmoid(BETA * ((lc - c) - (lr - r))) / len(PAIRS)
    return loss


def sequence_logps(model):
    with torch.no_grad():
        return [
            [stats(token_logits(model, p, y), y)["LogProb"].sum().item() for y in (c, r)] for p, c, r in PAIRS
        ]


def gradients(loss, model, prefix, tensors):
    model.zero_grad()
    loss.backward()
    for name, p in model.named_parameters():
        if p.grad is not None:
            tensors[prefix + name.replace(".default", "")] = p.grad.clone()


def weight(i, t):
    """An arbitrary weight of token t of sequence i."""
    return ((i * 7 + t * 3) % 5 - 2) / 4


def mixed(model, base, tensors, prefix, golden):
    """Statistics of every reply of PAIRS against the base, and the gradient of a weighted sum of all."""
    total, i = 0.0, 0
    golden["stats"] = []
    for prompt, chosen, rejected in PAIRS:
        for reply in (chosen, rejected):
            with torch.no_grad():
                zref = base(prompt, reply)
            s = stats(token_logits(model, prompt, reply), reply, zref)
            golden["stats"].append({k: v.tolist() for k, v in s.items()})
            for f, v in enumerate(s.values()):
                for t in range(len(reply)):
                    total = total + weight(i + f, t) * v[t]
            i += 1
    gradients(total, model, prefix, tensors)


def tokenizer():
    vocab = {f"t{i}": i for i in range(29)} | {"</s>": 29, "<pad>": 30, "<unk>": 31}
    t = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    t.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=t, eos_token="</s>", pad_token="<pad>", unk_token="<unk>")


def words(ids):
    return "".join(f" t{i}" for i in ids)


def trl(model, steps=5, **kwargs):
    """The losses of DPOTrainer, with the token ids of its batches."""
    g = torch.Generator().manual_seed(7)
    draw = lambda n: torch.randint(0, 29, (n,), generator=g).tolist()
    rows = [
        {"prompt": words(draw(3 + i % 4)).strip(), "chosen": words(draw(2 + i % 5)), "rejected": words(draw(1 + i % 3))}
        for i in range(4 * steps)
    ]
    record = []

    class Recorder(DPOTrainer):
        def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
            loss = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            ids, reply, seen = inputs["input_ids"], inputs["completion_mask"], inputs["attention_mask"]
            sequences = []
            for row in range(len(ids)):
                n = int(seen[row].sum())
                assert seen[row, :n].all()
                sequences.append({"ids": ids[row, :n].tolist(), "prompt": n - int(reply[row].sum())})
            record.append({"loss": loss.item(), "sequences": sequences})
            return loss

    with tempfile.TemporaryDirectory() as out:
        args = DPOConfig(
            output_dir=out, per_device_train_batch_size=4, max_steps=steps, learning_rate=3e-3, beta=BETA,
            lr_scheduler_type="constant", weight_decay=0.01, max_grad_norm=1.0, bf16=False, gradient_checkpointing=False,
            use_cpu=True, report_to="none", logging_steps=1, save_strategy="no", optim="adamw_torch", seed=3, data_seed=3,
            disable_tqdm=True,
        )
        trainer = Recorder(model=model, args=args, train_dataset=Dataset.from_list(rows), processing_class=tokenizer(), **kwargs)
        trainer.train()
        norms = [e["grad_norm"] for e in trainer.state.log_history if "grad_norm" in e]
    return {"beta": BETA, "lr": 3e-3, "weight_decay": 0.01, "max_norm": 1.0, "steps": record, "norms": norms}, trainer.model


def main():
    golden, tensors = {}, {}
    for name, options, seed in (("tiny", TINY, 1), ("tied", TIED, 2)):
        model = make(options, seed)
        model.save_pretrained(os.path.join(HERE, name))
        os.remove(os.path.join(HERE, name, "generation_config.json"))
        ids = [(i * i * 7 + 3 * i) % options["vocab_size"] for i in range(40 if name == "tied" else 11)]
        with torch.no_grad():
            tensors[name + "/logits"] = model(input_ids=torch.tensor([ids])).logits[0].clone()
        golden[name] = {"ids": ids}

    model = make(TINY, 1)
    refs = [[-14.0, -7.5], [-8.0, -25.0], [-11.0, -15.5]]
    loss = dpo(model, refs)
    golden["dpo"] = {"pairs": PAIRS, "beta": BETA, "refs": refs, "loss": loss.item(), "logps": sequence_logps(model)}
    gradients(loss, model, "dpo/", tensors)

    torch.manual_seed(4)
    config = LoraConfig(
        r=3, lora_alpha=6, lora_dropout=0.0, target_modules=["q_proj", "v_proj", "down_proj"], task_type="CAUSAL_LM",
    )
    lora = get_peft_model(make(TINY, 1), config).eval()
    with torch.no_grad():
        for n, p in lora.named_parameters():
            if "lora_" in n:
                p.copy_(torch.randn_like(p) * 0.3)
    lora.save_pretrained(os.path.join(HERE, "lora"))
    os.remove(os.path.join(HERE, "lora", "README.md"))
    path = os.path.join(HERE, "lora", "adapter_config.json")
    with open(path) as f:
        saved = json.load(f)
    saved["target_modules"].sort()  # a set, in no order
    with open(path, "w") as f:
        json.dump(saved, f, indent=2)
        f.write("\n")
    with torch.no_grad():
        tensors["lora/logits"] = lora(input_ids=torch.tensor([golden["tiny"]["ids"]])).logits[0].clone()
    with lora.disable_adapter():
        refs = sequence_logps(lora)
    loss = dpo(lora, refs)
    golden["lora"] = {"loss": loss.item(), "logps": sequence_logps(lora)}
    gradients(loss, lora, "lora/dpo/", tensors)

    def base(prompt, reply):
        with lora.disable_adapter():
            return token_logits(lora, prompt, reply)

    mixed(lora, base, tensors, "lora/mixed/", golden["lora"])

    golden["trl"], _ = trl(make(TINY, 1), ref_model=make(TINY, 1))
    model = PeftModel.from_pretrained(make(TINY, 1), os.path.join(HERE, "lora"), is_trainable=False)
    fresh = get_peft_model(make(TINY, 1), config)
    with torch.no_grad():
        for n, p in fresh.named_parameters():
            if "lora_A" in n:
                p.copy_(dict(model.named_parameters())[n])
    golden["trl_lora"], _ = trl(fresh)

    save_file({k: v.contiguous() for k, v in tensors.items()}, os.path.join(HERE, "golden.safetensors"))
    with open(os.path.join(HERE, "golden.json"), "w") as f:
        json.dump(golden, f)
        f.write("\n")


if __name__ == "__main__":
    main()
