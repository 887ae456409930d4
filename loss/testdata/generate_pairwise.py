"""Writes pairwise.json and pairwise_peers.json. The tests only read those; nobody needs to run this.

    pip install -r requirements.txt
    python generate_pairwise.py                # eight minutes
    python generate_pairwise.py AlphaPO ORPO   # these groups of pairwise.json only

pairwise.json: mpmath evaluates each definition, term by term and from probabilities, with as many digits as the
case needs, and differentiates it numerically. Beside each number stands the scale on which an error is measured:
the sum of the absolute terms plus what a relative error in the arguments does (the condition number).
pairwise_peers.json: TRL 1.16.0 and Liger 0.8.5 run their own loss code on random pairs.
"""
import importlib
import itertools
import json
import math
import sys

import mpmath as mp
import numpy as np
import torch

from generate import HERE, PAIR, SIDES, autograd, columns, trainer, trl_dpo, write

rng = None  # of one file
sigma = lambda z: 1 / (1 + mp.exp(-z))


def nls(z):
    """−log σ(z). Beyond 10⁵ the other tail is smaller than the last digit, and e^{e^…} takes minutes."""
    if abs(z) > 1e5:
        return max(-z, mp.mpf(0))
    return -mp.log(sigma(z))


# ---- definitions: each returns the list of terms whose sum is the loss ----

def h(r):
    return (r["chosen"] - r["ref_chosen"]) - (r["rejected"] - r["ref_rejected"])


def dc(r):
    return r["chosen"] - r["ref_chosen"]


def dr(r):
    return r["rejected"] - r["ref_rejected"]


def mc(r):
    return r["chosen"] / r["chosen_len"]


def mr(r):
    return r["rejected"] / r["rejected_len"]


def fdiv(prime):
    return lambda r, beta: [nls(beta * prime(mp.exp(dc(r))) - beta * prime(mp.exp(dr(r))))]


def alpha_prime(alpha):
    return lambda u: (1 - u ** -alpha) / alpha


def chipo(r, beta, maxreward):
    phi = lambda x: mp.exp(x) + x
    z = beta * phi(dc(r)) - beta * phi(dr(r))
    return [nls(min(2 * maxreward, max(-2 * maxreward, z)))]


def discopop(r, beta, tau):
    z = beta * h(r)
    m = sigma(z / tau)
    return [(1 - m) * nls(z), m * mp.exp(-z)]


def exo(r, beta, eps):
    q, p = sigma(beta * h(r)), sigma(-beta * h(r))
    return [q * mp.log(q), -q * mp.log(1 - eps), p * mp.log(p), -p * mp.log(eps)]


def orpo(r, lam):
    p, q = mp.exp(mc(r)), mp.exp(mr(r))
    ratio = (p / (1 - p)) / (q / (1 - q))
    return [-mc(r), lam * -mp.log(ratio / (1 + ratio))]


def alphapo(r, beta, gamma, alpha):
    reward = lambda m: (1 - mp.exp(m) ** -alpha) / alpha
    return [nls(beta * reward(mc(r)) - beta * reward(mr(r)) - gamma)]


