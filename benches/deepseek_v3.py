#!/usr/bin/env python3
"""Prints the tensor list of DeepSeek-V3, 671 billion parameters in 45,395 tensors, with every expert by itself.

    python3 benches/deepseek_v3.py > deepseek-v3.json
    gpu-init model deepseek-v3.json --recipe deepseek-v3 --world-size 256 --rank 3 --dry-run

The sizes are those of its config.json at Hugging Face; the module that predicts further tokens is left out. A number
after the command is that of the routed experts, 256 unless it is given: with 570 of them there are 100,031 tensors.
"""

import json
import sys

VOCABULARY, HIDDEN, LAYERS, DENSE = 129280, 7168, 61, 3
INTERMEDIATE, OF_EXPERT = 18432, 2048
HEADS, Q_RANK, KV_RANK, NOPE, ROPE, VALUE = 128, 1536, 512, 128, 64, 128


def attention():
    yield "q_a_proj.weight", [Q_RANK, HIDDEN]
    yield "q_a_layernorm.weight", [Q_RANK]
    yield "q_b_proj.weight", [HEADS * (NOPE + ROPE), Q_RANK]
    yield "kv_a_proj_with_mqa.weight", [KV_RANK + ROPE, HIDDEN]
    yield "kv_a_layernorm.weight", [KV_RANK]
    yield "kv_b_proj.weight", [HEADS * (NOPE + VALUE), KV_RANK]
    yield "o_proj.weight", [HIDDEN, HEADS * VALUE]


def expert(prefix, width):
    yield f"{prefix}.gate_proj.weight", [width, HIDDEN]
    yield f"{prefix}.up_proj.weight", [width, HIDDEN]
    yield f"{prefix}.down_proj.weight", [HIDDEN, width]


def layer(index, experts):
    for name, shape in attention():
        yield f"self_attn.{name}", shape
    if index < DENSE:
        yield from expert("mlp", INTERMEDIATE)
    else:
        for number in range(experts):
            yield from expert(f"mlp.experts.{number}", OF_EXPERT)
        yield from expert("mlp.shared_experts", OF_EXPERT)
        yield "mlp.gate.weight", [experts, HIDDEN]
        yield "mlp.gate.e_score_correction_bias", [experts]
    yield "input_layernorm.weight", [HIDDEN]
    yield "post_attention_layernorm.weight", [HIDDEN]


def model(experts):
    yield "model.embed_tokens.weight", [VOCABULARY, HIDDEN]
    for index in range(LAYERS):
        for name, shape in layer(index, experts):
            yield f"model.layers.{index}.{name}", shape
    yield "model.norm.weight", [HIDDEN]
    yield "lm_head.weight", [VOCABULARY, HIDDEN]


def main():
    experts = int(sys.argv[1]) if len(sys.argv) > 1 else 256
    tensors = {name: {"dtype": "BF16", "shape": shape} for name, shape in model(experts)}
    print(json.dumps({"__metadata__": {"architecture": "DeepSeek-V3"}, **tensors}))


main()
