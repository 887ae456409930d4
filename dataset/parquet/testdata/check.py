"""Reads a Parquet file with pyarrow and with datasets, and compares it with JSONL: check.py FILE.parquet FILE.jsonl"""

import json
import sys
import tempfile

import datasets
import pyarrow.parquet as pq

want = [json.loads(line) for line in open(sys.argv[2], encoding="utf-8")]
for row in want:
    row |= {k: float(v) for k, v in row.items() if v in ("Infinity", "-Infinity")}
with tempfile.TemporaryDirectory() as cache:
    loaded = datasets.load_dataset("parquet", data_files=sys.argv[1], split="train", cache_dir=cache).to_list()
for rows in (pq.read_table(sys.argv[1]).to_pylist(), loaded):
    have = [{k: v for k, v in row.items() if v is not None} for row in rows]
    if repr([sorted(row.items()) for row in have]) != repr([sorted(row.items()) for row in want]):
        sys.exit(f"{sys.argv[1]} differs from {sys.argv[2]}")