half = mp.mpf(1) / 2
LOSSES = {  # name: (terms, parameters, what the rows need)
    "cDPO": (lambda r, beta, eps: [(1 - eps) * nls(beta * h(r)), eps * nls(-beta * h(r))], dict(beta=0.1, eps=0.1), "ref"),
    "RSO": (lambda r, beta: [max(mp.mpf(0), 1 - beta * h(r))], dict(beta=0.07), "ref"),
    "GPO exponential": (lambda r, beta: [mp.exp(-beta * h(r))], dict(beta=0.07), "ref"),
    "GPO truncated quadratic": (lambda r, beta: [max(mp.mpf(0), 1 - beta * h(r)) ** 2], dict(beta=0.07), "ref"),
    "RobustDPO": (lambda r, beta, eps: [(1 - eps) / (1 - 2 * eps) * nls(beta * h(r)), -eps / (1 - 2 * eps) * nls(-beta * h(r))],
                  dict(beta=0.1, eps=0.2), "ref"),
    "DiscoPOP": (discopop, dict(beta=0.1, tau=0.05), "ref"),
    "EXO": (exo, dict(beta=0.1, eps=0.001), "ref"),
    "ODPO": (lambda r, beta: [nls(beta * h(r) - r["margin"])], dict(beta=0.1), "ref margin"),
    "DPOP": (lambda r, beta, lam: [nls(beta * (h(r) - lam * max(mp.mpf(0), -dc(r))))], dict(beta=0.1, lam=50.0), "ref"),
    "f-DPO forward KL": (fdiv(lambda u: -1 / u), dict(beta=0.1), "ref"),
    "f-DPO Jensen–Shannon": (fdiv(lambda u: mp.log(2 * u / (1 + u))), dict(beta=0.7), "ref"),
    "f-DPO α": (lambda r, beta, alpha: fdiv(alpha_prime(alpha))(r, beta), dict(beta=0.1, alpha=0.5), "ref"),
    "ChiPO": (chipo, dict(beta=0.05, maxreward=3.0), "ref"),
    "NCA": (lambda r, beta: [nls(beta * dc(r)), half * nls(-beta * dc(r)), half * nls(-beta * dr(r))], dict(beta=0.1), "ref"),
    "BCOPair": (lambda r, beta, delta: [nls(beta * dc(r) - delta), nls(delta - beta * dr(r))], dict(beta=0.1, delta=0.3), "ref"),
    "SPPO": (lambda r, beta: [(dc(r) - (r["win"] - half) / beta) ** 2, (dr(r) + (r["win"] - half) / beta) ** 2], dict(beta=0.01), "ref win"),
    "CalDPO": (lambda r, beta: [nls(h(r)), half * (dc(r) - 1 / (2 * beta)) ** 2, half * (dr(r) + 1 / (2 * beta)) ** 2], dict(beta=0.01), "ref"),
    "APOZero": (lambda r, beta: [sigma(-beta * dc(r)), sigma(beta * dr(r))], dict(beta=0.1), "ref"),
    "APODown": (lambda r, beta: [sigma(beta * dc(r)), sigma(-beta * h(r))], dict(beta=0.1), "ref"),
    "NormDPO": (lambda r, beta: [nls(beta * (dc(r) / r["chosen_len"] - dr(r) / r["rejected_len"]))], dict(beta=5.0), "ref len"),
    "RDPO": (lambda r, beta, alpha: [nls(beta * h(r) + alpha * (r["chosen_len"] - r["rejected_len"]))], dict(beta=0.1, alpha=0.01), "ref len"),
    "RPO": (lambda r, beta, alpha: [nls(beta * h(r)), -alpha * mc(r)], dict(beta=0.1, alpha=0.5), "ref len"),
    "CPO": (lambda r, beta, alpha: [nls(beta * (r["chosen"] - r["rejected"])), -alpha * r["chosen"]], dict(beta=0.1, alpha=1.0), "len"),
    "SimPO": (lambda r, beta, gamma: [nls(beta * (mc(r) - mr(r)) - gamma)], dict(beta=2.0, gamma=0.5), "len"),
    "AlphaPO": (alphapo, dict(beta=2.0, gamma=0.5, alpha=0.25), "len"),
    "ORPO": (orpo, dict(lam=0.1), "len"),
}
VARIANTS = {
    "f-DPO α": [dict(beta=0.1, alpha=1e-8), dict(beta=0.1, alpha=-0.5), dict(beta=0.1, alpha=1.0)],
    "AlphaPO": [dict(beta=2.0, gamma=0.5, alpha=1e-8), dict(beta=2.0, gamma=0.0, alpha=-0.5), dict(beta=10.0, gamma=0.0, alpha=1e-300)],
    "RobustDPO": [dict(beta=0.1, eps=0.0)],
    "ChiPO": [dict(beta=0.05, maxreward=math.inf)],
    "DiscoPOP": [dict(beta=0.1, tau=1.0), dict(beta=0.1, tau=3.0)],
}

WIDE = {  # scores that grow as e^{kx}: k
    "f-DPO forward KL": lambda p: 1,
    "f-DPO α": lambda p: abs(p["alpha"]),
    "ChiPO": lambda p: 1,
    "AlphaPO": lambda p: max(0, p["alpha"]),
}

# ---- rows: exact in float64, so that no log-ratio rounds ----

RATIOS = [0.0, 0.25, -0.25, 2.0**-10, -(2.0**-10), 3.0, -3.0, 40.0, -40.0, 360.0, -360.0, 7000.0, -7000.0, 1e4, -1e4]
MEANS = [-1e-300, -1e-16, -(2.0**-10), -0.25, -3.0, -40.0, -700.0, -7000.0, -1e5]
LENGTHS = [1, 3, 40, 100_000]


