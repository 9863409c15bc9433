"""Models to compare: small ones of many architectures, built from their classes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

Build = Callable[[], nn.Module]

SIZES = {
    32: "hidden_size d_model n_embd dim embed_dim model_dim emb_dim projection_dim image_size",
    48: "intermediate_size ffn_dim encoder_ffn_dim decoder_ffn_dim n_inner d_ff",
    24: "moe_intermediate_size shared_expert_intermediate_size",
    2: "num_hidden_layers n_layer num_layers encoder_layers decoder_layers n_layers "
    "num_decoder_layers num_encoder_layers num_key_value_heads num_experts_per_tok",
    4: "num_attention_heads n_head num_heads encoder_attention_heads decoder_attention_heads "
    "n_heads num_experts num_local_experts n_routed_experts",
    8: "head_dim d_kv patch_size",
    96: "vocab_size",
    64: "max_position_embeddings n_positions",
    1: "pad_token_id",
}

# Architectures of transformers whose initialization has something of its own, or many users.
ARCHITECTURES = """
albert bart beit bert big_bird biogpt blip-2 bloom canine clap clip convnext ctrl deberta-v2
deepseek_v3 detr dinov2 distilbert electra falcon falcon_h1 fnet gemma3 gpt2 gpt_bigcode gpt_neo
gpt_neox gpt_oss gptj granitemoe hubert jamba levit llama llama4_text longformer mamba mamba2
mask2former mixtral mobilevit mpt nemotron_h olmo2 opt patchtst phi pvt_v2 phimoe poolformer
qwen2_vl qwen3 qwen3_moe qwen3_next recurrent_gemma regnet resnet roformer rwkv sam segformer
siglip speech_to_text swin switch_transformers t5 timesfm vit vit_mae vits wav2vec2 wavlm
whisper xlnet xlstm zamba2
""".split()  # noqa: SIM905

TIMM = """
cait_xxs24_224 coat_tiny convit_tiny convnext_atto convnextv2_atto crossvit_tiny_240 dla46x_c
edgenext_xx_small efficientvit_b0 efficientvit_m0 fastvit_t8 lcnet_050 mnasnet_small
mobilenetv3_small_100 mobilenetv4_conv_small mobilevit_xxs pvt_v2_b0 regnety_002 resnet18
semnasnet_075 starnet_s1 swin_tiny_patch4_window7_224 tinynet_e vit_tiny_patch16_224
xcit_nano_12_p16_224
""".split()  # noqa: SIM905


def shrink(config: Any) -> Any:
    """Makes a configuration of transformers small, its parts as well."""
    for size, names in SIZES.items():
        for name in names.split():
            value = getattr(config, name, None)
            if isinstance(value, int) and not isinstance(value, bool):
                try:
                    setattr(config, name, min(size, value))
                except Exception:  # some are computed
                    continue
    for part in list(vars(config).values()):
        if hasattr(part, "model_type"):
            shrink(part)
    return config


def hugging_face(name: str) -> Build:
    """A small base model of an architecture."""
    from transformers import AutoModel
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    return lambda: AutoModel.from_config(shrink(CONFIG_MAPPING[name]()))


def timm_model(name: str) -> Build:
    """A model of timm."""
    import timm

    return lambda: timm.create_model(name, pretrained=False)


def torch_modules() -> dict[str, Build]:
    """PyTorch's own modules with parameters or buffers."""
    encoder = functools.partial(nn.TransformerEncoderLayer, 16, 2, 32, batch_first=True)
    return {
        "Linear": lambda: nn.Linear(48, 32),
        "Bilinear": lambda: nn.Bilinear(12, 10, 8),
        "Embedding": lambda: nn.Embedding(40, 16, padding_idx=3),
        "EmbeddingBag": lambda: nn.EmbeddingBag(40, 16),
        "Conv1d": lambda: nn.Conv1d(8, 12, 3),
        "Conv2d": lambda: nn.Conv2d(8, 12, 3, groups=4),
        "Conv3d": lambda: nn.Conv3d(4, 6, 3),
        "ConvTranspose1d": lambda: nn.ConvTranspose1d(8, 12, 3),
        "ConvTranspose2d": lambda: nn.ConvTranspose2d(8, 12, 3),
        "ConvTranspose3d": lambda: nn.ConvTranspose3d(4, 6, 3),
        "RNN": lambda: nn.RNN(12, 16, 2, bidirectional=True),
        "LSTM": lambda: nn.LSTM(12, 16, 2, proj_size=8),
        "GRU": lambda: nn.GRU(12, 16),
        "LSTMCell": lambda: nn.LSTMCell(12, 16),
        "BatchNorm2d": lambda: nn.BatchNorm2d(16),
        "InstanceNorm1d": lambda: nn.InstanceNorm1d(16, affine=True, track_running_stats=True),
        "GroupNorm": lambda: nn.GroupNorm(4, 16),
        "LayerNorm": lambda: nn.LayerNorm(16),
        "RMSNorm": lambda: nn.RMSNorm(16),
        "PReLU": lambda: nn.PReLU(8),
        "MultiheadAttention": lambda: nn.MultiheadAttention(16, 2, add_bias_kv=True),
        "MultiheadAttention, kdim": lambda: nn.MultiheadAttention(16, 2, kdim=12, vdim=10),
        "TransformerEncoder": lambda: nn.TransformerEncoder(encoder(), 3),
        "TransformerDecoder": lambda: nn.TransformerDecoder(
            nn.TransformerDecoderLayer(16, 2, 32), 2
        ),
        "Transformer": lambda: nn.Transformer(16, 2, 1, 1, 32),
        "AdaptiveLogSoftmax": lambda: nn.AdaptiveLogSoftmaxWithLoss(16, 40, [10, 20]),
        "weight_norm": lambda: nn.utils.parametrizations.weight_norm(nn.Linear(24, 32)),
        "spectral_norm": lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(24, 32)),
        "old weight_norm": lambda: nn.utils.weight_norm(nn.Conv1d(8, 12, 3)),
    }


