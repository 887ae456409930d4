"""Writes the Parquet files of this folder, and beside them what they hold, as JSONL.

python -m pip install -r requirements.txt && python generate.py
"""

import itertools
import json
import math
import pathlib
import sys

import datasets
import pyarrow as pa
import pyarrow.parquet as pq

here = pathlib.Path(__file__).parent
datasets.disable_progress_bars()

LONG = " ".join(f"{i * i % 977}" for i in range(300))  # longer than a page
TEXTS = [
    "plain", " leading and trailing \n", "é€😀 a\u0301 \u200d \ufeff", "nul \0, tab \t, bell \a, quote \", backslash \\",
    "\n\nHuman: who?\n\nAssistant: nobody", LONG, "\r\n", "x", "\u2028 line \u2029 paragraph \u0085", "\U0010ffff\ud7ff\ue000",
]
MARGINS = [0.1, -0.0, 5e-324, 1.7976931348623157e308, -2.2250738585072014e-308, 1 / 3, None]
LOGPS = [-0.1, -1e-320, -math.inf, 0.0, -1234.5678901234567, -1e308, None]


def text(i, what):
    return f"{what} {i}: {TEXTS[i % len(TEXTS)]}"


def message(role, content):
    return {"role": role, "content": content}


def extras(i, plain, ref):
    row = {"margin": MARGINS[i % len(MARGINS)]}
    if ref:
        a, b = LOGPS[i % 7], LOGPS[(i + 3) % 7]
        a, b = (None, None) if a is None or b is None else (a, b)
        row |= {"ref_chosen_logps": a, "ref_rejected_logps": b}
        row |= {"ref_fingerprint": f"sha256:{i:032x}" if a is not None and i % 2 else None}
    return row


def plain_rows(n):
    for i in range(n):
        yield {k: text(i, k) for k in ("prompt", "chosen", "rejected")} | extras(i, True, True)


def chat_rows(n):
    roles = itertools.cycle(["user", "assistant"])
    for i in range(n):
        prompt = [message("system", "" if i % 2 else "Be brief.")] if i % 3 == 0 else []
        prompt += [message(r, text(i + j, r)) for j, r in zip(range(1 + 2 * (i % 4)), roles)]
        roles = itertools.cycle(["user", "assistant"])
        chosen = [message("assistant", text(i, "yes"))]
        if i % 5 == 4:
            chosen += [message("tool", ""), message("assistant", text(i + 1, "so"))]
        yield {"prompt": prompt, "chosen": chosen, "rejected": [message("assistant", text(i + 2, "no"))]} | extras(i, False, False)


def jsonl(name, rows):
    """Non-finite numbers as strings; null is as good as absent."""
    def number(x):
        return ("-" if x < 0 else "") + "Infinity" if isinstance(x, float) and math.isinf(x) else x
    with open(here / name, "w", encoding="utf-8", newline="\n") as f:
        for row in rows:
            f.write(json.dumps({k: number(v) for k, v in row.items() if v is not None}, ensure_ascii=False) + "\n")


STRING = pa.string()
MESSAGES = pa.list_(pa.struct([("role", STRING), ("content", STRING)]))
NUMBERS = [("margin", pa.float64()), ("ref_chosen_logps", pa.float64()), ("ref_rejected_logps", pa.float64()), ("ref_fingerprint", STRING)]


def schema(text_type, extra=NUMBERS):
    return pa.schema([(k, text_type) for k in ("prompt", "chosen", "rejected")] + extra)


def write(name, rows, schema, **options):
    options = {"row_group_size": 11, "data_page_size": 700, "write_batch_size": 3} | options
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), here / (name + ".parquet"), **options)


