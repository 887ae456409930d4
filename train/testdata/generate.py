"""Writes optimizers.json. The tests only read it; nobody needs to run this.

    pip install -r requirements.txt
    python generate.py

torch.optim.AdamW and torch.optim.SGD take steps in float64 on random gradients. One parameter never gets a
gradient, and one step has none. Clipping is the definition, since torch.nn.utils.clip_grad_norm_ adds 1e-6 to the
norm that it divides by.
"""
import json
import pathlib

import torch

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
HERE = pathlib.Path(__file__).parent
STEPS, SIZE = 12, 7

CASES = [
    dict(kind="adamw"),
    dict(kind="adamw", lr=0.3, weight_decay=0.1),
    dict(kind="adamw", beta1=0.0, beta2=0.5, eps=1e-3, max_norm=0.7),
    dict(kind="adamw", beta1=0.8, beta2=0.9, weight_decay=1.0, max_norm=1.0, scale=0.25),
    dict(kind="sgd"),
    dict(kind="sgd", momentum=0.9, max_norm=0.5),
    dict(kind="sgd", momentum=0.5, weight_decay=0.2, scale=3.0),
]


def run(seed, kind, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8, momentum=0.0, weight_decay=0.0, max_norm=None, scale=1.0):
    g = torch.Generator().manual_seed(seed)
    start = torch.randn(SIZE, generator=g)
    start[1] = 0
    grads = torch.randn(STEPS, SIZE, generator=g) * torch.logspace(-3, 2, SIZE)
    grads[:, 2] = 0  # never gets a gradient
    grads[5] = 0  # a step without one
    rates = [lr * (1 + 0.1 * t) for t in range(STEPS)]
    theta = start.clone().requires_grad_()
    if kind == "adamw":
        opt = torch.optim.AdamW([theta], lr=1.0, betas=(beta1, beta2), eps=eps, weight_decay=weight_decay)
    else:
        opt = torch.optim.SGD([theta], lr=1.0, momentum=momentum, weight_decay=weight_decay)
    params, norms = [], []
    for t in range(STEPS):
        theta.grad = grads[t] * scale
        norms.append(theta.grad.norm().item())
        if max_norm is not None:
            theta.grad.mul_(max_norm / max(norms[-1], max_norm))
        opt.param_groups[0]["lr"] = rates[t]
        opt.step()
        params.append(theta.detach().tolist())
    return dict(
        kind=kind, beta1=beta1, beta2=beta2, epsilon=eps, momentum=momentum, weight_decay=weight_decay, scale=scale,
        max_norm=max_norm, start=start.tolist(), rates=rates, grads=grads.tolist(), params=params, norms=norms)


(HERE / "optimizers.json").write_text(json.dumps([run(i, **c) for i, c in enumerate(CASES)], separators=(",", ":")) + "\n")
