#!/usr/bin/env python3
"""Writes the tensor lists in tests/models/hf: the tensors of models of real widths and few layers, as transformers
saves them. No tensor is allocated: the models are on PyTorch's meta device.
"""
import argparse
import dataclasses
import json
import pathlib

import torch
import transformers
from transformers.core_model_loading import revert_weight_conversion

import dit

transformers.logging.set_verbosity_error()  # Small vocabularies lack the tokens that configurations name.

HERE = pathlib.Path(__file__).parent
DTYPES = {torch.float32: "F32", torch.int64: "I64"}


@dataclasses.dataclass
class Architecture:
    """A model class, its sizes for a list, and its sizes for a comparison."""

    name: str
    recipe: str
    model: str  # A class of transformers, or DiT.
    sizes: dict  # In both.
    real: dict
    small: dict

    def build(self, sizes):
        if self.model == "DiT":
            return dit.DiT(**self.sizes, **sizes)
        model = getattr(transformers, self.model)
        return model(model.config_class(**self.sizes, **sizes))


SMALL_LLAMA_LIKE = {
    "hidden_size": 256, "intermediate_size": 512, "num_attention_heads": 4, "num_key_value_heads": 2,
    "vocab_size": 1024,
}


def llama_like(name, recipe, model):
    return Architecture(name, recipe, model, {"num_hidden_layers": 2}, {}, SMALL_LLAMA_LIKE)