def pairs():
    rows = list(plain_rows(24))
    jsonl("plain.jsonl", rows)
    s = schema(STRING)
    for codec, version, dictionary in [("none", "1.0", True), ("snappy", "1.0", False), ("snappy", "2.0", True), ("gzip", "1.0", True),
                                       ("gzip", "2.0", False), ("zstd", "1.0", False), ("zstd", "2.0", True), ("brotli", "2.0", True)]:
        name = f"plain-{codec}-v{version[0]}-{'dict' if dictionary else 'direct'}"
        write(name, rows, s, compression=codec, data_page_version=version, use_dictionary=dictionary)
    write("plain-checksum", rows, s, compression="zstd", write_page_checksum=True, write_page_index=True)
    write("plain-large", rows, schema(pa.large_string()), compression="zstd")
    write("plain-view", rows, schema(pa.string_view()), compression="zstd")
    write("plain-oldest", rows, s, compression="zstd", version="1.0")
    write("plain-fallback", rows, s, compression="zstd", dictionary_pagesize_limit=200)  # dictionary pages, then direct ones
    write("plain-delta", rows, s, compression="zstd", use_dictionary=False, column_encoding={
        "prompt": "DELTA_BYTE_ARRAY", "chosen": "DELTA_LENGTH_BYTE_ARRAY", "margin": "BYTE_STREAM_SPLIT"})
    category = pa.dictionary(pa.int32(), STRING)
    write("plain-category", rows, schema(category), compression="zstd")


def chats():
    rows = list(chat_rows(24))
    jsonl("chat.jsonl", rows)
    s = schema(MESSAGES, NUMBERS[:1])
    for codec, version, dictionary in [("snappy", "1.0", True), ("zstd", "2.0", False), ("gzip", "2.0", True)]:
        name = f"chat-{codec}-v{version[0]}-{'dict' if dictionary else 'direct'}"
        write(name, rows, s, compression=codec, data_page_version=version, use_dictionary=dictionary)
    write("chat-item", rows, s, compression="zstd", use_compliant_nested_type=False)
    large = pa.large_list(pa.struct([("content", pa.large_string()), ("role", pa.large_string())]))
    write("chat-large", rows, schema(large, NUMBERS[:1]), compression="zstd")
    strict = pa.list_(pa.field("element", pa.struct([pa.field("role", STRING, nullable=False), pa.field("content", STRING, nullable=False)]), nullable=False))
    fields = [pa.field(k, strict, nullable=False) for k in ("prompt", "chosen", "rejected")] + [pa.field("margin", pa.float64())]
    write("chat-required", rows, pa.schema(fields), compression="zstd")

    call = pa.struct([("id", STRING), ("function", pa.struct([("name", STRING), ("arguments", pa.map_(STRING, STRING))]))])
    rich = pa.list_(pa.struct([("name", STRING), ("content", STRING), ("tool_calls", pa.list_(call)), ("role", STRING)]))
    more = [{"id": i, "scores": [[1.0, 2.0], [3.0]] * (i % 3), "tags": None} | row for i, row in enumerate(rows)]
    for row in more:
        row["chosen"] = [m | {"tool_calls": [{"id": "1", "function": {"name": "f", "arguments": [("a", "b")]}}]} for m in row["chosen"]]
    front = [("id", pa.int64()), ("scores", pa.list_(pa.list_(pa.float32()))), ("tags", pa.null())]
    write("chat-rich", more, pa.schema(front + list(zip(("prompt", "chosen", "rejected"), [rich] * 3)) + NUMBERS[:1]), compression="zstd")


