"""The table of comparisons: every initializer that a peer has too, on shapes in the peer's order of axes."""
import dataclasses
import math
from collections.abc import Callable

import numpy

import checks
import peers
from peers import flax, jax, jnp, keras, torch  # Set up there.

INFINITY = math.inf


@dataclasses.dataclass(frozen=True)
class Case:
    """One row: our initializer and the peer's on one shape."""

    init: str  # As `gpu-init fill --init` takes it.
    layout: str
    shape: tuple
    peer: str
    call: str  # The peer's call, for the reader.
    draw: Callable  # The peer's tensor for a shape and a seed.
    check: Callable
    must_differ: bool = False  # A negative control: the check must find a difference.

    @property
    def label(self):
        kind = " control" * self.must_differ + " refused" * (self.check == checks.both_refuse)
        return f"{self.init} {self.layout} {'x'.join(map(str, self.shape))} {self.peer} {self.call}{kind}"


def called(name, options):
    """A call as a user writes it."""
    values = [f"{value:.6g}" if isinstance(value, float) else value for value in options.values()]
    arguments = [f"{option}={value}" for option, value in zip(options, values, strict=True)]
    return f"{name}({', '.join(arguments)})"


def pytorch_case(init, shape, check, name, **options):
    """A row beside torch.nn.init."""
    draw = peers.pytorch(name, **options)
    return Case(init, "pytorch", shape, "PyTorch", called(name, options), draw, check)


def keras_case(init, shape, check, name, **options):
    """A row beside keras.initializers."""
    draw = peers.keras_initializer(name, **options)
    return Case(init, "keras", shape, "Keras", called(name, options), draw, check)


def jax_case(init, shape, check, name, **options):
    """A row beside jax.nn.initializers."""
    draw = peers.jax_initializer(getattr(jax.nn.initializers, name)(**options))
    return Case(init, "jax", shape, "JAX", called(name, options), draw, check)


# (out, in, kernel...). PyTorch reads a transposed convolution's (in, out, kernel...) in the same order.
PYTORCH_LINEAR = (512, 768)
PYTORCH_CONV_1D = (256, 128, 5)
PYTORCH_CONV_2D = (128, 64, 7, 7)
PYTORCH_CONV_3D = (64, 32, 3, 3, 3)
PYTORCH_GROUPED = (256, 16, 5, 5)
PYTORCH_TRANSPOSED = (96, 48, 5, 5)
PYTORCH_SHAPES = [
    PYTORCH_LINEAR, PYTORCH_CONV_1D, PYTORCH_CONV_2D, PYTORCH_CONV_3D, PYTORCH_GROUPED, PYTORCH_TRANSPOSED,
]
# (kernel..., in, out). Keras reads its transposed convolution's (kernel..., out, in) in the same order.
KERAS_DENSE = (768, 512)
KERAS_CONV_1D = (5, 128, 256)
KERAS_CONV_2D = (7, 7, 64, 128)
KERAS_CONV_3D = (3, 3, 3, 32, 64)
KERAS_GROUPED = (5, 5, 16, 256)
KERAS_TRANSPOSED = (5, 5, 48, 96)
KERAS_SHAPES = [KERAS_DENSE, KERAS_CONV_1D, KERAS_CONV_2D, KERAS_CONV_3D, KERAS_GROUPED, KERAS_TRANSPOSED]
VECTOR = (100_000,)  # In Keras both fans are its size; the others refuse it.
EMBEDDING = (1000, 512)

# Axes of the inputs and of the outputs.
FAN_AXES = {"pytorch": (1, 0), "keras": (-2, -1), "jax": (-2, -1), "transposed": (0, 1)}
# Bounds over the standard deviation. The divisor is the standard deviation of N(0, 1) truncated at 2 sigma.
BOUNDS = {"normal": INFINITY, "uniform": math.sqrt(3), "truncated_normal": 2 / 0.87962566103423978}


def by_fan(scale, mode, distribution, shape, layout):
    """The check of a distribution of variance scale / fan, whose bounds follow from the peers' documented rules."""
    if len(shape) == 1:
        fan_in = fan_out = shape[0]
    else:
        ins, outs = (shape[axis] for axis in FAN_AXES[layout])
        kernel = math.prod(shape) // (ins * outs)
        fan_in, fan_out = ins * kernel, outs * kernel
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2,
           "fan_geo_avg": math.sqrt(fan_in * fan_out)}[mode]
    return within(BOUNDS[distribution] * math.sqrt(scale / fan))


