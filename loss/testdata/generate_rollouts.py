"""Writes rollouts.json, the golden file of the policy-gradient losses. The tests only read it; nobody needs to run this.

    pip install -r requirements.txt
    pip install --no-deps --target verl verl==0.9.1
    pip install --no-deps --target openrlhf openrlhf==0.11.2
    python generate_rollouts.py verl openrlhf

TRL 1.16.0, verl 0.9.1 and OpenRLHF 0.11.2 run their own loss code, in float64 and with torch's autograd for the
derivatives. Their means are multiplied by what they have divided by, so that sums stand in the file.
"""
import ast
import pathlib
import sys
import types
import typing

import numpy as np
import torch

from generate import F64, OneProcess, trainer, write

rng = np.random.default_rng(2026)
VERL, OPENRLHF = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])


def functions(path, *names, **scope):
    """Single functions and classes of a module, with torch and scope alone around them."""
    tree = ast.parse(path.read_text())
    found = [n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.ClassDef)) and n.name in names]
    for n in found:
        n.decorator_list = []
    future = ast.parse("from __future__ import annotations").body
    scope.update(torch=torch, nn=torch.nn, Optional=typing.Optional, Tuple=typing.Tuple, Any=typing.Any)
    exec(compile(ast.Module([*future, *found], []), str(path), "exec"), scope)
    return scope


# ---- batches: rows of a matrix with a mask, and the same without what the mask leaves out ----

B, T = 6, 8


def batch(spread=0.5):
    """Replies of 1 to T tokens with holes, advantages per reply."""
    mask = np.zeros((B, T))
    for i, n in enumerate([1, T, 3, 5, T, 2]):
        mask[i, :n] = rng.random(n) < 0.85
        mask[i, 0] = 1
    old = -3 * rng.random((B, T))
    b = dict(mask=mask, old=old, logprob=old + spread * rng.normal(size=(B, T)), ref=old + spread * rng.normal(size=(B, T)),
             advantage=rng.normal(size=(B, 1)) * np.ones((1, T)), weight=2 * rng.random((B, T)),
             entropy=rng.integers(0, 4000, (B, T)) / 1024, behaviour=old + spread * rng.normal(size=(B, T)))
    b["advantage"][2] = 0
    return {k: F64(v) for k, v in b.items()}


def flat(b, *names):
    """The matrices as flat slices of each row up to its last token."""
    length = [int(np.max(np.nonzero(row.numpy())[0])) + 1 for row in b["mask"]]
    cut = lambda m: [x for row, n in zip(m.tolist(), length) for x in row[:n]]
    return dict(begin=[0, *np.cumsum(length).tolist()], mask=[bool(x) for x in cut(b["mask"])], **{k: cut(b[k]) for k in names})


def group(by, kind, b, value, factor=1, also=(), **params):
    """value is the peer's loss, factor what it was divided by. A value function's loss has the values for log-probabilities,
    the old ones for the old ones, and the return for the reference's."""
    gradient, = torch.autograd.grad(value, b["logprob"])
    names = ["logprob", "old", "ref", "advantage", *also, "gradient"]
    out = flat(dict(b, logprob=b["logprob"].detach(), gradient=gradient * factor), *names)
    return dict(by=by, kind=kind, params=params, **out, sum=value.item() * factor)


def live(b):
    return dict(b, logprob=b["logprob"].clone().requires_grad_())


# ---- TRL ----

class Padding(OneProcess):
    pad_across_processes = staticmethod(lambda x, **_: x)


def trl_self(**args):
    self = trainer(**args)
    self.accelerator = Padding()
    return self


def trl_inputs(b, **more):
    ids = b["mask"].long()
    return dict(prompt_ids=ids[:, :0], prompt_mask=ids[:, :0], completion_ids=ids, completion_mask=b["mask"],
                advantages=b["advantage"][:, 0], **more)


