"""Writes the golden files of this folder. The tests only read those; nobody needs to run this.

    pip install -r requirements.txt
    pip install --no-deps openrlhf==0.11.2   # its loss code alone: the rest of it wants a GPU
    python generate.py

TRL 1.16.0 and OpenRLHF 0.11.2 run their own loss code here, in float64 and with torch's autograd for the
derivatives. Where they would round (margins of 10⁴), mpmath evaluates the definition with as many digits as the
case needs and differentiates it numerically. Every number is per pair or per sample, and not divided by a count.
"""
import collections
import importlib.util
import itertools
import json
import pathlib
import sys
import types

import mpmath as mp
import numpy as np
import torch

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
HERE = pathlib.Path(__file__).parent
F64 = torch.tensor


# ---- TRL: the trainers' loss methods, given log-probabilities in place of a model ----

class OneProcess:
    device, num_processes, is_main_process = "cpu", 1, True
    gather = gather_for_metrics = staticmethod(lambda x: x)
    reduce = staticmethod(lambda x, reduction="mean": x)


def trainer(**fields):
    metrics = collections.defaultdict(lambda: collections.defaultdict(list))
    return types.SimpleNamespace(
        model=types.SimpleNamespace(training=False), accelerator=OneProcess(), _metrics=metrics,
        aux_loss_enabled=False, _tp_size=1, _total_train_tokens=0, **fields)


def trl_dpo(chosen, rejected, ref_chosen, ref_rejected, chosen_len=1, rejected_len=1, loss_type="sigmoid", beta=0.1):
    """One pair. The whole log-probability of a reply sits on its first token."""
    from trl.trainer.dpo_trainer import DPOTrainer
    width = max(chosen_len, rejected_len)
    tokens = torch.stack([torch.nn.functional.pad(x[None], (0, width - 1)) for x in (chosen, rejected)])
    mask = torch.tensor([[0] + [1] * n + [0] * (width - n) for n in (chosen_len, rejected_len)])
    nothing = torch.zeros_like(tokens)
    model = lambda **_: types.SimpleNamespace(
        log_probs=tokens, entropy=nothing, mean_logits=nothing, is_top1=nothing.bool(), log_sum_sq_probs=nothing)
    self = trainer(
        loss_types=[loss_type], loss_weights=[1.0], beta=beta, label_smoothing=0.0, f_divergence_type="reverse_kl",
        f_alpha_divergence_coef=0.5, ld_alpha=None, use_weighting=False, precompute_ref_logps=True,
        args=types.SimpleNamespace(discopop_tau=0.05))
    return DPOTrainer._compute_loss(self, model, dict(
        input_ids=torch.zeros_like(mask), attention_mask=torch.ones_like(mask), completion_mask=mask,
        ref_chosen_logps=ref_chosen[None], ref_rejected_logps=ref_rejected[None]), False)


def trl_reward(chosen, rejected, margin, center):
    from trl.trainer.reward_trainer import RewardTrainer
    logits = torch.stack([chosen, rejected])[:, None]
    inputs = dict(attention_mask=torch.ones(2, 1))
    if margin is not None:
        inputs["margin"] = margin[None]
    self = trainer(args=types.SimpleNamespace(center_rewards_coefficient=center or None))
    return RewardTrainer.compute_loss(self, lambda **_: types.SimpleNamespace(logits=logits), inputs)


def trl_rloo(logp, advantages):
    """On policy: the old log-probabilities are the current ones."""
    from trl.trainer.rloo_trainer import RLOOTrainer
    one = torch.ones(len(logp), 1, dtype=torch.long)
    self = trainer(
        epsilon_low=0.2, epsilon_high=0.2,
        _get_per_token_logps_and_entropies=lambda *_, **__: (logp[:, None], torch.zeros(len(logp), 1), None))
    return RLOOTrainer._compute_loss(self, None, dict(
        prompt_ids=one[:, :0], prompt_mask=one[:, :0], completion_ids=one, completion_mask=one,
        advantages=advantages, old_logps=logp.detach()))


# ---- OpenRLHF: models/loss.py and the module that it imports, without the package's start-up ----

def openrlhf():
    folder = pathlib.Path(importlib.util.find_spec("openrlhf").submodule_search_locations[0]) / "models"
    package = types.ModuleType("openrlhf_models")
    package.__path__ = [str(folder)]
    sys.modules[package.__name__] = package
    absent = "deepspeed" not in sys.modules
    if absent:
        sys.modules["deepspeed"] = types.ModuleType("deepspeed")
    try:
        return importlib.import_module("openrlhf_models.loss")
    finally:
        if absent:  # an empty stand-in confuses other packages' probing
            del sys.modules["deepspeed"]


