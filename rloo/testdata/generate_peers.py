"""Writes peers.json: advantages as verl 0.9.1 and TRL 0.24.0 compute them. The tests only read it; nobody needs to run this.

    pip install -r requirements.txt
    pip install --no-deps --target peers verl==0.9.1 trl==0.24.0
    python generate_peers.py peers

The functions are taken out of their modules, whose imports ask for much more, and run in float64. GDPO alone is float32
in verl. A reward stands at the last token of its reply; rows of a batch are padded to the longest reply.
"""
import ast
import json
import pathlib
import sys
import types
import typing
from collections import defaultdict

import numpy as np
import torch

torch.set_default_dtype(torch.float64)
root = pathlib.Path(sys.argv[1])
rng = np.random.default_rng(7)


def functions(path, **scope):
    """All top-level functions of a module that have no side effects, without their decorators."""
    found = [n for n in ast.parse((root / path).read_text()).body if isinstance(n, ast.FunctionDef)]
    for n in found:
        n.decorator_list = []
    scope.update(torch=torch, np=np, defaultdict=defaultdict, Optional=typing.Optional, Any=typing.Any)
    future = ast.parse("from __future__ import annotations").body
    exec(compile(ast.Module(future + found, []), path, "exec"), scope)
    return types.SimpleNamespace(**scope)


verl = functions("verl/trainer/ppo/core_algos.py", verl_F=functions("verl/utils/torch_functional.py"))
trl = functions("trl/core.py")


class Config(dict):
    __getattr__ = dict.__getitem__


def rows(values, lengths):
    out = torch.zeros(len(lengths), max(lengths))
    for i, n in enumerate(lengths):
        out[i, n - 1] = values[i]
    return out


def masks(lengths):
    return torch.tensor([[float(t < n) for t in range(max(lengths))] for n in lengths])


def first(result):
    return result[0][:, 0].tolist()


def sequences(sizes, reward, lengths, greedy, other):
    """Advantages of whole replies. Those that are whitened over tokens come from replies of one token each."""
    index = np.repeat(np.arange(len(sizes)), sizes)
    mask, flat = masks(lengths), torch.ones(len(reward), 1)
    r = rows(reward, lengths)
    single = torch.tensor(reward)[:, None]
    both = dict(
        config=Config(gdpo_reward_keys=["a", "b"], gdpo_reward_weights=[1.0, 0.5]),
        non_tensor_batch=dict(a=np.array(reward), b=np.array(other)),
        batch=dict(prompts=torch.zeros(len(reward), 1), attention_mask=torch.ones(len(reward), 2, dtype=torch.long)))
    begin = np.concatenate([[0], np.cumsum(sizes)]).tolist()
    return dict(
        begin=begin, reward=reward, length=lengths, greedy=greedy, other=other,
        rloo=first(verl.compute_rloo_outcome_advantage(r.clone(), mask, index)),
        grpo=first(verl.compute_grpo_outcome_advantage(r.clone(), mask, index)),
        dr_grpo=first(verl.compute_grpo_outcome_advantage(r.clone(), mask, index, norm_adv_by_std_in_grpo=False)),
        opo=first(verl.compute_opo_outcome_advantage(r.clone(), mask, index)),
        gpg=first(verl.compute_gpg_outcome_advantage(r.clone(), mask, index)),
        remax=first(verl.compute_remax_outcome_advantage(r.clone(), torch.tensor(greedy)[index], mask)),
        best=first(verl.compute_grpo_passk_outcome_advantage(
            r.clone(), mask, index, config=Config(norm_adv_by_std_in_grpo=False))),
        baseline=first(verl.compute_reinforce_plus_plus_baseline_outcome_advantage(single.clone(), flat, index)),
        whitened=first(verl.compute_reinforce_plus_plus_outcome_advantage(single.clone(), flat, Config(gamma=1.0))),
        gdpo=first(verl.compute_gdpo_outcome_advantage(single.clone(), flat, index, **both)))


def tokens(lengths, gamma, lam, masked):
    """Numbers for each token, as flat lists of the replies' positions."""
    mask = masks(lengths)
    reply = mask.bool()
    if masked:
        for i, n in enumerate(lengths):
            for t in range(1, n - 1):
                mask[i, t] = float(rng.random() > 0.4)
    reward, value = torch.tensor(rng.normal(size=mask.shape)), torch.tensor(rng.normal(size=mask.shape))
    reward = reward * mask  # padding is 0, as verl hands it over
    flat = lambda x: x[reply].tolist()
    advantage, returns = verl.compute_gae_advantage_return(reward, value, mask, gamma, lam)
    whitened, togo = verl.compute_reinforce_plus_plus_outcome_advantage(reward, mask, Config(gamma=gamma))
    return dict(
        begin=np.concatenate([[0], np.cumsum(lengths)]).tolist(), mask=[bool(x) for x in flat(mask)], gamma=gamma, lam=lam,
        reward=flat(reward), value=flat(value), gae=flat(advantage * mask), returns=flat(returns * mask),
        plus=flat(whitened), togo=flat(togo),
        trl_whitened=flat(trl.masked_whiten(reward, mask.bool()) * mask))


def rewards(n):
    return np.float32(rng.normal(size=n)).astype(float).tolist()


def sequence_case(sizes, reward=None):
    n = sum(sizes)
    return sequences(sizes, reward or rewards(n), rng.integers(1, 9, size=n).tolist(), rewards(len(sizes)), rewards(n))


text = json.dumps(dict(
    sequences=[
        sequence_case([4, 4, 4]),
        sequence_case([2, 5, 3, 8]),
        sequence_case([3, 3, 4], [1.0, 2.0, 4.0, 0.0, 0.0, 0.0, 1.0, 3.0, 3.0, -2.0]),  # verl's count for GPG is the paper's here
        sequence_case([16, 16]),
    ],
    tokens=[
        tokens([5, 3, 7], 1.0, 0.95, False),
        tokens([4, 6, 2, 9], 0.99, 0.9, True),
        tokens([8, 8], 1.0, 1.0, True),
        tokens([3, 12], 0.5, 0.0, True),
    ]), separators=(",", ":")).replace("},{", "},\n{")
(pathlib.Path(__file__).parent / "peers.json").write_text(text + "\n")