def trl_grpo(b, loss_type, low, high, level="token", beta=0.0, delta=None, corrected=False, length=None, weight=None, mask_delta=None,
             quantile=1.0, cls="GRPOTrainer", **sapo):
    import trl.trainer.grpo_trainer as module
    cls = getattr(module, cls)
    args = dict(delta=delta, use_bias_correction_kl=corrected, sapo_temperature_pos=1.0, sapo_temperature_neg=1.05,
                vespo_k_pos=2.0, vespo_lambda_pos=3.0, vespo_k_neg=3.0, vespo_lambda_neg=2.0)
    args.update(sapo)
    self = trl_self(
        top_entropy_quantile=quantile, off_policy_mask_threshold=mask_delta, importance_sampling_level=level, beta=beta,
        loss_type=loss_type, epsilon_low=low, epsilon_high=high, use_vllm=weight is not None,
        vllm_importance_sampling_correction=True, max_completion_length=length, _entropy_bonus_enabled=False,
        args=types.SimpleNamespace(**args), get_gamma_weights=cls.get_gamma_weights, get_off_policy_mask=cls.get_off_policy_mask,
        _get_per_token_logps_and_entropies=lambda *_, **__: (b["logprob"], b["entropy"], None))
    self.get_high_entropy_mask = types.MethodType(unwrapped(cls.get_high_entropy_mask), self)
    inputs = trl_inputs(b, old_per_token_logps=b["old"], ref_per_token_logps=b["ref"], num_items_in_batch=b["mask"].sum(),
                        sampling_per_token_logps=b["behaviour"])
    if weight is not None:
        inputs.update(importance_sampling_ratio=weight)
    return unwrapped(cls._compute_loss)(self, None, inputs)


def unwrapped(f):
    return getattr(f, "__wrapped__", f)


def trl():
    tokens = lambda b: b["mask"].sum().item()
    for name, kind, factor, run, params in (
            ("grpo", "grpo", lambda b: B, dict(low=0.2, high=0.2), {}),
            ("grpo", "grpo", lambda b: B, dict(low=0.2, high=0.3, beta=0.04, delta=1.6), dict(beta=0.04, dual=1.6)),
            ("grpo", "grpo", lambda b: B, dict(low=0.2, high=0.2, beta=0.5, corrected=True), dict(beta=0.5, weight_kl=1)),
            ("bnpo", "dapo", tokens, dict(low=0.1, high=0.1), {}),
            ("dapo", "dapo", tokens, dict(low=0.2, high=0.28), {}),
            ("dr_grpo", "drgrpo", lambda b: B * 100, dict(low=0.2, high=0.2, length=100), {}),
            ("grpo", "gspo", lambda b: B, dict(low=0.05, high=0.07, level="sequence"), {}),
            ("luspo", "luspo", lambda b: B, dict(low=0.05, high=0.07, level="sequence"), {}),
            ("cispo", "cispo", tokens, dict(low=0.2, high=1.3), dict(min=0, max=1.3)),
            ("sapo", "sapo", lambda b: B, dict(low=0.2, high=0.2), dict(tau_pos=1.0, tau_neg=1.05)),
            ("vespo", "vespo", tokens, dict(low=0.2, high=0.2), dict(k=2, **{"lambda": 3}, negative_k=3, negative_lambda=2))):
        b = live(batch())
        params = {k: run[k] for k in ("low", "high")} | params
        yield group("TRL GRPOTrainer, " + name, kind, b, trl_grpo(b, name, **run), factor(b), **params)
    # Weights and masks that stay in the denominator.
    b = live(batch())
    yield group("TRL GRPOTrainer, importance sampling correction", "dapo", b,
                trl_grpo(b, "dapo", 0.2, 0.28, weight=b["weight"]), tokens(b), also=["weight"], low=0.2, high=0.28)
    b = live(batch())
    yield group("TRL GRPOTrainer, top entropy", "topentropy", b, trl_grpo(b, "dapo", 0.2, 0.28, quantile=0.3), tokens(b), also=["entropy"],
                low=0.2, high=0.28, share=0.3)
    b = live(batch())
    yield group("TRL GRPOTrainer, off-policy sequences", "offpolicy", b, trl_grpo(b, "dapo", 0.2, 0.28, mask_delta=0.05), tokens(b),
                also=["behaviour"], low=0.2, high=0.28, delta=0.05)

    from trl.trainer.rloo_trainer import RLOOTrainer
    b = live(batch(0.15))
    self = trl_self(epsilon_low=0.2, epsilon_high=0.2, _get_per_token_logps_and_entropies=lambda *_, **__: (b["logprob"], b["entropy"], None))
    value = unwrapped(RLOOTrainer._compute_loss)(self, None, trl_inputs(b, old_logps=(b["old"] * b["mask"]).sum(1)))
    yield group("TRL RLOOTrainer", "rloo", b, value, B, low=0.2, high=0.2)

    from trl.experimental.gmpo.gmpo_trainer import GMPOTrainer
    b = live(batch())
    self = trl_self(top_entropy_quantile=1.0, beta=0.0, epsilon_low=0.4, epsilon_high=0.4,
                    _get_per_token_logps_and_entropies=lambda *_, **__: (b["logprob"], b["entropy"], None))
    value = unwrapped(GMPOTrainer._compute_loss)(self, None, trl_inputs(b, old_per_token_logps=b["old"]))
    yield group("TRL GMPOTrainer", "gmpo", b, value, B, low=0.4, high=0.4)

    from trl.experimental.a2po.a2po_trainer import A2POTrainer
    b = live(batch())
    masked = lambda k: (b[k] * b["mask"]).sum(1)
    self = trl_self(args=types.SimpleNamespace(beta2=0.7), _get_sequence_logps=lambda *_: masked("logprob"))
    value = A2POTrainer.compute_loss(self, None, dict(input_ids=None, attention_mask=None, logits_to_keep=None, ref_logps=masked("ref"),
                                                      rewards=b["advantage"][:, 0] + 2, v_star=F64([2.0] * B)))
    yield group("TRL A2POTrainer", "astarpo", b, value, B, beta=0.7)


