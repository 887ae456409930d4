"""Writes the golden files of the losses on single replies, rankings, quantiles and tokens. The tests only read those;
nobody needs to run this.

    pip install -r requirements.txt
    pip install --no-deps --target old trl==0.24.0   # the last to have BCO
    python generate_tokens.py old

TRL 1.16.0, TRL 0.24.0 and Liger 0.8.5 run their own loss code, in float64 and with torch's autograd for the derivatives.
Where they would round, or no peer has the loss, mpmath evaluates the definition with as many digits as the case needs, or
torch differentiates it from logits on. Numbers are per reply, pair or token, and not divided by a count.
"""
import ast
import pathlib
import sys
import types

import mpmath as mp
import numpy as np
import torch
import torch.nn.functional as F

from generate import F64, columns, digits, trainer, write

rng = np.random.default_rng(2025)


def grads(value, **inputs):
    return {"d_" + k: g.tolist() for k, g in zip(inputs, torch.autograd.grad(value, list(inputs.values())))}


def leaf(x):
    return F64(x, requires_grad=True)


# ---- single replies ----

def trl_kto(logps, ref, label, mismatch, mismatch_ref, loss_type, beta, desirable, undesirable):
    from trl.trainer.kto_trainer import KTOTrainer
    self = trainer(
        loss_type=loss_type, beta=beta, desirable_weight=desirable, undesirable_weight=undesirable,
        precompute_ref_logps=True, calculate_KL=loss_type == "kto", _compute_kl_logps=lambda *_: mismatch)
    nothing = torch.zeros(len(logps), 1)
    model = lambda **_: types.SimpleNamespace(
        log_probs=logps[:, None], entropy=nothing, mean_logits=nothing, is_top1=nothing.bool(), log_sum_sq_probs=nothing)
    mask = torch.tensor([[0, 1]] * len(logps))
    return KTOTrainer._compute_loss(self, model, dict(
        input_ids=torch.zeros_like(mask), attention_mask=torch.ones_like(mask), completion_mask=mask, label=label,
        ref_logps=ref, ref_KL_logps=mismatch_ref), False)


def method(path, *names):
    """Single functions and classes of a module that no longer imports, with torch alone around them."""
    tree = ast.parse(pathlib.Path(path).read_text())
    found = [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.ClassDef)) and n.name in names]
    for n in found:
        n.decorator_list = []
    scope = dict(torch=torch, F=F, Optional=__import__("typing").Optional, Accelerator=object)
    exec(compile(ast.Module([ast.parse("from __future__ import annotations").body[0], *found], []), str(path), "exec"), scope)
    return [scope[n] for n in names]


def random_replies(n, spread=8.0):
    ref = rng.uniform(-60, -5, n)
    other = rng.uniform(-60, -5, n)
    return dict(logprob=(ref + rng.normal(0, spread, n)).tolist(), ref=ref.tolist(),
                desirable=(rng.random(n) < 0.5).tolist(),
                mismatch=(other + rng.normal(2, 3, n)).tolist(), mismatch_ref=other.tolist())


# Log-ratios, exact in float64, at log-probabilities about −10⁵.
RATIOS = [0.0, 0.25, -0.25, 2.0**-10, 3.0, -3.0, 40.0, -40.0, 360.0, -360.0, 7000.0, -7000.0, 74000.0, -74000.0, 1e5, -1e5]


def extreme_replies():
    return [dict(logprob=-1e5 + r, ref=-1e5, desirable=d) for r in RATIOS for d in (True, False)]