def within(bound):
    return checks.distribution(-bound, bound)


def xavier_and_kaiming():
    """PyTorch's Xavier and Kaiming initializers, with every option."""
    squared_gains = {"linear": 1, "conv2d": 1, "conv_transpose3d": 1, "sigmoid": 1, "tanh": 25 / 9, "relu": 2,
                     "selu": 9 / 16}
    for distribution in ["normal", "uniform"]:
        xavier, kaiming = f"xavier_{distribution}", f"kaiming_{distribution}"

        def case(init, shape, scale, fan, distribution=distribution, **options):
            check = by_fan(scale, fan, distribution, shape, "pytorch")
            return pytorch_case(init, shape, check, f"{init.split('(')[0]}_", **options)

        for shape in PYTORCH_SHAPES:
            yield case(xavier, shape, 1, "fan_avg")
            yield case(kaiming, shape, 2, "fan_in")
            yield case(f"{kaiming}(mode=fan_out, nonlinearity=relu)", shape, 2, "fan_out", mode="fan_out",
                       nonlinearity="relu")
        yield case(f"{xavier}(gain=1.6666666666666667)", PYTORCH_LINEAR, 25 / 9, "fan_avg", gain=5 / 3)
        yield case(f"{kaiming}(a=0.3)", PYTORCH_LINEAR, 2 / 1.09, "fan_in", a=0.3)
        for name, scale in squared_gains.items():
            yield case(f"{kaiming}(nonlinearity={name})", PYTORCH_LINEAR, scale, "fan_in", nonlinearity=name)
        # By the meaning of a transposed convolution's axes: users of PyTorch exchange them.
        for init, scale, mode in [(xavier, 1, "fan_avg"), (kaiming, 2, "fan_in")]:
            yield Case(init, "transposed", PYTORCH_TRANSPOSED, "PyTorch", f"{init}_(w.transpose(0, 1))",
                       peers.pytorch(f"{init}_", transposed=True),
                       by_fan(scale, mode, distribution, PYTORCH_TRANSPOSED, "transposed"))


def glorot_he_lecun():
    """Keras' and JAX's Glorot, He and LeCun initializers."""
    schemes = [("glorot", "Glorot", 1, "fan_avg"), ("he", "He", 2, "fan_in"), ("lecun", "Lecun", 1, "fan_in")]
    distributions = [("normal", "Normal", "truncated_normal"), ("uniform", "Uniform", "uniform")]
    for scheme, distribution in [(scheme, distribution) for scheme in schemes for distribution in distributions]:
        init, keras_name = f"{scheme[0]}_{distribution[0]}", f"{scheme[1]}{distribution[1]}"
        variance = (*scheme[2:], distribution[2])
        for shape in [*KERAS_SHAPES, VECTOR]:
            yield keras_case(init, shape, by_fan(*variance, shape, "keras"), keras_name)
        for shape in KERAS_SHAPES:
            yield jax_case(init, shape, by_fan(*variance, shape, "jax"), init)
        check = by_fan(*variance, PYTORCH_TRANSPOSED, "transposed")
        transposed = jax_case(init, PYTORCH_TRANSPOSED, check, init, in_axis=0, out_axis=1)
        yield dataclasses.replace(transposed, layout="transposed")
    yield keras_case("xavier_uniform", KERAS_CONV_2D, by_fan(1, "fan_avg", "uniform", KERAS_CONV_2D, "keras"),
                     "GlorotUniform")
    yield keras_case("kaiming_uniform", KERAS_CONV_2D, by_fan(2, "fan_in", "uniform", KERAS_CONV_2D, "keras"),
                     "HeUniform")


def variance_scaling():
    """Keras' and JAX's variance scaling, with every mode and distribution."""
    for distribution in ["normal", "truncated_normal", "uniform"]:
        for mode in ["fan_in", "fan_out", "fan_avg", "fan_geo_avg"]:
            init = f"variance_scaling(scale=0.7, mode={mode}, distribution={distribution})"
            check = by_fan(0.7, mode, distribution, KERAS_CONV_2D, "jax")
            options = {"scale": 0.7, "mode": mode, "distribution": distribution}
            yield jax_case(init, KERAS_CONV_2D, check, "variance_scaling", **options)
            if mode != "fan_geo_avg":
                options["distribution"] = "untruncated_normal" if distribution == "normal" else distribution
                yield keras_case(init, KERAS_CONV_2D, check, "VarianceScaling", **options)