# ---- verl ----

class ActorConfig(types.SimpleNamespace):
    global_batch_info = {}

    def get(self, key, default=None):
        return getattr(self, key, default)


def verl():
    helpers = types.SimpleNamespace(**functions(VERL / "verl/utils/torch_functional.py", "masked_mean", "masked_sum", "clip_by_value"))
    names = ["vanilla", "gspo", "sapo", "gpg", "clip_cov", "kl_cov", "geo_mean", "cispo"]
    code = functions(VERL / "verl/trainer/ppo/core_algos.py", "agg_loss", "compute_value_loss", *("compute_policy_loss_" + n for n in names),
                     verl_F=helpers, ActorConfig=ActorConfig, DictConfig=dict, AlgoConfig=type("AlgoConfig", (), {}))

    def run(name, b, mode, weight=None, low=0.2, high=0.2, **more):
        config = ActorConfig(clip_ratio=low, clip_ratio_low=low, clip_ratio_high=high, policy_loss=types.SimpleNamespace(**more), **more)
        return code["compute_policy_loss_" + name](b["old"], b["logprob"], b["advantage"], b["mask"], mode, config, weight)[0]

    tokens = lambda b: b["mask"].sum().item()
    for name, kind, mode, factor, more, params in (
            ("vanilla", "ppo", "token-mean", tokens, dict(clip_ratio_c=1.5), dict(dual=1.5)),
            ("vanilla", "ppo", "token-sum", lambda b: 1, dict(clip_ratio_c=3.0, high=0.28), dict(dual=3.0)),
            ("vanilla", "ppo", "seq-mean-token-sum", lambda b: B, dict(clip_ratio_c=3.0), dict(dual=3.0)),
            ("vanilla", "ppo", "seq-mean-token-sum-norm", lambda b: B * T, dict(clip_ratio_c=3.0), dict(dual=3.0)),
            ("vanilla", "ppo", "seq-mean-token-mean", lambda b: B, dict(clip_ratio_c=3.0), dict(dual=3.0, mean=1)),
            ("gspo", "gspotoken", "seq-mean-token-mean", lambda b: B, dict(low=0.05, high=0.07), {}),
            ("sapo", "sapo", "", lambda b: B, dict(tau_pos=1.0, tau_neg=1.05), dict(tau_pos=1.0, tau_neg=1.05)),
            ("gpg", "reinforce", "token-mean", tokens, {}, {}),
            ("kl_cov", "klcov", "token-mean", tokens, dict(kl_cov_ratio=0.25, ppo_kl_coef=0.8), dict(share=0.25, coef=0.8)),
            ("clip_cov", "clipcov", "token-mean", tokens, dict(clip_cov_ratio=1.0, clip_cov_lb=0.1, clip_cov_ub=2.0), dict(share=1.0, lb=0.1, ub=2.0)),
            ("geo_mean", "gmpo", "", lambda b: B, dict(low=0.4, high=0.3), {}),
            ("cispo", "cispo", "token-mean", tokens, dict(low=0.2, high=0.3), dict(min=0.8, max=1.3))):
        b = live(batch())
        params = {k: more.get(k, 0.2) for k in ("low", "high")} | params
        yield group("verl " + name + " " + mode, kind, b, run(name, b, mode, **more), factor(b), **params)
    for name, kind, params in (("vanilla", "ppo", dict(dual=3.0)), ("cispo", "cispo", dict(min=0.8, max=1.2))):
        b = live(batch())
        yield group("verl " + name + ", rollout weights", kind, b, run(name, b, "token-mean", b["weight"], clip_ratio_c=3.0), tokens(b),
                    also=["weight"], low=0.2, high=0.2, **params)

    b = live(batch())
    value = code["compute_value_loss"](b["logprob"], b["ref"], b["old"], b["mask"], 0.2)[0]
    yield group("verl value", "value", b, value, tokens(b), clip=0.2)