def unpaired(old):
    groups = []
    for loss_type, beta, desirable, undesirable in (
            ("kto", 0.1, 1.0, 1.0), ("kto", 0.3, 1.0, 1.5), ("apo_zero_unpaired", 0.1, 1.0, 1.0), ("apo_zero_unpaired", 0.3, 2.0, 0.5)):
        b = random_replies(14)
        x = leaf(b["logprob"])
        value = trl_kto(x, F64(b["ref"]), torch.tensor(b["desirable"]), F64(b["mismatch"]), F64(b["mismatch_ref"]),
                        loss_type, beta, desirable, undesirable) * 14
        groups.append(dict(by="TRL KTOTrainer, " + loss_type, kind=loss_type[:3], beta=beta, lambda_d=desirable, lambda_u=undesirable,
                           **b, sum=value.item(), **grads(value, logprob=x)))
    from liger_kernel.chunked_loss.kto_loss import LigerFusedLinearKTOFunction as liger
    b = random_replies(14)
    x = leaf(b["logprob"])
    z = (F64(b["mismatch"]) - F64(b["mismatch_ref"])).mean().clamp(min=0)
    value = liger.preference_loss_fn(x, torch.tensor(b["desirable"]), torch.zeros(1), F64(b["ref"]), 0.2, z)[0]
    groups.append(dict(by="Liger KTO", kind="kto", beta=0.2, lambda_d=1.0, lambda_u=1.0, **b, sum=value.item(), **grads(value, logprob=x)))

    # BCO adds each batch to δ before it evaluates it: two batches in turn. Its running mean is rounded to float32.
    bco_loss, = method(old / "trl/trainer/bco_trainer.py", "bco_loss")
    moments, = method(old / "trl/trainer/utils.py", "RunningMoments")
    one = types.SimpleNamespace(use_distributed=False)
    running = moments()
    running.accelerator = one
    running.update = types.MethodType(lambda self, xs: moments.update(self, xs), running)
    self = types.SimpleNamespace(beta=0.2, running=running, match_underlying_distribution=False)
    for step in range(2):
        b = random_replies(10)
        b["desirable"] = [True] * 6 + [False] * 4
        x = leaf(b["logprob"])
        ref = F64(b["ref"])
        losses, _, _, delta = bco_loss(self, x[:6], x[6:], ref[:6], ref[6:], None, None)
        groups.append(dict(by="TRL 0.24.0 BCOTrainer", kind="bco", beta=0.2, delta=float(delta), step=step, **b,
                           loss=losses.tolist(), sum=losses.sum().item(), **grads(losses.sum(), logprob=x)))

    sigma = lambda z: 1 / (1 + mp.exp(-z))
    side = lambda r: 1 if r["desirable"] else -1
    definitions = dict(
        kto=lambda beta, r: 1 - sigma(side(r) * mp.mpf(beta) * (r["logprob"] - r["ref"] - 2)),  # z = 2
        apo=lambda beta, r: 1 - sigma(side(r) * mp.mpf(beta) * (r["logprob"] - r["ref"])),
        bco=lambda beta, r: -mp.log(sigma(side(r) * (mp.mpf(beta) * (r["logprob"] - r["ref"]) - mp.mpf(0.5)))))
    for kind, definition in definitions.items():
        rows = extreme_replies()
        margin = lambda **r: (r["logprob"] - r["ref"]) / 8
        out = digits(lambda **r: definition(0.125, r), ["logprob"], rows, margin)
        b = columns(rows)
        groups.append(dict(by="mpmath", kind=kind, beta=0.125, lambda_d=1.0, lambda_u=1.0, delta=0.5, **b,
                           mismatch=[-3.0], mismatch_ref=[-5.0], loss=out["loss"], d_logprob=out["d_logprob"]))
    write("unpaired.json", groups)


# ---- quantiles ----

