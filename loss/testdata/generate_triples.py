"""Writes triples.json, the golden numbers of the objectives with a third reply. The tests only read it; nobody needs
to run this.

    pip install -r requirements.txt
    python generate_triples.py

TRL 1.16.0 runs its TPO on logits of two words whose log-probabilities are those of the row; its likelihood is the mean over
the tokens of a batch, here of one reply. No peer has SLiC's two terms, so torch differentiates the definition.
"""
import types

import numpy as np
import torch

from generate import autograd, columns, trainer, write

rng = np.random.default_rng(6)
REPLIES = ["chosen", "rejected", "gold"]


def random_rows(n):
    rows = []
    for _ in range(n):
        row = dict(zip(REPLIES, map(float, rng.uniform(-40, -5, 3))))
        row["rejected"] = row["chosen"] + float(rng.normal(0, 4))
        row.update((k + "_len", int(v)) for k, v in zip(REPLIES, rng.integers(1, 20, 3)))
        rows.append(row)
    return rows


def trl_tpo(kind, **options):
    fields = dict(loss_type=kind, label_smoothing=0.0, tpo_l_gamma=0.0) | options

    def call(**row):
        from trl.experimental.tpo.tpo_trainer import TPOTrainer
        width = 1 + max(row[k + "_len"] for k in REPLIES)
        logits, mask = [], torch.zeros(3, width, dtype=torch.long)
        for i, k in enumerate(REPLIES):
            n = row[k + "_len"]
            token = row[k] / n  # log p of word 0, with log(1 − p) beside it
            words = torch.stack([token, torch.log(-torch.expm1(token))]).expand(n, 2)
            logits.append(torch.cat([words, torch.zeros(width - n, 2)]))
            mask[i, 1:n + 1] = 1
        outputs = types.SimpleNamespace(logits=torch.stack(logits))
        return TPOTrainer._compute_loss(trainer(**fields), lambda **_: outputs, dict(
            input_ids=torch.zeros_like(mask), attention_mask=torch.ones_like(mask), completion_mask=mask), False)
    return call


def slic(delta, lam, mean):
    def call(**row):
        c, r, g = (row[k] / (row[k + "_len"] if mean else 1) for k in REPLIES)
        return torch.relu(delta - (c - r)) - lam * g
    return call


if __name__ == "__main__":
    groups = []
    for name, params, by, code in [
        ("TPO", dict(beta=0.2, alpha=0.5, eps=0.0), "TRL TPOTrainer, sigmoid", trl_tpo("sigmoid", beta=0.2, tpo_alpha=0.5)),
        ("TPO", dict(beta=0.2, alpha=1.0, eps=0.1), "TRL TPOTrainer, sigmoid", trl_tpo("sigmoid", beta=0.2, tpo_alpha=1.0, label_smoothing=0.1)),
        ("TPOL", dict(beta=2.0, gamma=0.5, alpha=0.5, eps=0.0), "TRL TPOTrainer, tpo-l", trl_tpo("tpo-l", beta=2.0, tpo_l_gamma=0.5, tpo_alpha=0.5)),
        ("TPOL", dict(beta=2.0, gamma=0.5, alpha=1.0, eps=0.1), "TRL TPOTrainer, tpo-l",
         trl_tpo("tpo-l", beta=2.0, tpo_l_gamma=0.5, tpo_alpha=1.0, label_smoothing=0.1)),
        ("SLiC", dict(delta=1.5, lam=0.3, mean=0.0), "torch", slic(1.5, 0.3, False)),
        ("SLiC", dict(delta=0.5, lam=0.3, mean=1.0), "torch", slic(0.5, 0.3, True)),
    ]:
        rows = random_rows(8)
        groups.append(dict(by=by, loss_name=name, params=params, **columns(rows), **autograd(code, REPLIES, rows)))
    write("triples.json", groups)
