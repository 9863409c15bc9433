"""Rules, recipes and plans: the program's tensors and fingerprints."""

import json

import gpu_init
import numpy as np
import pytest
from gpu_init import Plan, Recipe, Rules

TENSORS = {
    "wte.weight": ((100, 16), "bf16"),
    "h.0.c_proj.weight": ((16, 16), None),
    "h.1.c_proj.weight": (16, 16),
    "h.1.c_proj.bias": np.zeros(16, np.float16),
    "ln_f.weight": [16],
    "lm_head.weight": ((100, 16), "bf16"),
    "position_ids": ((1, 32), np.int64),
}
TEXT = """
seed = 42
tied = [["wte.weight", "lm_head.weight"]]
[[rules]]
match = "*.c_proj.weight"
init = "normal(std=0.02)"
scale = "1 / sqrt(2 * layers)"
shard = { dim = 1 }
[[rules]]
match = "position_ids"
init = "arange"
[[rules]]
match = "*"
min_dims = 2
init = "xavier_normal"
[[rules]]
match = "ln_*"
init = "ones"
[[rules]]
match = "*"
init = "zeros"
"""


@pytest.fixture
def plan() -> Plan:
    return Rules.from_text(TEXT).plan(TENSORS)


def listed(path):
    tensors = json.loads(path.read_text())
    tensors.pop("__metadata__", None)
    return {name: (it["shape"], it.get("dtype")) for name, it in tensors.items()}


def test_what_a_plan_says(plan):
    names = [name for name in TENSORS if name != "lm_head.weight"]
    assert [entry.name for entry in plan.entries] == names
    first, projection, *_ = plan.entries
    assert (first.aliases, first.dtype, first.shape) == (["lm_head.weight"], "bfloat16", (100, 16))
    assert (projection.init, projection.scale, projection.rule) == ("normal(std=0.02)", 0.5, 0)
    assert projection.distribution.std == pytest.approx(0.01, rel=1e-6)
    assert "h.0.c_proj.weight" in repr(projection)
    assert (plan.elements, plan.warnings, plan.kept) == (1600 + 512 + 16 + 16 + 32, [], [])
    assert plan.nbytes == 3200 + 2048 + 32 + 64 + 256
    assert repr(plan) == f"Plan(6 tensors, {plan.elements} elements, {plan.nbytes} bytes)"


def test_a_plan_fills_what_its_entries_say(plan):
    calls = []
    weights = plan.fill(progress=lambda *call: calls.append(call))
    assert list(weights) == ["wte.weight", "lm_head.weight", *list(TENSORS)[1:5], "position_ids"]
    assert weights["wte.weight"] is weights["lm_head.weight"]
    assert calls[-1] == (plan.elements, plan.elements) and calls == sorted(calls)
    expected = gpu_init.xavier_normal((100, 16), seed=42, name="wte.weight", dtype="bf16")
    assert (weights["wte.weight"] == expected).all()
    expected = gpu_init.normal((16, 16), std=0.01, seed=42, name="h.0.c_proj.weight")
    np.testing.assert_array_equal(weights["h.0.c_proj.weight"], expected)
    np.testing.assert_array_equal(weights["position_ids"], [range(32)])
    assert weights["h.1.c_proj.bias"].dtype == np.float16
    assert plan.fingerprint() == plan.fingerprint(weights)
    weights["wte.weight"][3, 3] += 1
    assert plan.fingerprint() != plan.fingerprint(weights)
    with pytest.raises(LookupError):
        plan.fill(progress=lambda *_: {}["no"])


def test_shards_are_those_of_the_whole(plan):
    whole = plan.fill()
    shards = [plan.shard(rank, 3) for rank in range(3)]
    fingerprints = [int(shard.fingerprint(), 16) for shard in shards]
    assert f"{sum(fingerprints) % 2**64:016x}" == plan.fingerprint()
    filled = [shard.fill() for shard in shards]
    for name, dim in [("wte.weight", 0), ("h.0.c_proj.weight", 1)]:
        parts = np.concatenate([weights[name] for weights in filled], dim)
        assert (parts == whole[name]).all()
    assert "position_ids" not in filled[1]
    with pytest.raises(ValueError, match="no rank 3 among 3"):
        plan.shard(3, 3)


def test_the_program_prints_the_same_fingerprint(program, plan, tmp_path, root):
    gpt2 = root / "tests" / "models" / "gpt2.json"
    for recipe, seed in [("xavier", 0), ("gpt2", 7)]:
        printed = program(
            *("model", gpt2, "--recipe", recipe, "--seed", seed, "--device", "cpu", "--json")
        )
        rules = Recipe.named(recipe).rules().with_seed(seed)
        assert rules.plan(listed(gpt2)).fingerprint() == json.loads(printed)["fingerprint"]

    rules, tensors = tmp_path / "rules.toml", tmp_path / "tensors.json"
    rules.write_text(TEXT)
    types = {"h.1.c_proj.bias": "F16", "position_ids": "I64"}
    named = {name: types.get(name, "BF16" if "weight" in name else None) for name in TENSORS}
    shapes = {entry.name: entry.shape for entry in plan.entries}
    shapes["lm_head.weight"] = shapes["wte.weight"]
    named = {
        name: dtype if name in ["wte.weight", "lm_head.weight", *types] else "F32"
        for name, dtype in named.items()
    }
    tensors.write_text(
        json.dumps({name: {"dtype": named[name], "shape": shapes[name]} for name in named})
    )
    report = program("model", tensors, "--rules", rules, "--device", "cpu", "--json")
    assert json.loads(report)["fingerprint"] == plan.fingerprint()
    assert Rules.from_file(rules).plan(listed(tensors)).fingerprint() == plan.fingerprint()