def others():
    unpaired = [{"prompt": text(i, "prompt"), "completion": text(i, "reply"), "label": i % 3 == 0} for i in range(24)]
    jsonl("unpaired.jsonl", unpaired)
    s = pa.schema([("prompt", STRING), ("completion", STRING), ("label", pa.bool_())])
    write("unpaired-v1", unpaired, s, compression="snappy")
    write("unpaired-v2", unpaired, s, compression="zstd", data_page_version="2.0")

    prompts = [{"prompt": row["prompt"]} for row in chat_rows(24)]
    jsonl("prompts.jsonl", prompts)
    write("prompts", prompts, pa.schema([("prompt", MESSAGES)]), compression="zstd")

    turns = [{"chosen": f"\n\nHuman: {text(i, 'q')}\n\nAssistant: yes {i}", "rejected": f"\n\nHuman: {text(i, 'q')}\n\nAssistant: no {i}"} for i in range(24)]
    jsonl("implicit.jsonl", turns)
    write("implicit", turns, pa.schema([("chosen", STRING), ("rejected", STRING)]), compression="zstd")
    nothing = pa.schema([("prompt", pa.null()), ("chosen", STRING), ("rejected", STRING), ("margin", pa.null())])
    write("implicit-null", turns, nothing, compression="zstd")

    numbers = [{"prompt": "p", "chosen": "c", "rejected": "r", "margin": x, "ref_chosen_logps": -min(x, 2**24), "ref_rejected_logps": float(-x)}
               for x in [0, 1, 7, 2**24, 3_000_000_000]]
    jsonl("numbers.jsonl", numbers)
    for name, margin, logp in [("numbers-int", pa.int64(), pa.int32()), ("numbers-small", pa.uint32(), pa.float32())]:
        s = schema(STRING, [("margin", margin), ("ref_chosen_logps", logp), ("ref_rejected_logps", pa.float32())])
        write(name, numbers, s, compression="zstd")


def shards():
    """As datasets writes them, features found out by itself, and in three files."""
    for name, rows in [("plain", plain_rows(24)), ("chat", chat_rows(24))]:
        rows = list(rows)
        ds = datasets.Dataset.from_list(rows)
        ds.to_parquet(here / f"datasets-{name}.parquet", batch_size=7)
        for i in range(3):
            ds.shard(3, i, contiguous=True).to_parquet(here / f"datasets-{name}-{i:05d}-of-00003.parquet")


def bad():
    """Rows that are wrong, each in its own way; reading them as JSONL and as Parquet must give the same errors."""
    good = {"prompt": "Hi", "chosen": "yes", "rejected": "no"}
    rows = [
        good, good | {"chosen": None}, good | {"rejected": None}, good | {"chosen": ""}, good | {"prompt": ""}, good | {"prompt": None},
        good | {"chosen": " \n"}, good | {"rejected": "\u00a0"}, good | {"chosen": "no"}, good | {"margin": math.inf}, good | {"ref_chosen_logps": -1.0},
        good | {"ref_rejected_logps": -1.0}, good | {"ref_fingerprint": "f"}, good | {"ref_chosen_logps": math.inf, "ref_rejected_logps": 0.0},
        good | {"ref_chosen_logps": -1.0, "ref_rejected_logps": math.inf}, good | {"ref_chosen_logps": -1.0, "ref_rejected_logps": -2.0, "ref_fingerprint": ""}, good,
    ]
    jsonl("bad-plain.jsonl", rows)
    write("bad-plain", rows, schema(STRING), compression="zstd", row_group_size=5)

    hi, yes, no = [message("user", "Hi")], [message("assistant", "yes")], [message("assistant", "no")]
    good = {"prompt": hi, "chosen": yes, "rejected": no}
    rows = [
        good, good | {"chosen": []}, good | {"prompt": []}, good | {"prompt": None}, good | {"prompt": None, "chosen": hi + yes, "rejected": hi + no},
        good | {"prompt": None, "chosen": hi + yes, "rejected": yes + no}, good | {"prompt": None, "chosen": hi + yes, "rejected": hi + yes + hi},
        good | {"chosen": [message("", "yes")]}, good | {"prompt": hi + [message(None, "x")]}, good | {"prompt": hi + yes + [message("user", None)]},
        good | {"rejected": [None]}, good | {"rejected": no + [None]}, good | {"prompt": [message("user", "")]}, good | {"chosen": [message("assistant", " ")]},
        good | {"chosen": no}, good | {"rejected": None}, good,
    ]
    jsonl("bad-chat.jsonl", rows)
    write("bad-chat", rows, schema(MESSAGES, []), compression="zstd", row_group_size=5)

    rows = [{"prompt": "p", "completion": "c", "label": True}, {"prompt": "p", "completion": "c"}, {"completion": "c", "label": False}, {"prompt": "p", "label": True},
            {"prompt": "p", "completion": "", "label": True}, {"prompt": "p", "completion": " ", "label": True}]
    jsonl("bad-unpaired.jsonl", rows)
    write("bad-unpaired", rows, pa.schema([("prompt", STRING), ("completion", STRING), ("label", pa.bool_())]), compression="zstd")