def make_rows(needs):
    rows = []
    if "ref" in needs:
        some = list(itertools.product(RATIOS, RATIOS))
        for lc, lr in [(0.0, 0.0), (1e4, -1e4), (-1e4, 1e4), (-1e4, -1e4), (1e4, 1e4), (0.25, -0.25)] + [some[i] for i in rng.permutation(len(some))[:34]]:
            rows.append(dict(chosen=-1e5 + lc, rejected=-99000.0 + lr, ref_chosen=-1e5, ref_rejected=-99000.0))
    else:
        some = list(itertools.product(MEANS, MEANS))
        for a, b in [(-1e-300, -1e-16), (-1e-16, -1e-300), (-1e5, -1e5), (-3.0, -3.0)] + [some[i] for i in rng.permutation(len(some))[:36]]:
            rows.append(dict(chosen=a, rejected=b))
    for i, r in enumerate(rows):
        if "len" in needs:
            r["chosen_len"], r["rejected_len"] = (int(n) for n in rng.choice(LENGTHS, 2))
            if "ref" not in needs:  # most means are those of the table
                k = 1 if i % 4 else r["chosen_len"]
                r["chosen"] *= k if r["chosen"] * k >= -1e5 else 1
        if "margin" in needs:
            r["margin"] = float(rng.integers(-8, 9)) / 4
        if "win" in needs:
            r["win"] = float(rng.integers(0, 9)) / 8
    return rows


def evaluate(terms, params, rows, wide):
    """Value, derivatives and their scales. Arguments x of a side: its log-ratio, or its log-probability. Scores that
    grow exponentially need the digits in which the smaller one still shows."""
    out = {k: [] for k in ["loss", "scale", "d_chosen", "d_rejected", "scale_chosen", "scale_rejected"]}
    for row in rows:
        small = [math.log(-row[n] / row.get(n + "_len", 1)) for n in SIDES]
        reach = wide * max(abs(row[n] - row.get("ref_" + n, 0)) / row.get(n + "_len", 1) for n in SIDES)
        tiny = max(0, -min(small)) + max(0, -math.log10(abs(params.get("alpha") or 1)))  # what cancels against 1
        with mp.workdps(420 + int(tiny) + int(0.45 * reach)):  # e^-745 is the least number, and stands beside 1
            exact = {k: mp.mpf(v) if isinstance(v, float) else v for k, v in row.items()}
            p = {k: mp.mpf(v) if math.isfinite(v) else mp.inf for k, v in params.items()}
            x = {n: exact[n] - exact.get("ref_" + n, 0) for n in SIDES}
            # by relative steps where a log-probability is tiny, since a step must not leave its sign
            unit = {n: abs(exact[n]) if abs(exact[n]) < 1 else mp.mpf(1) for n in SIDES}
            part = lambda k, u, v: terms({**exact, "chosen": exact["chosen"] + unit["chosen"] * u, "rejected": exact["rejected"] + unit["rejected"] * v}, **p)[k]
            count = len(terms(exact, **p))
            diff = lambda k, order: mp.diff(lambda u, v: part(k, u, v), (0, 0), order) / (unit["chosen"] ** order[0] * unit["rejected"] ** order[1])
            value = [part(k, 0, 0) for k in range(count)]
            first = {n: [diff(k, o) for k in range(count)] for n, o in zip(SIDES, [(1, 0), (0, 1)])}
            second = {(a, b): sum(diff(k, o) for k in range(count)) for (a, b), o in zip(
                [("chosen", "chosen"), ("chosen", "rejected"), ("rejected", "rejected")], [(2, 0), (1, 1), (0, 2)])}
            second["rejected", "chosen"] = second["chosen", "rejected"]
            total = {n: sum(first[n]) for n in SIDES}
            add = lambda name, v: out[name].append(number(v))
            add("loss", sum(value))
            add("scale", sum(map(abs, value)) + sum(abs(x[n] * total[n]) for n in SIDES))
            for n in SIDES:
                add("d_" + n, total[n])
                add("scale_" + n, sum(map(abs, first[n])) + sum(abs(x[m] * second[n, m]) for m in SIDES))
    return out


def number(v):
    v = float(v)
    return v if math.isfinite(v) else {math.inf: "Infinity", -math.inf: "-Infinity"}[v]