def test_kept_tensors_come_from_their_source(program, tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    source = {
        "bert.weight": np.arange(12, dtype=np.float32).reshape(3, 4),
        "classifier.weight": np.zeros((2, 4), np.float32),
    }
    safetensors.save_file(source, tmp_path / "a.safetensors")
    plan = Rules.from_text("only = ['classifier.*']\ndefault = 'xavier_normal'").plan(source)
    assert [tensor.name for tensor in plan.kept] == ["bert.weight"]
    with pytest.raises(ValueError, match=r"'bert\.weight' are kept.*source="):
        plan.fill()
    with pytest.raises(ValueError, match=r"there is no array 'bert\.weight'"):
        plan.fill(source={})
    with pytest.raises(ValueError, match=r"has shape \(2, 4\)"):
        plan.fill(source={"bert.weight": source["classifier.weight"]})
    weights = plan.fill(source=source)
    assert np.shares_memory(weights["bert.weight"], source["bert.weight"])
    report = program(
        *("model", tmp_path / "a.safetensors", "--only", "classifier.*", "--device", "cpu"),
        "--json",
    )
    fingerprint = json.loads(report)["fingerprint"]
    assert plan.fingerprint(weights) == plan.fingerprint(source=source) == fingerprint


def test_kept_tensors_of_other_types_count_by_their_bytes(program, tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    source = {
        "phases": np.arange(10, dtype=np.complex64).reshape(5, 2),
        "head.weight": np.zeros((4, 7), np.float32),
    }
    safetensors.save_file(source, tmp_path / "a.safetensors")
    rules = Rules.from_text("only = ['head.*']\ndefault = 'xavier_normal'")
    plan = rules.plan({name: array.shape for name, array in source.items()})
    report = program("model", tmp_path / "a.safetensors", "--only", "head.*", "--json")
    fingerprint = json.loads(report)["fingerprint"]
    assert plan.fingerprint(source=source) == fingerprint
    source["phases"][0] = 1
    assert plan.fingerprint(source=source) != fingerprint


def test_the_program_verifies_what_a_plan_fills(program, plan, tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    weights = {name: array for name, array in plan.fill().items() if name != "lm_head.weight"}
    safetensors.save_file(weights, tmp_path / "w.safetensors")
    (tmp_path / "rules.toml").write_text(TEXT)
    program("verify", tmp_path / "w.safetensors", "--rules", tmp_path / "rules.toml")


def test_recipes():
    assert [recipe.name for recipe in Recipe.all()][:2] == ["xavier", "huggingface"]
    names = ["h.0.attn.c_attn.weight", "h.0.attn.c_proj.weight", "wte.weight", "wpe.weight"]
    assert [recipe.name for recipe in Recipe.fitting(names)] == ["gpt2"]
    recipe = Recipe.named("llama")
    assert "o_proj" in recipe.text and recipe.summary and repr(recipe) == "Recipe('llama')"
    assert recipe.rules().fit(names) is False and Recipe.named("gpt2").rules().fit(names) is True
    with pytest.raises(ValueError, match=r"no 'lama'; use one of xavier, .*llama"):
        Recipe.named("lama")


def test_rules():
    rules = Rules.from_text(TEXT)
    assert (rules.seed, rules.dtype, len(rules.rules)) == (42, None, 5)
    assert rules.rules[1] == ('match = "position_ids"', "arange(start=0, step=1)") or rules.rules[1]
    entry = rules.with_seed(7).with_dtype("bf16").plan({"a": (4, 4)}).entries[0]
    assert entry.dtype == "bfloat16"
    tied = rules.with_tied([("b", "a")]).plan({"a": (4, 4), "b": (4, 4)})
    assert [entry.name for entry in tied.entries] == ["b"]
    forced = Rules.from_text("rules = [{ match = '*', init = 'ones', dtype = 'bf16' }]")
    assert forced.with_listed_dtypes().plan({"a": ((3,), "f32")}).entries[0].dtype == "float32"


def test_rules_that_cannot_be(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text("seed = 1\n[[rules]]\nmatch = '*'\ninti = 'zeros'\n")
    with pytest.raises(ValueError, match=r"rules.toml: cannot read rules, line 4: .*`inti`"):
        Rules.from_file(path)
    with pytest.raises(OSError):
        Rules.from_file(tmp_path / "none.toml")
    rules = Rules.from_text("rules = [{ match = '*.weight', init = 'xavier_normal' }]")
    with pytest.raises(ValueError, match='no rule matches "cls_token"'):
        rules.plan({"cls_token": (1, 4)})
    with pytest.raises(ValueError, match=r"tensor 'a': unknown dtype 'f31'"):
        rules.plan({"a": ((1, 4), "f31")})
    with pytest.raises(ValueError, match="shape has -1"):
        rules.plan({"a": (1, -1)})
    with pytest.raises(TypeError, match="shape takes whole numbers"):
        rules.plan({"a": (1, 2.5)})


def test_a_plan_beyond_memory_says_so_before_it_starts():
    plan = Rules.from_text("default = 'zeros'").plan({"huge": (1 << 20, 1 << 20), "b": (4,)})
    with pytest.raises(MemoryError, match=r"huge \(4398046511104 bytes\)"):
        plan.fill()
