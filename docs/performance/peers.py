"""Times the peers on the cases of bench, one core, and prints one JSON object a line.

    pip install -r requirements.txt
    python peers.py [--only PREFIX] [--data FILE.jsonl]

Names are those of bench with the peer put in: dpo/eager/B=64 is dpo/B=64 by torch without compilation. A time is
that of the fastest of several calls.
"""
import argparse
import json
import os
import time
import warnings

os.environ["OMP_NUM_THREADS"] = "1"
warnings.filterwarnings("ignore")

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

torch.set_num_threads(1)
torch.manual_seed(0)
options = None


def measure(name, items, call, calls=7):
    if not name.startswith(options.only):
        return
    call()
    seconds = options.seconds
    best, begin, k = float("inf"), time.perf_counter(), 0
    while k < calls or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        call()
        best, k = min(best, time.perf_counter() - start), k + 1
        if time.perf_counter() - begin > 8 * seconds:
            break
    print(json.dumps({"name": name, "n": items, "ns_per_item": best / items * 1e9, "threads": 1}), flush=True)


def compiled(name, items, function, prepare):
    """A case by torch.compile; prepare makes the call of what was compiled."""
    if not name.startswith(options.only):
        return
    try:
        call = prepare(torch.compile(function))
        call()
    except Exception as e:  # a compiler may be missing
        print(f"# {name}: {str(e).splitlines()[0]}", flush=True)
        return
    measure(name, items, call)


def logprob():
    for vocab, rows in ((32000, 512), (128256, 128)):
        z = torch.randn(rows, vocab, requires_grad=True)
        y, w = torch.randint(0, vocab, (rows, 1)), torch.randn(rows)

        def forward():
            with torch.no_grad():
                torch.log_softmax(z, -1).gather(1, y)

        def weighted(z):
            return (w * torch.log_softmax(z, -1).gather(1, y)[:, 0]).sum()

        def backward(f):
            def call():
                z.grad = None
                f(z).backward()
            return call

        n = rows * vocab
        measure(f"logprob/fwd/eager/V={vocab}", n, forward)
        measure(f"logprob/grad/eager/V={vocab}", n, backward(weighted))
        compiled(f"logprob/grad/compile/V={vocab}", n, weighted, backward)
        source, target = np.zeros(n, np.float32), np.ones(n, np.float32)
        measure(f"logprob/copy/V={vocab}", n, lambda: np.copyto(target, source))


def dpo():
    for pairs in (64, 4096, 1 << 20):
        c, r, rc, rr = (torch.randn(pairs, dtype=torch.float64) * 3 - 50 for _ in range(4))
        c.requires_grad_(), r.requires_grad_()

        def loss(c, r):
            return -F.logsigmoid(0.1 * ((c - rc) - (r - rr))).mean()

        def backward(f):
            def call():
                c.grad = r.grad = None
                f(c, r).backward()
            return call

        measure(f"dpo/eager/B={pairs}", pairs, backward(loss))
        compiled(f"dpo/compile/B={pairs}", pairs, loss, backward)
        nc, nr, nrc, nrr = (x.detach().numpy() for x in (c, r, rc, rr))

        def by_hand():
            z = 0.1 * ((nc - nrc) - (nr - nrr))
            slope = -0.1 / (1 + np.exp(z)) / pairs
            return np.logaddexp(0, -z).mean(), slope, -slope

        measure(f"dpo/numpy/B={pairs}", pairs, by_hand)


def rloo():
    for prompts, k in ((1 << 18, 4), (1 << 14, 64)):
        a = np.random.default_rng(0).normal(size=(prompts, k))
        t = torch.from_numpy(a)
        measure(f"rloo/numpy/N={prompts}/k={k}", a.size, lambda: a - (a.sum(1, keepdims=True) - a) / (k - 1))
        measure(f"rloo/torch/N={prompts}/k={k}", a.size, lambda: t - (t.sum(1, keepdim=True) - t) / (k - 1))


def coverage():
    import arviz

    for size in (10_000, 1_000_000):
        l = np.random.default_rng(1).standard_t(4, size=size)
        measure(f"coverage/psis/arviz/S={size}", size, lambda: arviz.psislw(l.copy()), calls=3)

        def statistics():
            top = l.max()
            w = np.exp(l - top)
            total, raw = w.sum(), np.exp(l)
            ess = total**2 / (w**2).sum()
            renyi = np.log(total / size) + top, np.log(np.sqrt(w).sum() / size) + top / 2
            kl = np.expm1(-l).mean() + l.mean()
            profile = [(raw * (l >= t)).mean() for t in (0, 1, 2, 4)]
            return ess, renyi, kl, profile

        measure(f"coverage/stats/numpy/S={size}", size, statistics, calls=3)


def sample():
    from transformers.generation.logits_process import MinPLogitsWarper, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    for vocab in (32000, 128256):
        z = torch.randn(16, vocab) * 3
        for name, more in (("plain", []), ("topp", [TopPLogitsWarper(0.9)]), ("topk", [TopKLogitsWarper(50)]), ("minp", [MinPLogitsWarper(0.05)])):
            def draw(warpers=[TemperatureLogitsWarper(0.7), *more]):
                x = z
                for warper in warpers:
                    x = warper(None, x)
                torch.multinomial(torch.softmax(x, -1), 1)

            measure(f"sample/transformers/{name}/V={vocab}", 16 * vocab, draw)


def loglinear():
    prompts, responses, k, beta, penalty = 256, 16, 4, 0.1, 0.05
    for dim in (64, 1024):
        features = torch.randn(prompts, responses, dim)
        theta = (0.01 * torch.randn(dim)).requires_grad_()
        ref = torch.log_softmax(torch.randn(prompts, responses), -1)
        at = torch.arange(prompts)
        chosen = torch.randint(0, responses, (prompts,))
        rejected = (chosen + 1) % responses
        adam = torch.optim.Adam([theta], lr=1e-3)

        def step():
            adam.zero_grad()
            logp = torch.log_softmax(features @ theta + ref, -1)
            ratio = logp - ref
            pairs = -F.logsigmoid(beta * (ratio[at, chosen] - ratio[at, rejected])).mean()
            with torch.no_grad():
                y = torch.multinomial(logp.exp(), k, replacement=True)
                l = ratio.gather(1, y)
                advantage = l - (l.sum(1, keepdim=True) - l) / (k - 1)
            (pairs + penalty * (advantage * logp.gather(1, y)).mean()).backward()
            adam.step()

        measure(f"loglinear/hypo/torch/d={dim}", prompts, step)


def jsonl():
    import pyarrow.json as pj

    if not options.data:
        return
    size = os.path.getsize(options.data)

    def by_line():
        with open(options.data, "rb") as f:
            for line in f:
                json.loads(line)

    measure("jsonl/json", size, by_line, calls=2)
    measure("jsonl/pyarrow", size, lambda: pj.read_json(options.data, read_options=pj.ReadOptions(use_threads=False)), calls=3)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="cases whose names begin so")
    parser.add_argument("--seconds", type=float, default=1.0, help="time for each case")
    parser.add_argument("--data", help="preference pairs to read, JSONL")
    options = parser.parse_args()
    for group in (logprob, dpo, rloo, coverage, sample, loglinear, jsonl):
        if group.__name__.startswith(options.only.split("/")[0]) or not options.only:
            group()