def types():
    """Files that cannot be read, in types/: with a column of the wrong type, or without one (the first part of the name is the column)."""
    (here / "types").mkdir(exist_ok=True)
    good = {"prompt": "Hi", "chosen": "yes", "rejected": "no"}
    base = {k: STRING for k in good}
    parts = pa.list_(pa.struct([("role", STRING), ("content", pa.list_(pa.struct([("type", STRING), ("text", STRING)])))]))
    wrong = {
        "chosen-missing": ("chosen", None, None), "rejected-missing": ("rejected", None, None), "chosen-int": ("chosen", pa.int64(), 1),
        "chosen-bool": ("chosen", pa.bool_(), True), "prompt-strings": ("prompt", pa.list_(STRING), ["Hi"]),
        "prompt-struct": ("prompt", pa.struct([("role", STRING), ("content", STRING)]), message("user", "Hi")),
        "prompt-columns": ("prompt", pa.struct([("role", pa.list_(STRING)), ("content", pa.list_(STRING))]), {"role": ["user"], "content": ["Hi"]}),
        "prompt-lists": ("prompt", pa.list_(MESSAGES), [[message("user", "Hi")]]), "prompt-map": ("prompt", pa.map_(STRING, STRING), [("user", "Hi")]),
        "prompt-parts": ("prompt", parts, [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]),
        "prompt-norole": ("prompt", pa.list_(pa.struct([("from", STRING), ("content", STRING)])), [{"from": "user", "content": "Hi"}]),
        "prompt-nocontent": ("prompt", pa.list_(pa.struct([("role", STRING), ("value", STRING)])), [{"role": "user", "value": "Hi"}]),
        "prompt-json": ("prompt", pa.json_(), '"Hi"'), "prompt-fixed": ("prompt", pa.binary(2), b"Hi"), "prompt-date": ("prompt", pa.date32(), 0),
        "margin-string": ("margin", STRING, "1"), "margin-bool": ("margin", pa.bool_(), True), "margin-decimal": ("margin", pa.decimal128(9, 2), 1),
        "margin-decimal32": ("margin", pa.decimal32(9, 2), 1), "margin-time": ("margin", pa.timestamp("us"), 1), "margin-half": ("margin", pa.float16(), 1.0),
        "margin-list": ("margin", pa.list_(pa.float64()), [1.0]),
        "ref_fingerprint-int": ("ref_fingerprint", pa.int64(), 1),
    }
    for name, (column, type_, value) in wrong.items():
        row, columns = good | {column: value}, base | {column: type_}
        if type_ is None:
            del row[column], columns[column]
        s = pa.schema(list(columns.items()))
        pq.write_table(pa.Table.from_pylist([row], schema=s), here / "types" / (name + ".parquet"), store_decimal_as_integer=name == "margin-decimal32", compression="none")
    row = {"prompt": "Hi", "completion": "yes", "label": 1}
    pq.write_table(pa.Table.from_pylist([row]), here / "types" / "label-int.parquet", compression="none")
    pq.write_table(pa.Table.from_pylist([good]), here / "types" / "lz4.parquet", compression="lz4")
    twice = pa.table([pa.array([s]) for s in ("Hi", "yes", "yes", "no")], names=["prompt", "chosen", "chosen", "rejected"])
    pq.write_table(twice, here / "types" / "chosen-twice.parquet", compression="none")


if __name__ == "__main__":
    for f in itertools.chain(here.glob("**/*.parquet"), here.glob("*.jsonl")):
        f.unlink()
    pairs(), chats(), others(), shards(), bad(), types()
    print(sys.version.split()[0], pa.__version__, datasets.__version__)
