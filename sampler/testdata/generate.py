"""Writes transforms.json. The tests only read it; nobody needs to run this.

    pip install -r requirements.txt
    python generate.py

The logits processors of transformers 5.23.0 run here on float32 logits held in float64, one row at a time, and
torch takes the log-softmax of what they leave. Where a part of the mass is asked for, a case is refused whose edge
is within 1e-9 of it: there rounding decides. The order of processors is the one in which transformers itself
builds their list.
"""
import json
import pathlib
import random

import numpy as np
import torch
import transformers
from transformers.generation import logits_process as lp

torch.set_num_threads(1)
assert transformers.__version__ == "5.23.0"
MAKE = {
    "RepetitionPenalty": lambda v: lp.RepetitionPenaltyLogitsProcessor(v),
    "Ban": lambda v: lp.SuppressTokensLogitsProcessor(v),
    "Allow": lambda v: lp.PrefixConstrainedLogitsProcessor(lambda _, __: v, num_beams=1),
    "Temperature": lambda v: lp.TemperatureLogitsWarper(v),
    "TopK": lambda v: lp.TopKLogitsWarper(v),
    "TopP": lambda v: lp.TopPLogitsWarper(v),
    "MinP": lambda v: lp.MinPLogitsWarper(v),
    "Typical": lambda v: lp.TypicalLogitsWarper(v),
}


def clear(name, value, z):
    """Whether no sum of masses is so near to what is asked for that rounding decides."""
    p = torch.softmax(z, -1)[0]
    if name == "TopP":
        edges = torch.sort(p).values.cumsum(0) - (1 - value)
    elif name == "Typical":
        logp = torch.log_softmax(z, -1)[0]
        distance = (-logp + (logp * p).nansum()).abs()
        edges = p[torch.sort(distance).indices].cumsum(0) - value
    elif name == "MinP" and value < 1:
        edges = p / p.max() - value
    else:
        return True
    return edges.abs().min() > 1e-9


def case(name, logits, transforms, history=()):
    z = torch.tensor(np.array(logits, dtype=np.float32)[None].astype(np.float64))
    ids = torch.tensor([list(history)], dtype=torch.long)
    for kind, value in transforms:
        assert clear(kind, value, z), (name, kind)
        z = MAKE[kind](value)(ids, z.clone())
    logp = torch.log_softmax(z, -1)[0].tolist()
    return {
        "name": name, "logits": [x if x > -1e30 else "-Infinity" for x in np.array(logits, dtype=np.float32).tolist()],
        "history": list(history), "transforms": [{"kind": k, "value": v} for k, v in transforms],
        "logprob": [x if x > float("-inf") else "-Infinity" for x in logp],
    }


def order():
    """The list that transformers builds, in our names."""
    names = {
        "RepetitionPenaltyLogitsProcessor": "RepetitionPenalty", "SuppressTokensLogitsProcessor": "Ban",
        "PrefixConstrainedLogitsProcessor": "Allow", "TemperatureLogitsWarper": "Temperature",
        "TopKLogitsWarper": "TopK", "TopPLogitsWarper": "TopP", "MinPLogitsWarper": "MinP",
        "TypicalLogitsWarper": "Typical",
    }
    config = transformers.GPT2Config(vocab_size=8, n_positions=8, n_embd=4, n_layer=1, n_head=1, bos_token_id=0, eos_token_id=0)
    model = transformers.GPT2LMHeadModel(config)
    g = transformers.GenerationConfig(
        do_sample=True, repetition_penalty=1.2, suppress_tokens=[1], temperature=0.7, top_k=5, top_p=0.9, min_p=0.1,
        typical_p=0.8)
    made = model._get_logits_processor(
        g, input_ids_seq_length=1, prefix_allowed_tokens_fn=lambda _, __: [0, 2], device="cpu", logits_processor=[])
    return [names[type(p).__name__] for p in made]


def main():
    r = random.Random(7)
    cases = []
    for n, spread in [(3, 1), (12, 2), (50, 3), (200, 0.3)]:
        row = lambda: [r.gauss(0, spread) for _ in range(n)]
        history = [r.randrange(n) for _ in range(9)]
        for t in [0.3, 1.7]:
            cases.append(case(f"temperature {t}, {n}", row(), [("Temperature", t)]))
        for k in [1, 2, n // 2 + 1, n + 5]:
            cases.append(case(f"top-k {k}, {n}", row(), [("TopK", k)]))
        for p in [0.01, 0.3, 0.9, 0.999]:
            cases.append(case(f"top-p {p}, {n}", row(), [("TopP", p)]))
            cases.append(case(f"typical {p}, {n}", row(), [("Typical", p)]))
        for p in [0.0, 0.05, 0.7, 0.999]:
            cases.append(case(f"min-p {p}, {n}", row(), [("MinP", p)]))
        for p in [0.8, 1.0, 1.3]:
            cases.append(case(f"penalty {p}, {n}", row(), [("RepetitionPenalty", p)], history))
        cases.append(case(f"ban, {n}", row(), [("Ban", sorted({0, n // 2}))]))
        cases.append(case(f"allow, {n}", row(), [("Allow", sorted({1, n - 1}))]))
        everything = [
            ("RepetitionPenalty", 1.2), ("Ban", [2]), ("Temperature", 0.8), ("TopK", n // 2 + 1), ("TopP", 0.93),
            ("MinP", 0.02), ("Typical", 0.9)]
        cases.append(case(f"all in order, {n}", row(), everything, history))
        cases.append(case(f"all in reverse, {n}", row(), everything[::-1], history))
    inf = float("inf")
    ties = [1, 3, 3, 0.5, 3, 1, -1, 1]
    cases += [
        case("top-k keeps the ties of the second", ties, [("TopK", 2)]),
        case("top-k keeps the ties of the fourth", ties, [("TopK", 4)]),
        case("min-p of 1 keeps the equals of the first", ties, [("MinP", 1.0)]),
        case("typical keeps ties", ties, [("Typical", 0.2)]),
        case("typical keeps other ties", ties, [("Typical", 0.94)]),
        case("one token", [2.5], [("Temperature", 2.0), ("TopK", 1), ("TopP", 0.5), ("MinP", 0.5)]),
        case("one finite logit", [-inf, -4, -inf], [("Temperature", 0.5), ("TopK", 2), ("TopP", 0.4), ("MinP", 0.9)]),
        case("impossible tokens", [1, -inf, 2, -inf, 0.5, 1.5], [("TopK", 3), ("TopP", 0.8)]),
        case("impossible tokens, typical", [1, -inf, 2, -inf, 0.5, 1.5], [("Typical", 0.6)]),
        case("far apart", [0, -800, 1e4, 9999, -1e4], [("TopP", 0.9)]),
        case("penalty of impossible and zero", [0, -inf, -0.0, 2, -3], [("RepetitionPenalty", 1.5)], [0, 1, 2, 3, 3]),
    ]
    out = {"order": order(), "cases": cases}
    pathlib.Path(__file__).with_name("transforms.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")


main()