def definitions(only):
    """Evaluates the groups named, or all if none is, and keeps the others as they stand in the file."""
    global rng
    rng = np.random.default_rng(5)
    old = json.loads((HERE / "pairwise.json").read_text()) if only else []
    groups = []
    for name, (terms, params, needs) in LOSSES.items():
        for p in [params] + VARIANTS.get(name, []):
            rows = make_rows(needs)
            if name == "DPOP":  # a difference quotient says nothing about a kink
                rows = [r for r in rows if dc(r) != 0]
            inputs = dict(by="mpmath", loss_name=name, params={k: number(v) for k, v in p.items()}, **columns(rows))
            if only and name not in only:
                group = old[len(groups)]
                assert all(group[k] == v for k, v in inputs.items()), name
            else:
                group = dict(inputs, **evaluate(terms, p, rows, WIDE.get(name, lambda p: 0)(p)))
            groups.append(group)
    write("pairwise.json", groups)


# ---- peers ----

def random_rows(n, spread, lengths=False):
    rows = []
    for _ in range(n):
        ref = rng.uniform(-90, -30, 2)
        row = dict(zip(PAIR, map(float, [*(ref + rng.normal(0, spread, 2)), *ref])))
        if lengths:
            row["chosen_len"], row["rejected_len"] = (int(v) for v in rng.integers(1, 60, 2))
        rows.append(row)
    return rows


def trl_trainer_dpo(kind, beta, eps=0.0, divergence="reverse_kl", tau=0.05, **options):
    import generate
    plain = generate.trainer

    def with_options(**fields):
        fields.update(label_smoothing=eps, f_divergence_type=divergence, **options)
        fields["args"].discopop_tau = tau
        return plain(**fields)

    def call(**row):
        generate.trainer = with_options
        try:
            return trl_dpo(**row, loss_type=kind, beta=beta)
        finally:
            generate.trainer = plain
    return call


def trl_cpo(kind, mean, **options):
    fields = dict(loss_type=kind, label_smoothing=0.0, simpo_gamma=0.0, alpha=0.0) | options

    def call(chosen, rejected, chosen_len=1, rejected_len=1, **_):
        from trl.experimental.cpo.cpo_trainer import CPOTrainer
        if mean:
            chosen, rejected = chosen / chosen_len, rejected / rejected_len
        return CPOTrainer.cpo_loss(trainer(**fields), chosen, rejected)[0]
    return call


def liger(kind, **options):
    def call(**r):
        from liger_kernel.chunked_loss.dpo_loss import LigerFusedLinearDPOFunction
        sides = [r[k][None] for k in ("chosen", "rejected")]
        refs = [r[k][None] for k in ("ref_chosen", "ref_rejected")]
        return LigerFusedLinearDPOFunction.preference_loss_fn(*sides, torch.zeros(2), *refs, loss_type=kind, **options)[0]
    return call


def liger_free(module, cls, **options):
    def call(chosen, rejected, chosen_len=1, rejected_len=1, **_):
        fn = getattr(importlib.import_module("liger_kernel.chunked_loss." + module), cls).preference_loss_fn
        out = fn((chosen / chosen_len)[None], (rejected / rejected_len)[None], torch.zeros(2), **options)
        return out[0] if isinstance(out, tuple) else out
    return call