ARCHITECTURES = [
    Architecture(
        "gpt2", "gpt2", "GPT2LMHeadModel", {"n_layer": 3}, {}, {"n_embd": 256, "n_head": 4, "vocab_size": 1024},
    ),
    llama_like("llama", "llama", "LlamaForCausalLM"),
    llama_like("mistral", "huggingface", "MistralForCausalLM"),
    Architecture(
        "phi", "huggingface", "PhiForCausalLM", {"num_hidden_layers": 2}, {},
        {"hidden_size": 256, "intermediate_size": 512, "num_attention_heads": 4, "vocab_size": 1024},
    ),
    Architecture(
        "falcon", "huggingface", "FalconForCausalLM", {"num_hidden_layers": 2}, {},
        {"hidden_size": 256, "num_attention_heads": 4, "vocab_size": 1024},
    ),
    Architecture(
        "mixtral", "mixtral", "MixtralForCausalLM", {"num_hidden_layers": 2}, {},
        {**SMALL_LLAMA_LIKE, "num_local_experts": 4},
    ),
    llama_like("qwen3", "qwen3", "Qwen3ForCausalLM"),
    Architecture(
        "qwen3-moe", "qwen3", "Qwen3MoeForCausalLM", {"num_hidden_layers": 2, "num_experts": 8}, {},
        {**SMALL_LLAMA_LIKE, "moe_intermediate_size": 128},
    ),
    Architecture(
        "deepseek-v3", "deepseek-v3", "DeepseekV3ForCausalLM",
        {"num_hidden_layers": 2, "first_k_dense_replace": 1, "n_routed_experts": 16}, {},
        {"hidden_size": 256, "intermediate_size": 512, "moe_intermediate_size": 128, "num_attention_heads": 4,
         "num_key_value_heads": 4, "q_lora_rank": 128, "kv_lora_rank": 64, "vocab_size": 1024, "topk_group": 4},
    ),
    llama_like("gemma3", "gemma3", "Gemma3ForCausalLM"),
    Architecture(
        "gpt-neox", "gpt-neox", "GPTNeoXForCausalLM", {"num_hidden_layers": 2}, {},
        {"hidden_size": 256, "intermediate_size": 512, "num_attention_heads": 4, "vocab_size": 1024},
    ),
    Architecture(
        "opt", "opt", "OPTForCausalLM", {"num_hidden_layers": 3}, {},
        {"hidden_size": 256, "word_embed_proj_dim": 256, "ffn_dim": 512, "num_attention_heads": 4, "vocab_size": 1024},
    ),
    Architecture(
        "t5", "t5", "T5ForConditionalGeneration", {"num_layers": 2}, {},
        {"d_model": 256, "d_ff": 512, "num_heads": 4, "d_kv": 32, "vocab_size": 1024},
    ),
    Architecture(
        "t5-v1.1", "t5", "T5ForConditionalGeneration",
        {"num_layers": 2, "feed_forward_proj": "gated-gelu"},
        {"d_model": 768, "d_ff": 2048, "num_heads": 12},
        {"d_model": 256, "d_ff": 512, "num_heads": 8, "d_kv": 64, "vocab_size": 1024},
    ),
    Architecture(
        "bert", "bert", "BertForPreTraining", {"num_hidden_layers": 3}, {},
        {"hidden_size": 256, "intermediate_size": 512, "num_attention_heads": 4, "vocab_size": 1024},
    ),
    Architecture(
        "vit", "vit", "ViTForImageClassification", {"num_hidden_layers": 3, "num_labels": 1000}, {},
        {"hidden_size": 256, "intermediate_size": 512, "num_attention_heads": 4},
    ),
    Architecture(
        "swin", "swin", "SwinForImageClassification", {"num_labels": 1000}, {"depths": [1, 1, 2, 1]},
        {"embed_dim": 48, "depths": [1, 1, 2]},
    ),
    Architecture(
        "clip", "clip", "CLIPModel", {},
        {"text_config": {"num_hidden_layers": 2}, "vision_config": {"num_hidden_layers": 3}},
        {"projection_dim": 128,
         "text_config": {"num_hidden_layers": 2, "hidden_size": 256, "intermediate_size": 768,
                         "num_attention_heads": 4, "vocab_size": 1024, "eos_token_id": 2, "bos_token_id": 0},
         "vision_config": {"num_hidden_layers": 3, "hidden_size": 192, "intermediate_size": 512,
                           "num_attention_heads": 4}},
    ),
    Architecture(
        "whisper", "whisper", "WhisperForConditionalGeneration", {"encoder_layers": 2, "decoder_layers": 2}, {},
        {"d_model": 192, "encoder_ffn_dim": 512, "decoder_ffn_dim": 512},
    ),
    Architecture(
        "wav2vec2", "wav2vec2", "Wav2Vec2ForPreTraining", {"num_hidden_layers": 2}, {},
        {"hidden_size": 256, "intermediate_size": 512, "num_attention_heads": 4, "conv_dim": [128] * 7},
    ),
    Architecture(
        "wav2vec2-ctc", "wav2vec2", "Wav2Vec2ForCTC",
        {"num_hidden_layers": 2, "conv_bias": True, "feat_extract_norm": "layer", "do_stable_layer_norm": True},
        {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16},
        {"hidden_size": 256, "intermediate_size": 512, "num_attention_heads": 4, "conv_dim": [128] * 7},
    ),
    Architecture(
        "mamba", "mamba", "MambaForCausalLM", {"num_hidden_layers": 3}, {}, {"hidden_size": 256, "vocab_size": 1024},
    ),
    Architecture(
        "mamba2", "mamba2", "Mamba2ForCausalLM", {"num_hidden_layers": 3}, {},
        {"hidden_size": 256, "num_heads": 64, "head_dim": 8, "n_groups": 1, "vocab_size": 1024},
    ),
    Architecture(
        "resnet", "resnet", "ResNetForImageClassification", {"depths": [1, 1, 1, 1], "num_labels": 1000}, {},
        {"embedding_size": 32, "hidden_sizes": [64, 128, 256, 512]},
    ),
    Architecture("dit", "dit", "DiT", {"depth": 2}, {"width": 1152}, {"width": 256, "grid": 8}),
]


def saved(model):
    """The tensors under the names that they are saved with, tied ones once."""
    tensors = model.state_dict()
    for alias in getattr(model, "all_tied_weights_keys", {}):
        tensors.pop(alias)
    return revert_weight_conversion(model, tensors) if isinstance(model, transformers.PreTrainedModel) else tensors


def list_text(architecture, tensors):
    entries = [("__metadata__", {"architecture": architecture})]
    entries += [
        (name, {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape)}) for name, tensor in tensors.items()
    ]
    return "{\n" + ",\n".join(f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in entries) + "\n}\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, default=HERE.parent / "models" / "hf")
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    for architecture in ARCHITECTURES:
        with torch.device("meta"):
            model = architecture.build(architecture.real)
        (folder / f"{architecture.name}.json").write_text(list_text(architecture.model, saved(model)))


if __name__ == "__main__":
    main()
