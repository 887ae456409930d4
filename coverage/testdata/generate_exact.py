"""Writes exact.json: KL-ball coverage, Rényi divergences and best-of-n with many digits.

    pip install -r requirements.txt
    python generate_exact.py

"ball" is log C_ε of a response of log-probability logq, by bisection of the defining inequality; "lambert" the upper
bound 1 + W₀((ε/q − 1)/e); "renyi" the sum of the definition over log-probabilities that are normalised first;
"bestofn" the mass of each response by summing over how many of the n draws reach its reward.
"""
import json
import math
import pathlib

import mpmath as mp
import numpy as np

mp.mp.dps = 400
rng = np.random.default_rng(11)


def kl(p, q):
    return (p * mp.log(p / q) if p else 0) + ((1 - p) * mp.log((1 - p) / (1 - q)) if p < 1 else 0)


def ball(logq, eps):
    q, eps = mp.exp(mp.mpf(logq)), mp.mpf(eps)
    if eps >= -mp.mpf(logq):
        return -logq
    lo, hi = mp.mpf(0), -mp.mpf(logq)  # of log C; the midpoint is geometric while lo is 0 or far from hi
    for _ in range(1500):
        mid = (lo + hi) / 2 if hi < 2 * lo else (mp.sqrt(lo * hi) if lo else hi / 2**20)
        if kl(q * mp.exp(mid), q) <= eps:
            lo = mid
        else:
            hi = mid
        if lo and (hi - lo) / hi < mp.mpf(10) ** -25:
            break
    return float(lo)


def lambert(logq, eps):
    a = mp.mpf(eps) / mp.exp(mp.mpf(logq))
    return float(1 + mp.lambertw((a - 1) / mp.e).real)


balls = []
for logq in (-1e-9, -0.01, -0.3, -math.log(2), -3.0, -40.0, -300 * math.log(10), -720.0, -2000.0):
    for scale in (1e-30, 1e-8, 1e-3, 0.3, 0.9, 1 - 1e-9, 1.0, 2.0):
        balls.append((logq, -logq * scale))
    for a in (1e-20, 1e-5, 0.01, 1.0, 50.0):
        eps = float(mp.exp(mp.mpf(logq)) * a)
        if 1e-300 < eps < -logq:
            balls.append((logq, eps))
ball_cases = [dict(logq=l, eps=e, ball=ball(l, e), lambert=lambert(l, e)) for l, e in balls]


def renyi(alpha, logp, logq):
    p, q = ([mp.exp(mp.mpf(x)) if x > -math.inf else mp.mpf(0) for x in v] for v in (logp, logq))
    p, q = ([x / mp.fsum(v) for x in v] for v in (p, q))
    a = mp.mpf(alpha)
    if alpha == 0:
        return float(-mp.log(mp.fsum(y for x, y in zip(p, q) if x)))
    if alpha == 1:
        return float(mp.fsum(x * mp.log(x / y) for x, y in zip(p, q) if x))
    return float(mp.log(mp.fsum(x**a * y ** (1 - a) for x, y in zip(p, q) if x and y)) / (a - 1))


def logs(x):
    return [float(v) for v in x - np.logaddexp.reduce(x)]


pairs = [(logs(a), logs(a + s * rng.normal(0, 1, 5))) for a in [rng.normal(0, 1.5, 5)] for s in (3, 0.3, 1e-3, 1e-6)]
pairs += [([-1e-300, -700.0, -690.0], [-690.0, -1e-300, -700.0]), ([0.0, -2000.0], [-2000.0, 0.0])]
renyi_cases = [dict(alpha=a, logp=p, logq=q, value=renyi(a, p, q)) for p, q in pairs
               for a in (0.0, 1e-9, 0.1, 0.5, 0.7, 1 - 1e-9, 1.0, 1 + 1e-9, 1.5, 2.0, 7.0, 300.0)]


def bestofn(logref, reward, n):
    q = [mp.exp(mp.mpf(x)) for x in logref]
    total = mp.fsum(q)
    out = []
    for y, r in enumerate(reward):
        level = mp.fsum(v for v, s in zip(q, reward) if s == r) / total
        below = mp.fsum(v for v, s in zip(q, reward) if s < r) / total
        mass = mp.fsum(mp.binomial(n, k) * level**k * below ** (n - k) for k in range(1, n + 1))
        out.append(float(mp.log(mass * q[y] / total / level)))
    return out


best_cases = []
for n in (1, 2, 5, 64):
    for logref, reward in [(logs(rng.normal(0, 2, 6)), [1.0, 3.0, 3.0, -2.0, 0.5, 1.0]),
                           ([-1e-300, -690.0, -695.0], [0.0, 1.0, 2.0]), ([-1e-300, -690.0, -1500.0], [2.0, 1.0, 0.0]),
                           ([-1e-300, -1500.0, -1500.0], [0.0, 2.0, 2.0])]:
        best_cases.append(dict(n=n, logref=logref, reward=reward, want=bestofn(logref, reward, n)))

out = dict(ball=ball_cases, renyi=renyi_cases, bestofn=best_cases)
text = json.dumps(out, separators=(",", ":")).replace("},{", "},\n{")
assert "Infinity" not in text and "NaN" not in text
(pathlib.Path(__file__).parent / "exact.json").write_text(text + "\n")