def distributions_without_fans():
    """Normal, uniform and truncated normal."""
    def of_pytorch(init, check, name, **options):
        return pytorch_case(init, PYTORCH_LINEAR, check, name, **options)

    yield of_pytorch("normal", checks.distribution(), "normal_")
    yield of_pytorch("normal(mean=-1.5, std=0.3)", checks.distribution(), "normal_", mean=-1.5, std=0.3)
    yield of_pytorch("uniform", checks.distribution(0, 1), "uniform_")
    yield of_pytorch("uniform(a=-0.2, b=0.7)", checks.distribution(-0.2, 0.7), "uniform_", a=-0.2, b=0.7)
    yield of_pytorch("truncated_normal", checks.distribution(-2, 2), "trunc_normal_")
    yield of_pytorch("truncated_normal(mean=0.5, std=2, a=-1, b=3)", checks.distribution(-1, 3), "trunc_normal_",
                     mean=0.5, std=2, a=-1, b=3)
    yield of_pytorch("truncated_normal(std=0.02, a=-0.06, b=0.06)", checks.distribution(-0.06, 0.06), "trunc_normal_",
                     std=0.02, a=-0.06, b=0.06)
    yield of_pytorch("truncated_normal(a=2.5, b=4)", checks.distribution(2.5, 4), "trunc_normal_", a=2.5, b=4)

    def of_keras(init, check, name, **options):
        return keras_case(init, KERAS_DENSE, check, name, **options)

    yield of_keras("keras_random_normal", checks.distribution(), "RandomNormal")
    yield of_keras("normal(mean=1, std=0.2)", checks.distribution(), "RandomNormal", mean=1.0, stddev=0.2)
    yield of_keras("keras_random_uniform", within(0.05), "RandomUniform")
    yield of_keras("uniform(a=-1, b=3)", checks.distribution(-1, 3), "RandomUniform", minval=-1.0, maxval=3.0)
    yield of_keras("keras_truncated_normal", within(0.1), "TruncatedNormal")
    yield of_keras("truncated_normal_sigma(mean=1, std=0.2)", checks.distribution(0.6, 1.4), "TruncatedNormal",
                   mean=1.0, stddev=0.2)

    yield jax_case("normal(std=0.01)", KERAS_DENSE, checks.distribution(), "normal")
    yield jax_case("uniform(a=0, b=0.01)", KERAS_DENSE, checks.distribution(0, 0.01), "uniform")
    yield jax_case("truncated_normal_sigma(std=0.01)", KERAS_DENSE, within(0.02), "truncated_normal")
    yield jax_case("truncated_normal_sigma(std=0.5, lower=-3, upper=1)", KERAS_DENSE, checks.distribution(-1.5, 0.5),
              "truncated_normal", stddev=0.5, lower=-3, upper=1)