# ---- evaluation: one row at a time, derivatives by autograd or by mpmath ----

def autograd(loss, names, rows):
    """loss(**row) for each row, with ∂/∂row[name] for each name."""
    out = collections.defaultdict(list)
    for row in rows:
        row = {k: F64(v) if isinstance(v, float) else v for k, v in row.items()}
        for name in names:
            row[name].requires_grad_()
        value = loss(**row)
        out["loss"].append(value.item())
        for name, g in zip(names, torch.autograd.grad(value, [row[n] for n in names])):
            out["d_" + name].append(g.item())
    return dict(out)


def digits(loss, names, rows, margin):
    """As autograd, in as many digits as 1 + e^-margin needs."""
    out = collections.defaultdict(list)
    for row in rows:
        with mp.workdps(60 + 2 * int(abs(margin(**row)) / np.log(10))):
            exact = {k: mp.mpf(v) if isinstance(v, float) else v for k, v in row.items()}
            out["loss"].append(float(loss(**exact)))
            for name in names:
                out["d_" + name].append(float(mp.diff(lambda x: loss(**{**exact, name: x}), exact[name])))
    return dict(out)


def columns(rows):
    return {k: [r[k] for r in rows] for k in rows[0]}


def write(name, groups):
    text = json.dumps(groups, ensure_ascii=False, separators=(",", ":"))
    (HERE / name).write_text(text.replace("},{", "},\n{") + "\n")


# ---- inputs ----

PAIR = ["chosen", "rejected", "ref_chosen", "ref_rejected"]
SIDES = ["chosen", "rejected"]
rng = np.random.default_rng(2024)


def random_pairs(n, spread, lengths=False):
    rows = []
    for _ in range(n):
        ref = rng.uniform(-300, -5, 2)
        pol = ref + rng.normal(0, spread, 2)
        row = dict(zip(PAIR, map(float, [*pol, *ref])))
        if lengths:
            row["chosen_len"], row["rejected_len"] = (int(v) for v in rng.integers(1, 60, 2))
        rows.append(row)
    return rows


def extreme_pairs(h):
    """Pairs with log-ratio differences h, exact in float64, at log-probabilities about −10⁵."""
    return [dict(chosen=-1e5 + v / 2, rejected=-99000.0 - v / 2, ref_chosen=-1e5, ref_rejected=-99000.0) for v in h]


# Multiples of 2⁻¹⁰, so that no subtraction rounds.
HS = [0.0, 0.25, -0.25, 2.0**-10, -(2.0**-10), 3.0, -3.0, 40.0, -40.0, 360.0, -360.0, 7000.0, -7000.0,
      74000.0, -74000.0, 1e5, -1e5]


# ---- one function per file ----

def h_of(chosen, rejected, ref_chosen, ref_rejected):
    return (chosen - ref_chosen) - (rejected - ref_rejected)


def dpo():
    groups = []
    for beta in (0.1, 0.5):
        rows = random_pairs(12, 8)
        groups.append(dict(by="TRL DPOTrainer, sigmoid", beta=beta, **columns(rows),
                           **autograd(lambda **r: trl_dpo(**r, beta=beta), SIDES, rows)))
    for beta, eps in ((0.1, 0.0), (0.1, 0.1), (0.3, 0.45)):
        rows = random_pairs(12, 8)
        module = openrlhf().DPOLoss(beta, label_smoothing=eps)
        call = lambda **r: module(*(r[k] for k in PAIR))
        one = [call(**{k: F64(v) for k, v in r.items()}) for r in rows]
        groups.append(dict(by="OpenRLHF DPOLoss", beta=beta, epsilon=eps, **columns(rows),
                           reward_chosen=[x[1].item() for x in one], reward_rejected=[x[2].item() for x in one],
                           **autograd(lambda **r: call(**r)[0], SIDES, rows)))
    sigma = lambda z: 1 / (1 + mp.exp(-z))
    for beta, eps in ((0.125, 0.0), (0.125, 0.25), (0.1, 0.01)):
        rows = extreme_pairs(HS)
        margin = lambda **r: mp.mpf(beta) * h_of(**r)
        loss = lambda **r: -(1 - mp.mpf(eps)) * mp.log(sigma(margin(**r))) - mp.mpf(eps) * mp.log(1 - sigma(margin(**r)))
        groups.append(dict(by="mpmath", beta=beta, epsilon=eps, **columns(rows), **digits(loss, SIDES, rows, margin)))
    write("dpo.json", groups)


