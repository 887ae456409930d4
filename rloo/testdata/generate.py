"""Writes advantages.json: leave-one-out advantages in exact rational arithmetic (Python 3.11, standard library only).

    python generate.py

Every float64 is a rational number, so the definitions have exact values; only the result is rounded.
"""
import json
import pathlib
import random
from fractions import Fraction as F

random.seed(11)


def leave_one_out(values, k):
    out = []
    for g in range(0, len(values), k):
        group = values[g:g + k]
        for i, v in enumerate(group):
            others = group[:i] + group[i + 1:]
            out.append(v - sum(others) / (k - 1))
    return out


def case(note, k, beta, reward, logp, ref):
    r, p, q = ([F(x) for x in v] for v in (reward, logp, ref))
    shaped = [a - F(beta) * (b - c) for a, b, c in zip(r, p, q)]
    floats = lambda v: [float(x) for x in v]
    return dict(
        note=note, k=k, beta=beta, reward=reward, logp=logp, ref=ref, loo=floats(leave_one_out(r, k)),
        kl=floats(leave_one_out([b - c for b, c in zip(p, q)], k)), shaped=floats(leave_one_out(shaped, k)))


def random_case(note, k, groups, beta, offset=0.0, spread=1.0):
    n = k * groups
    reward = [offset + random.gauss(0, spread) for _ in range(n)]
    ref = [random.uniform(-200, -1) for _ in range(n)]
    logp = [x + random.gauss(0, 3) for x in ref]
    return case(note, k, beta, reward, logp, ref)


cases = [
    random_case("pairs", 2, 6, 0.1),
    random_case("k = 3", 3, 4, 0.5),
    random_case("k = 8", 8, 2, 0.03),
    random_case("k = 64", 64, 1, 1.0),
    random_case("no KL", 4, 3, 0.0),
    random_case("an offset of 10⁸", 4, 3, 0.1, offset=1e8),
    random_case("an offset of 10¹² with small differences", 5, 2, 0.1, offset=1e12, spread=1e-3),
    random_case("tiny rewards", 4, 2, 0.0, spread=1e-300),
    case("constant groups", 3, 0.1, [0.1] * 3 + [1e8 + 0.1] * 3, [-7.3] * 3 + [-0.1] * 3, [-9.1] * 6),
    case("one outlier", 4, 0.0, [1e16, 1.0, 2.0, 3.0], [-1.0] * 4, [-1.0] * 4),
    case("long replies", 2, 0.05, [1.0, 2.0], [-1e5, -99000.25], [-1e5 + 0.5, -99000.0]),
]
text = json.dumps(cases, ensure_ascii=False, separators=(",", ":")).replace("},{", "},\n{")
(pathlib.Path(__file__).parent / "advantages.json").write_text(text + "\n")