def layers():
    """Parameters of the peers' fresh layers beside our presets."""
    nn = torch.nn
    for shape, call, make in [
            (PYTORCH_LINEAR, "Linear", lambda: nn.Linear(768, 512)),
            (PYTORCH_CONV_1D, "Conv1d", lambda: nn.Conv1d(128, 256, 5)),
            (PYTORCH_CONV_2D, "Conv2d", lambda: nn.Conv2d(64, 128, 7)),
            (PYTORCH_CONV_3D, "Conv3d", lambda: nn.Conv3d(32, 64, 3)),
            (PYTORCH_GROUPED, "Conv2d, 4 groups", lambda: nn.Conv2d(64, 256, 5, groups=4)),
            (PYTORCH_TRANSPOSED, "ConvTranspose2d", lambda: nn.ConvTranspose2d(96, 48, 5))]:
        init = "pytorch_linear" if call == "Linear" else "pytorch_conv"
        # Its std is 1 / sqrt(3 fan_in), and so its bound 1 / sqrt(fan_in).
        yield Case(init, "pytorch", shape, "PyTorch", call, peers.pytorch_layer(make),
                   by_fan(1 / 3, "fan_in", "uniform", shape, "pytorch"))
    yield Case("uniform(a=-0.125, b=0.125)", "pytorch", (8192,), "PyTorch", "Linear(64, 8192).bias",
               peers.pytorch_layer(lambda: nn.Linear(64, 8192), "bias"), within(1 / math.sqrt(64)))
    yield Case("pytorch_embedding", "pytorch", EMBEDDING, "PyTorch", "Embedding",
               peers.pytorch_layer(lambda: nn.Embedding(*EMBEDDING)), checks.distribution())

    of = keras.layers
    for shape, call, make, inputs in [
            (KERAS_DENSE, "Dense", lambda: of.Dense(512), (None, 768)),
            (KERAS_CONV_1D, "Conv1D", lambda: of.Conv1D(256, 5), (None, 9, 128)),
            (KERAS_CONV_2D, "Conv2D", lambda: of.Conv2D(128, 7), (None, 9, 9, 64)),
            (KERAS_CONV_3D, "Conv3D", lambda: of.Conv3D(64, 3), (None, 9, 9, 9, 32)),
            (KERAS_GROUPED, "Conv2D, 4 groups", lambda: of.Conv2D(256, 5, groups=4), (None, 9, 9, 64)),
            (KERAS_TRANSPOSED, "Conv2DTranspose", lambda: of.Conv2DTranspose(48, 5), (None, 9, 9, 96)),
            ((5, 5, 256, 16), "DepthwiseConv2D", lambda: of.DepthwiseConv2D(5, depth_multiplier=16),
             (None, 9, 9, 256))]:
        init = "keras_dense" if call == "Dense" else "keras_conv"
        yield Case(init, "keras", shape, "Keras", call, peers.keras_layer(make, inputs),
                   by_fan(1, "fan_avg", "uniform", shape, "keras"))
    yield Case("keras_embedding", "keras", EMBEDDING, "Keras", "Embedding",
               peers.keras_layer(lambda: of.Embedding(*EMBEDDING), None, "embeddings"), within(0.05))

    linen = flax.linen
    for shape, call, draw in [
            (KERAS_DENSE, "Dense", peers.flax_layer(linen.Dense(512), (1, 768))),
            (KERAS_DENSE, "nnx.Linear",
             peers.flax_nnx_layer(lambda rngs: flax.nnx.Linear(768, 512, rngs=rngs))),
            (KERAS_CONV_1D, "Conv", peers.flax_layer(linen.Conv(256, (5,)), (1, 9, 128))),
            (KERAS_CONV_2D, "Conv", peers.flax_layer(linen.Conv(128, (7, 7)), (1, 9, 9, 64))),
            (KERAS_GROUPED, "Conv, 4 groups",
             peers.flax_layer(linen.Conv(256, (5, 5), feature_group_count=4), (1, 9, 9, 64))),
            ((5, 5, 96, 48), "ConvTranspose",
             peers.flax_layer(linen.ConvTranspose(48, (5, 5)), (1, 9, 9, 96)))]:
        yield Case("flax_dense", "jax", shape, "Flax", call, draw,
                   by_fan(1, "fan_in", "truncated_normal", shape, "jax"))
    yield Case("flax_embed", "jax", EMBEDDING, "Flax", "Embed",
               peers.flax_layer(linen.Embed(*EMBEDDING), (1,), "embedding", jnp.int32), checks.distribution())


