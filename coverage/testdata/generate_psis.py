"""Writes psis.json: Pareto k̂ and smoothed weights of arviz.psislw.

    pip install -r requirements.txt
    python generate_psis.py

Log-weights have few digits, so that the file holds them exactly. "smoothed" are normalised log-weights, for at most
100 of them; "logess" is −log Σ smoothed² in all cases. k̂ = Infinity is arviz's answer for a tail of four or fewer.
"""
import json
import math
import pathlib

import arviz
import numpy as np

rng = np.random.default_rng(3)
cases = []


def case(name, logw):
    logw = np.round(np.asarray(logw, dtype=float), 5)
    smooth, k = arviz.psislw(logw.copy())
    smooth = np.asarray(smooth)
    c = dict(name=name, logw=[float(x) for x in logw], k=float(k), logess=float(-np.logaddexp.reduce(2 * smooth)))
    if len(logw) <= 100:
        c["smoothed"] = [float(x) for x in smooth]
    cases.append(c)


for n in (2, 5, 20, 21, 25, 26, 60, 100, 225, 226, 1000):
    for s in (0.3, 2.0):
        case(f"lognormal {s} n={n}", rng.normal(0, s, n))
for k in (-0.5, 0.2, 0.7, 1.5, 5):
    u = rng.random(400)
    case(f"pareto {k}", np.log1p((np.power(u, -k) - 1) / k))
case("far from 0", 1e4 + rng.normal(0, 1, 100))
case("wide", rng.normal(0, 300, 100))
case("wider than float64", rng.normal(0, 3000, 100))
case("half of them at the floor", np.concatenate([rng.normal(-2000, 1, 60), rng.normal(0, 1, 40)]))
case("equal", np.zeros(100))
case("two values", np.repeat([0.0, 1.0], [80, 20]))
case("ties at the cut-off", np.concatenate([np.zeros(70), np.full(20, 0.5), rng.random(10) + 1]))
case("ties in the tail", np.round(rng.normal(0, 1, 100), 1))
case("zero weights", np.where(rng.random(100) < 0.4, -np.inf, rng.normal(0, 1, 100)))
case("one dominates", np.concatenate([[50.0], rng.normal(0, 0.1, 99)]))
case("bounded", np.log(1 + rng.random(400)))


def text(x):
    if isinstance(x, float) and math.isinf(x):
        return "Infinity" if x > 0 else "-Infinity"
    if isinstance(x, list):
        return [text(v) for v in x]
    return x


out = json.dumps([{k: text(v) for k, v in c.items()} for c in cases], separators=(",", ":")).replace("},{", "},\n{")
assert "NaN" not in out
(pathlib.Path(__file__).parent / "psis.json").write_text(out + "\n")