def ipo():
    groups = []
    for tau in (0.1, 0.5):
        rows = random_pairs(12, 8, lengths=True)
        groups.append(dict(by="TRL DPOTrainer, ipo", tau=tau, log_ratio="mean", **columns(rows),
                           **autograd(lambda **r: trl_dpo(**r, loss_type="ipo", beta=tau), SIDES, rows)))
        rows = random_pairs(12, 8)
        module = openrlhf().DPOLoss(tau, ipo=True)
        groups.append(dict(by="OpenRLHF DPOLoss, ipo", tau=tau, log_ratio="sum", **columns(rows),
                           **autograd(lambda **r: module(*(r[k] for k in PAIR))[0], SIDES, rows)))
    rows = extreme_pairs(HS)
    groups.append(dict(by="mpmath", tau=0.125, log_ratio="sum", **columns(rows), **digits(
        lambda **r: (h_of(**r) - 1 / (2 * mp.mpf(0.125))) ** 2, SIDES, rows, lambda **_: 0)))
    write("ipo.json", groups)


def bradleyterry():
    groups = []
    for margin, center in itertools.product((False, True), (0.0, 0.01)):
        rows = [dict(zip(SIDES, map(float, rng.normal(0, 3, 2)))) for _ in range(10)]
        if margin:
            rows = [dict(r, margin=float(rng.uniform(-1, 2))) for r in rows]
        groups.append(dict(by="TRL RewardTrainer", center=center, **columns(rows), **autograd(
            lambda chosen, rejected, margin=None: trl_reward(chosen, rejected, margin, center), SIDES, rows)))
    rows = [dict(zip([*SIDES, "margin"], map(float, rng.normal(0, 3, 3)))) for _ in range(10)]
    groups.append(dict(by="OpenRLHF PairWiseLoss", center=0.0, **columns(rows), **autograd(
        lambda chosen, rejected, margin: openrlhf().PairWiseLoss()(chosen, rejected, margin), SIDES, rows)))
    rows = [dict(chosen=v / 2 + 1, rejected=1 - v / 2, margin=0.5) for v in HS if abs(v) < 2e4]
    diff = lambda chosen, rejected, margin: chosen - rejected - margin
    groups.append(dict(by="mpmath", center=0.0, **columns(rows), **digits(
        lambda **r: -mp.log(1 / (1 + mp.exp(-diff(**r)))), SIDES, rows, diff)))
    write("bradleyterry.json", groups)


def leave_one_out(values, k):
    """Each value minus the mean of the others of its group, one group and one value at a time."""
    out = []
    for group in values.view(-1, k):
        for i in range(k):
            out.append(group[i] - torch.cat([group[:i], group[i + 1:]]).mean())
    return torch.stack(out)


def random_samples(n, k):
    ref = rng.uniform(-60, -5, n * k)
    return dict(k=k, logprob=(ref + rng.normal(0, 3, n * k)).tolist(), ref=ref.tolist(), reward=rng.normal(0, 2, n * k).tolist())


def rlhf():
    groups = []
    for k, beta in ((2, 0.1), (4, 0.03), (4, 0.0), (8, 1.0)):
        s = random_samples(3, k)
        logp, ref, reward = (F64(s[x]) for x in ("logprob", "ref", "reward"))
        shaped = reward - beta * (logp - ref)
        logp.requires_grad_()
        trl_rloo(logp, leave_one_out(shaped, k)).backward()
        groups.append(dict(by="TRL RLOOTrainer", beta=beta, **s, loss=(-shaped).tolist(),
                           d_logprob=(logp.grad * len(logp)).tolist()))
    write("rlhf.json", groups)


def hypo():
    """TRL's DPO plus the surrogate whose automatic derivative is the score-function estimate of λ·KL."""
    groups = []
    for k, beta, lam in ((2, 0.1, 0.05), (4, 0.3, 1.0)):
        rows, s = random_pairs(6, 5), random_samples(3, k)
        logp, ref = F64(s["logprob"], requires_grad=True), F64(s["ref"])
        ratio = logp - ref
        (lam * (logp * leave_one_out(ratio.detach(), k)).sum()).backward()
        groups.append(dict(by="TRL DPOTrainer, torch", beta=beta, **{"lambda": lam}, **columns(rows), **s,
                           **autograd(lambda **r: trl_dpo(**r, beta=beta), SIDES, rows),
                           kl_loss=(lam * ratio).tolist(), d_logprob=logp.grad.tolist()))
    write("hypo.json", groups)


if __name__ == "__main__":
    for make in (dpo, ipo, bradleyterry, rlhf, hypo):
        make()