def not_random():
    """Initializers without random values, compared bit by bit."""
    for init, shape, name, options in [
            ("zeros", (37, 5), "zeros_", {}),
            ("ones", (37,), "ones_", {}),
            ("constant(val=0.1)", (3, 5, 7), "constant_", {"val": 0.1}),
            ("constant(val=-1e-30)", (3, 5), "constant_", {"val": -1e-30}),
            ("eye", (5, 5), "eye_", {}),
            ("eye", (3, 7), "eye_", {}),
            ("eye", (7, 3), "eye_", {}),
            ("dirac", (8, 8, 3), "dirac_", {}),
            ("dirac", (8, 4, 3, 3), "dirac_", {}),
            ("dirac", (4, 8, 4, 5), "dirac_", {}),
            ("dirac", (6, 3, 3, 2, 5), "dirac_", {}),
            ("dirac(groups=3)", (12, 4, 3), "dirac_", {"groups": 3}),
            ("dirac(groups=3)", (12, 2, 4, 3), "dirac_", {"groups": 3}),
            ("dirac(groups=2)", (6, 5, 3, 3, 3), "dirac_", {"groups": 2}),
            ("dirac(groups=6)", (6, 1, 3, 3), "dirac_", {"groups": 6})]:
        yield pytorch_case(init, shape, checks.exact, name, **options)

    yield keras_case("zeros", (37, 5), checks.exact, "Zeros")
    yield keras_case("ones", (37,), checks.exact, "Ones")
    yield keras_case("constant(val=0.1)", (3, 5, 7), checks.exact, "Constant", value=0.1)
    for gain in [1.0, 0.1, -2.5]:
        for shape in [(5, 5), (3, 7), (7, 3)]:
            yield keras_case(f"eye(gain={gain})", shape, checks.exact, "Identity", gain=gain)

    for name, shape in [("zeros", (37, 5)), ("ones", (37,))]:
        draw = peers.jax_initializer(getattr(jax.nn.initializers, name))
        yield Case(name, "jax", shape, "JAX", name, draw, checks.exact)
    yield jax_case("constant(val=0.1)", (3, 5, 7), checks.exact, "constant", value=0.1)


MANY = 2000  # Small matrices, each of which gives one value of a statistic.


def orthogonal():
    """Many small matrices, and large ones."""
    matrices = [((16, 16), MANY), ((512, 768), 3), ((768, 512), 3)]
    for shape, copies in [*matrices, ((24, 2, 2, 2), MANY), ((8, 3, 2, 2), MANY)]:
        yield pytorch_case("orthogonal", shape, checks.orthogonal(rows_first, copies), "orthogonal_")
    yield pytorch_case("orthogonal(gain=2)", PYTORCH_GROUPED, checks.orthogonal(rows_first, 10, gain=2),
                       "orthogonal_", gain=2)
    for shape, copies in [*matrices, ((2, 2, 2, 24), MANY), ((2, 2, 3, 8), MANY)]:
        check = checks.orthogonal(columns_last, copies)
        yield keras_case("orthogonal", shape, check, "Orthogonal")
        yield jax_case("orthogonal", shape, check, "orthogonal")
    check = checks.orthogonal(columns_last, 10, gain=2)
    yield keras_case("orthogonal(gain=2)", KERAS_GROUPED, check, "Orthogonal", gain=2)
    yield jax_case("orthogonal(gain=2)", KERAS_GROUPED, check, "orthogonal", scale=2)


def rows_first(tensor):
    """PyTorch's matrix of a tensor: its rows are the first axis."""
    return tensor.reshape(tensor.shape[0], -1)


def columns_last(tensor):
    """Keras' and JAX's: its columns are the last axis."""
    return tensor.reshape(-1, tensor.shape[-1])


def delta_orthogonal():
    """JAX's."""
    for shape, copies in [((3, 12, 12), MANY), ((4, 3, 8, 12), MANY)]:
        check = checks.delta_orthogonal(centre(shape), copies)
        yield jax_case("delta_orthogonal", shape, check, "delta_orthogonal")
    shape = (3, 2, 5, 96, 128)
    check = checks.delta_orthogonal(centre(shape), 80, gain=2)
    yield jax_case("delta_orthogonal(gain=2)", shape, check, "delta_orthogonal", scale=2)