# ---- OpenRLHF ----

def openrlhf():
    home = OPENRLHF / "openrlhf/models"
    mean = functions(home / "utils.py", "masked_mean")["masked_mean"]
    code = functions(home / "loss.py", "PolicyLoss", "ValueLoss", "aggregate_loss", masked_mean=mean)
    # The loss divides token means by 1e-8 more than the number of tokens.
    for name, kind, more, params in (
            ("ppo", "ppo", dict(dual_clip=1.5), dict(dual=1.5)),
            ("ppo, per token", "ppo", dict(clip_eps_high=0.28), {}),
            ("gspo", "gspo", dict(policy_loss_type="gspo", clip_eps_low=0.05, clip_eps_high=0.07), {})):
        b = live(batch())
        token = "per token" in name
        loss = code["PolicyLoss"](token_level_loss=token, **more)
        value = loss(b["logprob"], b["old"], b["advantage"], b["mask"], global_batch_size=B, batch_num_tokens=b["mask"].sum())[0]
        yield group("OpenRLHF " + name, kind, b, value, b["mask"].sum().item() if token else B, mean=int(not token),
                    low=more.get("clip_eps_low", 0.2), high=more.get("clip_eps_high", 0.2), **params)
    b = live(batch())
    loss = code["PolicyLoss"](is_correction_level="seq", is_correction_threshold=[0.8, 1.25])
    value = loss(b["logprob"], b["old"], b["advantage"], b["mask"], b["behaviour"])[0]
    yield group("OpenRLHF seq-mask-tis", "geometricmask", b, value, b["mask"].sum().item(), also=["behaviour"], low=0.2, high=0.2, min=0.8, max=1.25)
    b = live(batch())
    loss = code["PolicyLoss"](is_correction_level="token", is_correction_threshold=[0.5, 1.5])
    value = loss(b["logprob"], b["old"], b["advantage"], b["mask"], b["behaviour"])[0]
    yield group("OpenRLHF icepop", "icepop", b, value, b["mask"].sum().item(), also=["behaviour"], low=0.2, high=0.2, min=0.5, max=1.5)
    b = live(batch())
    value = code["ValueLoss"]()(b["logprob"], b["old"], b["ref"], b["mask"])
    yield group("OpenRLHF value", "value", b, value, b["mask"].sum().item(), clip=0)


if __name__ == "__main__":
    write("rollouts.json", [*trl(), *verl(), *openrlhf()])
