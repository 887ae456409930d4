"""Writes kl.json: k1, k2, k3, KL controllers and distillation. The tests only read it; nobody needs to run this.

    pip install -r requirements.txt mpmath==1.3.0
    pip install --no-deps --target peers verl==0.9.1 trl==1.16.0 openrlhf==0.11.2
    python generate_kl.py peers

Functions and classes are taken out of the modules of verl, TRL and OpenRLHF, whose imports ask for much more, and run in
float64 with torch's autograd for derivatives. Where they round or clamp, mpmath evaluates the definition with 60 digits.
"""
import ast
import json
import pathlib
import sys
import types
import typing

import mpmath as mp
import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
mp.mp.dps = 60
root = pathlib.Path(sys.argv[1])
rng = np.random.default_rng(31)


def take(path, *names):
    """The functions and classes of these names, wherever in the module they are defined, without decorators."""
    found = [n for n in ast.walk(ast.parse((root / path).read_text())) if getattr(n, "name", None) in names]
    for n in found:
        n.decorator_list = []
    scope = dict(torch=torch, np=np, F=F, Optional=typing.Optional, KL_IS_WEIGHT_CLIP=10.0)
    future = ast.parse("from __future__ import annotations").body
    exec(compile(ast.Module(future + found, []), path, "exec"), scope)
    return types.SimpleNamespace(**{n: scope[n] for n in names})


verl = take("verl/trainer/ppo/core_algos.py", "kl_penalty", "kl_penalty_forward", "AdaptiveKLController")
openrlhf = take("openrlhf/models/utils.py", "compute_approx_kl")
controller = take("openrlhf/trainer/ppo_utils/kl_controller.py", "AdaptiveKLController")
gkd = take("trl/experimental/gkd/gkd_trainer.py", "generalized_jsd_loss")


def derivative(f, logp):
    x = torch.tensor(logp, requires_grad=True)
    y = f(x)
    y.sum().backward()
    return y.detach().tolist(), x.grad.tolist()


def peers():
    ref = rng.normal(-3, 1, 12).tolist()
    logp = (np.array(ref) + rng.normal(0, 1, 12)).tolist()
    old = (np.array(logp) + rng.normal(0, 0.3, 12)).tolist()
    r, o = torch.tensor(ref), torch.tensor(old)
    out = dict(logp=logp, ref=ref, behaviour=old)
    for k in ("k1", "k2", "k3"):
        out[k], out[k + "_loss"] = derivative(lambda x: verl.kl_penalty(x, r, k), logp)
    out["k3_plus"] = derivative(lambda x: verl.kl_penalty(x, r, "k3+"), logp)[1]
    def corrected(x):  # the KL term of the GRPO trainer with use_bias_correction_kl
        return (torch.exp(r - x) - (r - x) - 1) * torch.exp(x - o)
    out["k3_ratio"] = derivative(corrected, logp)[1]
    # OpenRLHF computes in float32, and clamps the ratio at 10, which these do not reach.
    out["openrlhf"] = derivative(lambda x: openrlhf.compute_approx_kl(x, r, o, "k3", True), logp)[1]
    return out


def exact():
    sizes = [0.0, 1e-300, 1e-160, 1e-20, 1e-12, 1e-8, 1e-4, 0.01, 0.0999, 0.1001, 0.5, 1.0, 3.0, 20.0, 100.0, 700.0, 709.7, 709.79, 1e4]
    rows = []
    for l in sorted({s * x for x in sizes for s in (1, -1)}):
        x = mp.mpf(l)
        k3, slope = mp.expm1(-x) + x, -mp.expm1(-x)
        if l and abs(l) < 1e-10:  # the series: expm1(−x) + x loses more than 60 digits
            k3 = x * x / 2 - x**3 / 6
        number = lambda v: "Infinity" if v > mp.mpf(sys.float_info.max) else "-Infinity" if v < -mp.mpf(sys.float_info.max) else float(v)
        rows.append(dict(l=l, k2=number(x * x / 2), k3=number(k3), slope=number(slope)))
    return rows


def adaptive(init, target, horizon, steps, kls):
    out = dict(init=init, target=target, rate=steps / horizon, kl=kls)
    for name, c in (("verl", verl.AdaptiveKLController(init, target, horizon)), ("openrlhf", controller.AdaptiveKLController(init, target, horizon))):
        path = []
        for kl in kls:
            c.update(kl, steps)
            path.append(float(c.value))
        out[name] = path
    return out


def distilled(beta, temperature, spread):
    student = rng.normal(0, spread, (3, 7)).astype(np.float32)
    teacher = rng.normal(0, spread, (3, 7)).astype(np.float32)
    x = torch.tensor(student, dtype=torch.float64, requires_grad=True)
    y = torch.tensor(teacher, dtype=torch.float64)
    rows = []
    for i in range(3):
        v = gkd.generalized_jsd_loss(x[i][None, None], y[i][None, None], beta=beta, temperature=temperature, reduction="sum")
        rows.append(v)
    sum(rows).backward()
    return dict(beta=beta, temperature=temperature, vocab=7, student=student.ravel().tolist(), teacher=teacher.ravel().tolist(),
                value=[v.item() for v in rows], gradient=x.grad.ravel().tolist())


out = dict(
    peers=peers(), exact=exact(),
    adaptive=[
        adaptive(0.1, 6.0, 10000, 64, rng.uniform(0, 20, 30).tolist()),
        adaptive(0.01, 0.5, 1000, 10, rng.uniform(0.4, 0.6, 30).tolist()),
        adaptive(0.1, 1.0, 100, 600, [0.0, 0.5, 3.0]),  # 1 + x below 0
    ],
    jsd=[distilled(b, t, s) for b, t, s in ((0.0, 1.0, 1.0), (1.0, 1.0, 1.0), (0.5, 1.0, 2.0), (0.1, 0.7, 1.0), (0.9, 2.0, 6.0))])
text = json.dumps(out, separators=(",", ":")).replace("},{", "},\n{").replace('],"', '],\n"')
(pathlib.Path(__file__).parent / "kl.json").write_text(text + "\n")