def centre(shape):
    return tuple((size - 1) // 2 for size in shape[:-2])


def sparse():
    """PyTorch's."""
    # 0.07 x 100 is a little more than 7 in f64, and so 8 zeros: PyTorch's own rule.
    for sparsity, std, shape, zeros in [
            (0.1, 0.01, (300, 500), 30), (0.07, 0.5, (100, 1000), 8), (0.9, 1.0, (64, 2000), 58)]:
        yield pytorch_case(f"sparse(sparsity={sparsity}, std={std})", shape, checks.sparse(zeros), "sparse_",
                      sparsity=sparsity, std=std)


def refusals():
    """Shapes that the peer refuses, and we."""
    refused = checks.both_refuse
    yield pytorch_case("xavier_normal", (5,), refused, "xavier_normal_")
    yield pytorch_case("eye", (5, 5, 5), refused, "eye_")
    yield pytorch_case("dirac", (5, 5), refused, "dirac_")
    yield pytorch_case("dirac(groups=2)", (5, 5, 5), refused, "dirac_", groups=2)
    yield pytorch_case("orthogonal", (5,), refused, "orthogonal_")
    yield pytorch_case("sparse(sparsity=0.1)", (5, 5, 5), refused, "sparse_", sparsity=0.1)
    yield keras_case("eye", (5, 5, 5), refused, "Identity")
    yield keras_case("orthogonal", (5,), refused, "Orthogonal")
    yield jax_case("he_normal", (5,), refused, "he_normal")
    yield jax_case("delta_orthogonal", (5, 5), refused, "delta_orthogonal")
    yield jax_case("delta_orthogonal", (3, 6, 5), refused, "delta_orthogonal")  # More inputs than outputs.


def controls():
    """What is not the same, and must be found to differ."""
    distribution, haar = checks.distribution(), checks.orthogonal(rows_first, MANY)
    at_centre = checks.delta_orthogonal((1,), 100)

    def numpy_case(init, shape, check, call, draw):
        return Case(init, "pytorch", shape, "numpy", call, draw, check)

    def uniform_to(end):
        def draw(shape, seed):
            return numpy.random.default_rng(seed).uniform(0, end, shape).astype(numpy.float32)

        return draw

    def qr_without_signs(shape, seed):
        return numpy.linalg.qr(numpy.random.default_rng(seed).standard_normal(shape))[0].astype(numpy.float32)

    def moved(case):
        return dataclasses.replace(case, call=f"{case.call}, moved by one",
                                   draw=lambda shape, seed: numpy.roll(case.draw(shape, seed), 1, axis=0))

    def read_as(layout, case):
        return dataclasses.replace(case, layout=layout)

    differing = [
        # Truncated, or not; at other bounds; corrected for it, or not.
        keras_case("xavier_normal", KERAS_DENSE, distribution, "GlorotNormal"),
        pytorch_case("glorot_normal", PYTORCH_LINEAR, distribution, "xavier_normal_"),
        pytorch_case("truncated_normal", PYTORCH_LINEAR, distribution, "trunc_normal_", a=-1.95, b=1.95),
        keras_case("keras_truncated_normal", KERAS_DENSE, distribution, "VarianceScaling", scale=0.05**2 * 768),
        # Another order of axes.
        read_as("pytorch", keras_case("he_normal", KERAS_CONV_2D, distribution, "HeNormal")),
        read_as("transposed", pytorch_case("kaiming_normal", PYTORCH_TRANSPOSED, distribution, "kaiming_normal_")),
        # A little off.
        pytorch_case("normal(std=1.01)", PYTORCH_LINEAR, distribution, "normal_"),
        pytorch_case("normal(mean=0.01)", PYTORCH_LINEAR, distribution, "normal_"),
        numpy_case("uniform", PYTORCH_LINEAR, checks.distribution(0, 1), "uniform(0, 1.001)", uniform_to(1.001)),
        numpy_case("uniform", PYTORCH_LINEAR, checks.distribution(0, 1), "uniform(0, 0.998)", uniform_to(0.998)),
        pytorch_case("constant(val=0.1)", (3, 5), checks.exact, "constant_", val=0.10000001),  # 1 ulp more.
        pytorch_case("zeros", (3, 5), checks.exact, "constant_", val=1e-45),
        # Matrices of another kind.
        pytorch_case("dirac", (12, 2, 4, 3), checks.exact, "dirac_", groups=3),
        numpy_case("orthogonal", (16, 16), haar, "linalg.qr, signs as they come", qr_without_signs),
        pytorch_case("normal(std=0.25)", (16, 16), haar, "orthogonal_"),
        moved(jax_case("delta_orthogonal", (4, 8, 8), at_centre, "delta_orthogonal")),
        pytorch_case("sparse(sparsity=0.1)", (300, 500), checks.sparse(30), "sparse_", sparsity=0.11),
        # Nothing to refuse.
        pytorch_case("xavier_normal", (5, 5), checks.both_refuse, "xavier_normal_"),
    ]
    for case in differing:
        yield dataclasses.replace(case, must_differ=True)


def all_cases():
    groups = [xavier_and_kaiming, glorot_he_lecun, variance_scaling, distributions_without_fans, layers, not_random,
              orthogonal, delta_orthogonal, sparse, refusals, controls]
    for group in groups:
        yield from group()
