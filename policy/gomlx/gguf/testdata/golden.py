"""Writes the model of ../../testdata/tiny in GGUF, as llama.cpp's converter arranges it:
the matrices of the feed-forward layers in float16, the others in float32.

    python golden.py

Versions: gguf 0.17.1, numpy 2.4.6, safetensors 0.8.0.
"""

import json
import os

import gguf
from safetensors.numpy import load_file

HERE = os.path.dirname(os.path.abspath(__file__))
TINY = os.path.join(HERE, "..", "..", "testdata", "tiny")
NAMES = {
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}


def permute(w, heads):
    """The order of rows in which the two numbers of a rotated pair are neighbours."""
    return w.reshape(heads, 2, w.shape[0] // heads // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


with open(os.path.join(TINY, "config.json")) as f:
    c = json.load(f)
out = gguf.GGUFWriter(os.path.join(HERE, "tiny.gguf"), "llama")
out.add_context_length(c["max_position_embeddings"])
out.add_embedding_length(c["hidden_size"])
out.add_block_count(c["num_hidden_layers"])
out.add_feed_forward_length(c["intermediate_size"])
out.add_head_count(c["num_attention_heads"])
out.add_head_count_kv(c["num_key_value_heads"])
out.add_layer_norm_rms_eps(c["rms_norm_eps"])
out.add_rope_freq_base(c["rope_parameters"]["rope_theta"])
out.add_eos_token_id(c["eos_token_id"])
for name, w in load_file(os.path.join(TINY, "model.safetensors")).items():
    if "q_proj" in name:
        w = permute(w, c["num_attention_heads"])
    if "k_proj" in name:
        w = permute(w, c["num_key_value_heads"])
    for old, new in NAMES.items():
        name = name.replace(old, new)
    name = name.replace("model.layers.", "blk.").replace("model.embed_tokens", "token_embd")
    name = name.replace("model.norm", "output_norm").replace("lm_head", "output")
    out.add_tensor(name, w.astype("float16") if "ffn_" in name and w.ndim == 2 else w)
out.write_header_to_file()
out.write_kv_data_to_file()
out.write_tensors_to_file()
out.close()