def trl_dpo(tokens, mask, ref_chosen, ref_rejected, loss_type="sigmoid", beta=0.1, label_smoothing=0.0, ld_alpha=None, sum_sq=None):
    """tokens and mask: 2B × T, chosen rows first, 0 where masked."""
    from trl.trainer.dpo_trainer import DPOTrainer
    nothing = torch.zeros_like(tokens)
    model = lambda **_: types.SimpleNamespace(
        log_probs=tokens, entropy=nothing, mean_logits=nothing, is_top1=nothing.bool(),
        log_sum_sq_probs=nothing if sum_sq is None else sum_sq)
    self = trainer(
        loss_types=[loss_type], loss_weights=[1.0], beta=beta, label_smoothing=label_smoothing, f_divergence_type="reverse_kl",
        f_alpha_divergence_coef=0.5, ld_alpha=ld_alpha, use_weighting=sum_sq is not None, precompute_ref_logps=True,
        args=types.SimpleNamespace(discopop_tau=0.05))
    mask = torch.cat([torch.zeros(len(mask), 1, dtype=torch.long), mask.long()], 1)
    return DPOTrainer._compute_loss(self, model, dict(
        input_ids=torch.zeros_like(mask), attention_mask=torch.ones_like(mask), completion_mask=mask,
        ref_chosen_logps=ref_chosen, ref_rejected_logps=ref_rejected), False) * (len(tokens) // 2)


def aot():
    groups = []
    for loss_type, beta, eps in (("aot", 0.1, 0.0), ("aot", 0.4, 0.2), ("aot_unpaired", 0.1, 0.0), ("aot_unpaired", 0.4, 0.2)):
        n = 9
        ref = F64(rng.uniform(-60, -5, 2 * n))
        x = leaf((ref + F64(rng.normal(0, 6, 2 * n))).tolist())
        value = trl_dpo(x[:, None], torch.ones(2 * n, 1), ref[:n], ref[n:], loss_type, beta, eps)
        groups.append(dict(by="TRL DPOTrainer, " + loss_type, kind=loss_type, beta=beta, epsilon=eps, logprob=x.tolist(), ref=ref.tolist(),
                           desirable=[True] * n + [False] * n, sum=value.item(), **grads(value, logprob=x)))
    write("aot.json", groups)


# ---- rankings ----

def plackett_luce():
    """The probability of an order is a product of shares: one division per choice, no logarithm of a sum."""
    groups = []
    for top, beta, spread in ((0, 0.1, 8.0), (1, 0.5, 4.0), (2, 0.3, 30.0)):
        rows = []
        for k in (2, 3, 5):
            ref = rng.uniform(-60, -5, k)
            rows.append(dict(logprob=(ref + rng.normal(0, spread, k)).tolist(), ref=ref.tolist()))
        groups.append(ranking_group(rows, top, beta))
    rows = [dict(logprob=[-1e5 + v for v in r], ref=[-1e5] * len(r)) for r in (
        (80000.0, 320.0, 0.0), (0.0, 320.0, 80000.0), (0.5, 0.25, -80000.0, -80000.25), (2400.0, 2399.0, 0.0), (0.0, 0.0, 0.0))]
    groups.append(ranking_group(rows, 0, 0.125))
    groups.append(ranking_group(rows, 1, 0.125))
    write("plackettluce.json", groups)


def ranking_group(rows, top, beta):
    out = dict(by="mpmath", beta=beta, top=top, logprob=[], ref=[], begin=[0], loss=[], d_logprob=[])
    for r in rows:
        spread = max(r["logprob"]) - min(r["logprob"]) + 100
        with mp.workdps(60 + 2 * int(beta * spread / np.log(10))):
            def value(*lp):
                w = [mp.exp(mp.mpf(beta) * (a - mp.mpf(b))) for a, b in zip(lp, r["ref"])]
                p = mp.mpf(1)
                for k in range(min(top or len(w), len(w) - 1)):
                    p *= w[k] / sum(w[k:])
                return -mp.log(p)
            at = [mp.mpf(v) for v in r["logprob"]]
            out["loss"].append(float(value(*at)))
            for i in range(len(at)):
                out["d_logprob"].append(float(mp.diff(lambda x: value(*at[:i], x, *at[i + 1:]), at[i])))
        out["logprob"] += r["logprob"]
        out["ref"] += r["ref"]
        out["begin"].append(len(out["ref"]))
    return out


# ---- tokens ----

LENGTHS = [(3, 5), (4, 2), (1, 1), (6, 3)]  # chosen, rejected
VOCAB = 5


def rows(seqs, width):
    return torch.stack([F.pad(s, (0, width - len(s))) for s in seqs])


def flat_batch():
    """Sequences chosen, rejected, chosen, …; the flat form that a pair of replies has, and TRL's padded one."""
    begin = np.concatenate([[0], np.cumsum([n for pair in LENGTHS for n in pair])]).tolist()
    total = begin[-1]
    ref = F64(rng.uniform(-4, -0.1, total))
    flat = leaf((ref + F64(rng.normal(0, 1, total))).clamp(max=-0.01).tolist())
    order = [2 * i for i in range(len(LENGTHS))] + [2 * i + 1 for i in range(len(LENGTHS))]
    padded = lambda v: rows([v[begin[i]:begin[i + 1]] for i in order], 6)
    return begin, ref, flat, padded


def tokens():
    groups = []
    n = len(LENGTHS)
    for kind, kw in (("summed", {}), ("averaged", dict(loss_type="sigmoid_norm")), ("ld", dict(ld_alpha=0.3)), ("ld", dict(ld_alpha=0.0)),
                     ("wpo", dict(label_smoothing=0.0))):
        begin, ref, flat, padded = flat_batch()
        mask = padded(torch.ones(begin[-1]))
        extra = {}
        weights = mask
        if kind == "ld":  # TRL takes reference log-probabilities that are already reduced
            short = torch.minimum(mask[:n].sum(1), mask[n:].sum(1)).repeat(2)[:, None]
            weights = torch.where(torch.arange(6)[None] < short, 1.0, kw["ld_alpha"]) * mask
            extra["alpha"] = kw["ld_alpha"]
        if kind == "wpo":
            sq = F64(rng.uniform(-2, -0.1, begin[-1]))
            kw = dict(sum_sq=padded(sq))
            extra["sum_sq"] = sq.tolist()
        reduced = (padded(ref) * weights).sum(1)
        value = trl_dpo(padded(flat) * mask, mask, reduced[:n], reduced[n:], beta=0.4, **kw)
        groups.append(dict(by="TRL DPOTrainer", kind=kind, beta=0.4, begin=begin, logprob=flat.tolist(), ref=ref.tolist(), **extra,
                           sum=value.item(), **grads(value, logprob=flat)))
    for kind, alpha in (("tdpo1", 1.0), ("tdpo2", 0.5)):
        groups.append(tdpo(kind, alpha))
    for kind in ("nll", "dft"):
        groups.append(sft(kind))
    write("tokens.json", groups)


def tdpo(kind, alpha):
    """From logits to the loss in one graph. Beside its gradient stand those of each token's log-probability and KL, with
    which weights for the two must give the same."""
    begin = np.concatenate([[0], np.cumsum([n for pair in LENGTHS for n in pair])]).tolist()
    total = begin[-1]
    logits, ids = F64(rng.normal(0, 1, (total, VOCAB)), requires_grad=True), torch.tensor(rng.integers(0, VOCAB, total))
    ref = torch.log_softmax(logits.detach() + F64(rng.normal(0, 0.5, (total, VOCAB))), 1)
    policy = torch.distributions.Categorical(logits=logits)
    kl = torch.distributions.kl_divergence(torch.distributions.Categorical(logits=ref), policy)
    logp, ref_logp = policy.log_prob(ids), ref[torch.arange(total), ids]
    losses = []
    for i in range(len(LENGTHS)):
        c, r = slice(begin[2 * i], begin[2 * i + 1]), slice(begin[2 * i + 1], begin[2 * i + 2])
        d_c = kl[c].sum()
        if kind == "tdpo2":
            d_c = d_c.detach()
        h = (logp[c] - ref_logp[c]).sum() - (logp[r] - ref_logp[r]).sum()
        losses.append(-torch.log(torch.sigmoid(0.3 * (h - alpha * (kl[r].sum() - d_c)))))
    jac = lambda v: torch.autograd.grad(v.sum(), logits, retain_graph=True)[0].tolist()
    by_logp, by_kl = jac(logp), jac(kl)
    return dict(by="torch", kind=kind, beta=0.3, alpha=alpha, begin=begin, logprob=logp.tolist(), ref=ref_logp.tolist(), kl=kl.tolist(),
                jacobian_logprob=by_logp, jacobian_kl=by_kl, loss=[v.item() for v in losses], sum=sum(losses).item(),
                d_logits=torch.autograd.grad(sum(losses), logits)[0].tolist())


def sft(kind):
    from trl.trainer.sft_trainer import SFTTrainer
    begin, _, flat, padded = flat_batch()
    mask = padded(torch.ones(begin[-1])).bool()
    out = types.SimpleNamespace(log_probs=padded(flat) * mask, label_mask=mask, entropy=torch.zeros(mask.shape), is_top1=mask)
    self = trainer(label_smoother=None, compute_loss_func=None, args=types.SimpleNamespace(
        loss_type=kind, average_tokens_across_devices=False, use_liger_kernel=False), num_virtual_tokens=0,
        get_tp_size=lambda: 1, _uses_liger_kernel=False)
    value = sft_loss(SFTTrainer, self, out, mask) * mask.sum()
    return dict(by="TRL SFTTrainer", kind=kind, begin=begin, logprob=flat.tolist(), sum=value.item(), **grads(value, logprob=flat))


def sft_loss(cls, self, outputs, mask):
    """TRL's lines on the loss alone: what surrounds them wants a model."""
    import inspect
    import textwrap
    lines = textwrap.dedent(inspect.getsource(cls.compute_loss)).splitlines()
    first = next(i for i, l in enumerate(lines) if l.strip().startswith("per_token_loss = -outputs.log_probs"))
    last = next(i for i, l in enumerate(lines) if i > first and l.strip().startswith("loss = per_token_loss.sum()"))
    scope = dict(self=self, outputs=outputs, torch=torch, num_items_in_batch=None)
    exec(textwrap.dedent("\n".join(lines[first:last + 1])), scope)
    return scope["loss"]


def process():
    """The cross-entropy of two classes, as the token classifiers of TRL and OpenRLHF have it, for hard and soft labels."""
    groups = []
    for soft in (False, True):
        logits = F64(rng.normal(0, 3, (9, 2)), requires_grad=True)
        label = F64(rng.random(9)) if soft else F64(rng.integers(0, 2, 9).astype(float))
        target = torch.stack([1 - label, label], 1) if soft else label.long()
        losses = torch.nn.CrossEntropyLoss(reduction="none")(logits, target)
        d = torch.autograd.grad(losses.sum(), logits)[0]
        groups.append(dict(by="torch CrossEntropyLoss", logit=(logits[:, 1] - logits[:, 0]).tolist(), label=label.tolist(),
                           begin=[0, 4, 5, 9], loss=[losses[a:b].sum().item() for a, b in ((0, 4), (4, 5), (5, 9))], d_logit=d[:, 1].tolist()))
    write("process.json", groups)


if __name__ == "__main__":
    unpaired(pathlib.Path(sys.argv[1]))
    for make in (aot, plackett_luce, tokens, process):
        make()