class Oddities(nn.Module):
    """What initializations do beyond one call for each tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.views = nn.Parameter(torch.empty(12, 8))
        nn.init.normal_(self.views[:4], std=0.1)
        nn.init.uniform_(self.views.data[4:8], -0.3, 0.3)
        self.views.data[8:].fill_(0.25)
        self.columns = nn.Parameter(torch.randn(6, 10))
        with torch.no_grad():
            self.columns[:, 2] = 0
            self.columns[:, 5:7].fill_(1)
        self.affine = nn.Parameter(3 - 2 * torch.rand(20, 30))
        self.turned = nn.Parameter(torch.randn(6, 9).t())
        self.narrow = nn.Parameter(torch.randn(64, 32).mul_(0.02).to(torch.bfloat16))
        self.rounded = nn.Parameter(torch.randn(64, 32, dtype=torch.bfloat16).float())
        self.repeated = nn.Parameter(torch.randn(1, 16).repeat(4, 1))
        self.expanded = nn.Parameter(torch.randn(1, 16).expand(4, 16).clone())
        self.softplus = nn.Parameter(torch.log(torch.expm1(torch.rand(64) * 0.1 + 1e-3)))
        self.orthogonal = nn.Parameter(torch.empty(12, 8))
        nn.init.orthogonal_(self.orthogonal, gain=2)
        self.stacked = nn.Parameter(torch.empty(4, 6, 6))
        for matrix in self.stacked:
            nn.init.orthogonal_(matrix)
        self.sparse = nn.Parameter(nn.init.sparse_(torch.empty(10, 20), 0.3, 0.5))
        self.dirac = nn.Parameter(nn.init.dirac_(torch.empty(8, 4, 3)))
        self.eye = nn.Parameter(nn.init.eye_(torch.empty(5, 7)))
        self.truncated = nn.Parameter(
            nn.init.trunc_normal_(torch.empty(64, 64), 0.1, 0.5, -0.2, 0.6)
        )
        self.copied = nn.Parameter(self.affine.detach().clone())
        self.transposed_copy = nn.Parameter(self.affine.detach().t().clone())
        self.scaled_copy = nn.Parameter(self.affine.detach() * 0.5)
        self.register_buffer("chosen", torch.randint(0, 7, (200,)))
        self.register_buffer("order", torch.randperm(50))
        self.register_buffer("mask", torch.rand(40, 40) < 0.3)
        self.register_buffer("coin", torch.bernoulli(torch.full((300,), 0.25)))
        self.register_buffer("waiting", torch.empty(400).exponential_(2.0))
        self.register_buffer(
            "table", torch.outer(torch.arange(6.0), 1 / 10 ** torch.linspace(0, 1, 4)).sin()
        )
        self.register_buffer("from_list", torch.tensor([0.5, 1.5, -2.0]))
        self.register_buffer("summed", self.affine.detach().sum(0))


def architectures(everything: bool) -> list[str]:
    """The names of the table, or all that there are."""
    if not everything:
        return ARCHITECTURES
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    return list(MODEL_MAPPING_NAMES)