PEERS = [  # loss, parameters, who, their code, whether lengths are read
    ("RSO", dict(beta=0.2), "TRL DPOTrainer, hinge", trl_trainer_dpo("hinge", 0.2), False),
    ("EXO", dict(beta=0.2, eps=0.01), "TRL DPOTrainer, exo_pair", trl_trainer_dpo("exo_pair", 0.2, 0.01), False),
    ("NCA", dict(beta=0.2), "TRL DPOTrainer, nca_pair", trl_trainer_dpo("nca_pair", 0.2), False),
    ("RobustDPO", dict(beta=0.2, eps=0.1), "TRL DPOTrainer, robust", trl_trainer_dpo("robust", 0.2, 0.1), False),
    ("BCOPair", dict(beta=0.2, delta=0.0), "TRL DPOTrainer, bco_pair", trl_trainer_dpo("bco_pair", 0.2), False),
    ("SPPO", dict(beta=0.2), "TRL DPOTrainer, sppo_hard", trl_trainer_dpo("sppo_hard", 0.2), False),
    ("APOZero", dict(beta=0.2), "TRL DPOTrainer, apo_zero", trl_trainer_dpo("apo_zero", 0.2), False),
    ("APODown", dict(beta=0.2), "TRL DPOTrainer, apo_down", trl_trainer_dpo("apo_down", 0.2), False),
    ("DiscoPOP", dict(beta=0.2, tau=0.05), "TRL DPOTrainer, discopop", trl_trainer_dpo("discopop", 0.2), False),
    ("NormDPO", dict(beta=2.0), "TRL DPOTrainer, sigmoid_norm", trl_trainer_dpo("sigmoid_norm", 2.0), True),
    ("f-DPO forward KL", dict(beta=0.2), "TRL DPOTrainer, forward_kl", trl_trainer_dpo("sigmoid", 0.2, divergence="forward_kl"), False),
    ("f-DPO Jensen–Shannon", dict(beta=0.2), "TRL DPOTrainer, js_divergence", trl_trainer_dpo("sigmoid", 0.2, divergence="js_divergence"), False),
    ("MPO", dict(beta=0.2), "TRL DPOTrainer, 0.8 sigmoid and 0.2 bco_pair",
     trl_trainer_dpo("", 0.2, loss_types=["sigmoid", "bco_pair"], loss_weights=[0.8, 0.2]), False),
    ("SimPO", dict(beta=2.0, gamma=0.5), "TRL CPOTrainer, simpo", trl_cpo("simpo", True, beta=2.0, simpo_gamma=0.5), True),
    ("CPO", dict(beta=0.1, alpha=0.0, eps=0.1), "TRL CPOTrainer, sigmoid", trl_cpo("sigmoid", False, beta=0.1, label_smoothing=0.1), False),
    ("AlphaPO", dict(beta=2.0, gamma=0.5, alpha=0.25), "TRL CPOTrainer, simpo with alpha", trl_cpo("simpo", True, beta=2.0, simpo_gamma=0.5, alpha=0.25), True),
    ("RSO", dict(beta=0.2), "Liger, hinge", liger("hinge", beta=0.2), False),
    ("EXO", dict(beta=0.2, eps=0.01), "Liger, exo_pair", liger("exo_pair", beta=0.2, label_smoothing=0.01), False),
    ("RobustDPO", dict(beta=0.2, eps=0.1), "Liger, robust", liger("robust", beta=0.2, label_smoothing=0.1), False),
    ("APODown", dict(beta=0.2), "Liger, apo_down", liger("apo_down", beta=0.2), False),
    ("APOZero", dict(beta=0.2), "Liger, apo_zero", liger("apo_zero", beta=0.2), False),
    ("NCA", dict(beta=0.2), "Liger, nca_pair", liger("nca_pair", beta=0.2), False),
    ("BCOPair", dict(beta=0.2, delta=0.0), "Liger, bco_pair", liger("bco_pair", beta=0.2), False),
    ("SPPO", dict(beta=0.2), "Liger, sppo_hard", liger("sppo_hard", beta=0.2), False),
    ("DiscoPOP", dict(beta=0.2, tau=0.05), "Liger, discopop", liger("discopop", beta=0.2), False),
    ("cDPO", dict(beta=0.2, eps=0.0), "Liger, sigmoid, which ignores its label_smoothing", liger("sigmoid", beta=0.2, label_smoothing=0.1), False),
    ("CPO", dict(beta=0.1, alpha=0.0, eps=0.1), "Liger, CPO", liger_free("cpo_loss", "LigerFusedLinearCPOFunction", beta=0.1, label_smoothing=0.1), False),
    ("SimPO", dict(beta=2.0, gamma=0.5), "Liger, SimPO", liger_free("simpo_loss", "LigerFusedLinearSimPOFunction", beta=2.0, gamma=0.5), True),
    ("ORPO", dict(lam=0.1), "Liger, ORPO; −mean log-probability added", liger_free("orpo_loss", "LigerFusedLinearORPOFunction", beta=0.1), True),
]


def peers():
    global rng
    rng = np.random.default_rng(5)
    groups = []
    for name, params, by, code, lengths in PEERS:
        rows = random_rows(8, 4, lengths)
        if name == "ORPO":  # their NLL comes from logits
            loss = lambda **r: code(**r) - r["chosen"] / r["chosen_len"]
        else:
            loss = code
        groups.append(dict(by=by, loss_name=name, params=params, **columns(rows), **autograd(loss, SIDES, rows)))
    write("pairwise_peers.json", groups)


if __name__ == "__main__":
    if unknown := set(sys.argv[1:]) - set(LOSSES):
        sys.exit(f"no group {unknown}: there are {list(LOSSES)}")
    if not sys.argv[1:]:
        peers()
    definitions(sys.argv[1:])
