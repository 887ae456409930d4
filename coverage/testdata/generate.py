"""Writes kl.json: KL divergences of distributions given by float64 log-probabilities.

    pip install -r requirements.txt
    python generate.py

"generalised" is Σ p·ℓ − Σp + Σq with 400 digits, for exactly the numbers in the file: rounded log-probabilities do
not sum to 1, and between close distributions that matters more than the divergence itself. "entropy", where it is
given, is scipy.stats.entropy of the probabilities, which normalises them.
"""
import json
import math
import pathlib

import mpmath as mp
import numpy as np
import scipy.special
import scipy.stats

mp.mp.dps = 400
rng = np.random.default_rng(5)
INF = math.inf


def generalised(logp, logq):
    total = mp.mpf(0)
    for a, b in zip(logp, logq):
        p, q = (mp.exp(mp.mpf(x)) for x in (a, b))
        if p == 0:
            total += q
        elif q == 0:
            return INF
        else:
            total += p * mp.log(p / q) - p + q
    return float(total)


def case(note, logp, logq, entropy=False):
    logp, logq = ([float(x) for x in v] for v in (logp, logq))
    c = dict(note=note, logp=logp, logq=logq, generalised=generalised(logp, logq))
    if entropy:
        c["entropy"] = float(scipy.stats.entropy(np.exp(logp), np.exp(logq)))
    return c


def random_case(n, spread, entropy):
    a = rng.normal(0, 1.5, n)
    b = a + spread * rng.normal(0, 1, n)
    return case(f"{n} responses, logits {spread:g} apart", *(scipy.special.log_softmax(x) for x in (a, b)), entropy)


def text(x):
    """Infinities as strings, which JSON has no number for."""
    if isinstance(x, float) and math.isinf(x):
        return "Infinity" if x > 0 else "-Infinity"
    if isinstance(x, list):
        return [text(v) for v in x]
    return x


log = math.log
cases = [random_case(n, s, True) for n in (2, 5, 30) for s in (3, 1, 0.3)]
cases += [random_case(5, 10.0**-k, False) for k in range(1, 16)]
cases += [
    case("equal", [log(0.5), log(0.25), log(0.25)], [log(0.5), log(0.25), log(0.25)]),
    case("p = 0", [log(0.5), log(0.5), -INF], [log(0.25), log(0.25), log(0.5)]),
    case("both 0", [log(0.5), log(0.5), -INF], [log(0.25), log(0.75), -INF]),
    case("q = 0", [log(0.5), log(0.5)], [0.0, -INF]),
    case("q = 0 where p underflows", [0.0, -800.0], [0.0, -INF]),
    case("denormal q", [log(0.5), log(0.5)], [0.0, -740.0]),
    case("q underflows", [log(0.5), log(0.5)], [0.0, -5000.0]),
    case("denormal p", [0.0, -740.0], [log(0.5), log(0.5)]),
    case("p underflows", [0.0, -1e5], [log(0.5), log(0.5)]),
    case("all but one rare", [-1e-12, -30.0, -35.0], [-2e-12, -29.0, -50.0]),
]
# One term at a time, around the log-ratios where a formula might change.
cases += [case(f"ratio {x:g}", [-1.0], [-1.0 - x])
          for y in (1e-300, 1e-20, 1e-9, 1e-5, 9.99e-4, 1e-3, 0.0625, 0.0999, 0.1, 0.1001, 0.5, 0.999, 1.0, 1.001, 30.0)
          for x in (y, -y)]
for c in cases:
    for k, v in c.items():
        c[k] = text(v)
out = json.dumps(cases, ensure_ascii=False, separators=(",", ":")).replace("},{", "},\n{")
(pathlib.Path(__file__).parent / "kl.json").write_text(out + "\n")
