"""Checks that compare two sources of tensors: each takes ours and theirs, functions of a seed."""
import dataclasses
import math

import numpy
from scipy import stats

ENOUGH = 1000  # Matrices, for tests of statistics with one value per matrix.


class Refused(Exception):
    """gpu-init refuses this shape."""


@dataclasses.dataclass
class Outcome:
    """The measurements of a check. The p-values are judged at the end, when their number is known."""

    elements: int = 0  # In each of the two samples.
    p_values: dict = dataclasses.field(default_factory=dict)
    distance: float | None = None  # The greatest D of the Kolmogorov-Smirnov tests.
    std_ratio: float | None = None
    std_ratio_error: float | None = None
    faults: list = dataclasses.field(default_factory=list)  # Differences beyond any sampling error.
    note: str = ""

    def compare_samples(self, name, ours, theirs):
        """The Kolmogorov-Smirnov test of two samples of independent values."""
        test = stats.ks_2samp(ours, theirs, method="asymp")
        self.p_values[f"KS {name}".strip()] = float(test.pvalue)
        self.distance = max(self.distance or 0.0, float(test.statistic))

    def compare_moments(self, ours, theirs):
        """Welch's test of the means, and the ratio of the standard deviations with its error by the kurtosis."""
        ours, theirs = ours.astype(numpy.float64), theirs.astype(numpy.float64)
        mean_error = math.sqrt(ours.var() / ours.size + theirs.var() / theirs.size)
        self.p_values["mean"] = two_sided((ours.mean() - theirs.mean()) / mean_error)
        self.std_ratio = float(ours.std() / theirs.std())
        self.std_ratio_error = math.hypot(relative_error_of_std(ours), relative_error_of_std(theirs))
        self.p_values["std"] = two_sided((self.std_ratio - 1) / self.std_ratio_error)

    def require(self, holds, fault):
        if not holds:
            self.faults.append(fault)


def two_sided(z):
    return float(2 * stats.norm.sf(abs(z)))


def relative_error_of_std(sample):
    """Half of the variance's relative error, which is sqrt((kurtosis - 1) / n)."""
    kurtosis = stats.kurtosis(sample, fisher=False)
    return 0.5 * math.sqrt((kurtosis - 1) / sample.size)


def seeds(first, tensors):
    return range(first, first + tensors)


def distribution(low=-math.inf, high=math.inf, elements=1_000_000):
    """Compares independent values, which must lie within low to high and come near both."""

    def check(ours, theirs, first_seed):
        tensors = math.ceil(elements / ours(first_seed).size)
        samples = [
            numpy.concatenate([draw(seed).ravel() for seed in seeds(first_seed, tensors)])
            for draw in (ours, theirs)
        ]
        outcome = Outcome(elements=samples[0].size)
        outcome.compare_samples("", *samples)
        outcome.compare_moments(*samples)
        for whose, sample in zip(["ours", "theirs"], samples, strict=True):
            require_bounds(outcome, whose, sample, low, high)
        return outcome

    return check


def require_bounds(outcome, whose, sample, low, high):
    outcome.require(numpy.isfinite(sample).all(), f"{whose}: not finite")
    if math.isinf(low) or math.isinf(high):
        return
    least, greatest = float(sample.min()), float(sample.max())
    rounding = 1e-6 * max(abs(low), abs(high))  # The bound is rounded to f32, as are the peers' products.
    inside = low - rounding <= least and greatest <= high + rounding
    outcome.require(inside, f"{whose}: {least:.7g} to {greatest:.7g} leaves {low:.7g} to {high:.7g}")
    # Each distribution here has more than 50 of 10^6 values this near each end: none at all is no accident.
    near = 0.001 * (high - low)
    reaches = least <= low + near and greatest >= high - near
    outcome.require(reaches, f"{whose}: {least:.7g} to {greatest:.7g} does not reach {low:.7g} to {high:.7g}")


def exact(ours, theirs, first_seed):
    """Requires the same bits, except for the sign of a zero: Keras computes -2.5 times 0 beside a diagonal."""
    ours, theirs = ours(first_seed), theirs(first_seed)
    outcome = Outcome(elements=ours.size, note="same bits")
    same_kind = ours.dtype == theirs.dtype == numpy.float32 and ours.shape == theirs.shape
    outcome.require(same_kind, f"{ours.dtype} {ours.shape} and {theirs.dtype} {theirs.shape}")
    if not same_kind:
        return outcome
    same = (ours.view(numpy.uint32) == theirs.view(numpy.uint32)) | (ours == 0) & (theirs == 0)
    differing = int((~same).sum())
    outcome.require(differing == 0, f"{differing} of {ours.size} elements differ")
    return outcome


def both_refuse(ours, theirs, first_seed):
    """Requires that both refuse the shape."""
    outcome = Outcome(note="both refuse")
    for whose, draw, refusal in [("we", ours, Refused), ("they", theirs, ValueError)]:
        try:
            draw(first_seed)
            outcome.faults.append(f"{whose} do not refuse")
        except refusal:
            pass
    return outcome


def orthogonality_error(matrices):
    """The largest element of |Q^T Q - I|, or of |Q Q^T - I| if there are fewer rows than columns."""
    matrices = matrices.astype(numpy.float64)
    transposed = matrices.swapaxes(-1, -2)
    wide = matrices.shape[-2] < matrices.shape[-1]
    gram = matrices @ transposed if wide else transposed @ matrices
    return float(abs(gram - numpy.eye(gram.shape[-1])).max())


def compare_matrices(outcome, ours, theirs):
    """Compares stacks of random matrices: their orthogonality, and statistics with one value per matrix,
    because the elements of a matrix depend on each other.
    """
    errors = []
    for whose, matrices in [("ours", ours), ("theirs", theirs)]:
        errors.append(orthogonality_error(matrices))
        outcome.require(errors[-1] < 1e-5, f"{whose}: |Q^T Q - I| is {errors[-1]:.1e}")
    outcome.note = "|QtQ - I|: ours {:.0e}, theirs {:.0e}".format(*errors)
    if outcome.faults or len(ours) < ENOUGH:
        return
    for name, row, column in [("first", 0, 0), ("last", -1, -1), ("corner", 0, -1)]:
        outcome.compare_samples(f"{name} element", ours[:, row, column], theirs[:, row, column])
    outcome.compare_samples("greatest element", abs(ours).max(axis=(1, 2)), abs(theirs).max(axis=(1, 2)))
    if ours.shape[1] == ours.shape[2]:
        phases = [eigenphases(matrices) for matrices in (ours, theirs)]
        outcome.compare_samples(
            "trace", *[numpy.trace(matrices, axis1=1, axis2=2) for matrices in (ours, theirs)]
        )
        outcome.compare_samples("least eigenphase", *[phase[:, 0] for phase in phases])
        outcome.compare_samples("eigenphase spacing", *[phase[:, 1] - phase[:, 0] for phase in phases])
        reflections = [(numpy.linalg.det(matrices) < 0).mean() for matrices in (ours, theirs)]
        pooled = sum(reflections) / 2
        error = math.sqrt(2 * pooled * (1 - pooled) / len(ours)) or math.inf
        outcome.p_values["sign of det"] = two_sided((reflections[0] - reflections[1]) / error)


def eigenphases(matrices):
    """The two smallest angles of the complex eigenvalues of each matrix."""
    angles = numpy.sort(abs(numpy.angle(numpy.linalg.eigvals(matrices.astype(numpy.float64)))), axis=1)
    real = (angles < 1e-4) | (angles > math.pi - 1e-4)
    pairs = numpy.sort(numpy.where(real, math.inf, angles), axis=1)  # Each angle occurs twice.
    return pairs[:, [0, 2]]


def orthogonal(matrix_of, copies, gain=1.0):
    """Compares Haar-distributed matrices times a gain. `matrix_of` turns a tensor into a matrix.

    The elements of a matrix depend on each other slightly, so their pooled test is slightly too lenient.
    """

    def check(ours, theirs, first_seed):
        stacks = [
            numpy.stack([matrix_of(draw(seed)) / numpy.float32(gain) for seed in seeds(first_seed, copies)])
            for draw in (ours, theirs)
        ]
        outcome = Outcome(elements=stacks[0].size)
        outcome.compare_samples("elements", *[stack.ravel() for stack in stacks])
        compare_matrices(outcome, *stacks)
        return outcome

    return check


def delta_orthogonal(centre, copies, gain=1.0):
    """Compares kernels (kernel..., in, out) with an orthogonal matrix at one point and zeros elsewhere."""

    def check(ours, theirs, first_seed):
        stacks = []
        outcome = Outcome()
        for whose, draw in [("ours", ours), ("theirs", theirs)]:
            kernels = numpy.stack([draw(seed) / numpy.float32(gain) for seed in seeds(first_seed, copies)])
            at_centre = (slice(None), *centre)
            stacks.append(kernels[at_centre].copy())
            outcome.require((stacks[-1] != 0).mean() > 0.999, f"{whose}: zeros at {centre}")
            kernels[at_centre] = 0
            outcome.require(not kernels.any(), f"{whose}: not zero outside of {centre}")
            outcome.elements = kernels.size
        outcome.compare_samples("elements", *[stack.ravel() for stack in stacks])
        compare_matrices(outcome, *stacks)
        return outcome

    return check


def sparse(zeros, elements=1_000_000):
    """Compares matrices with this number of zeros in every column: their rows, and the other values."""

    def check(ours, theirs, first_seed):
        rows, columns = ours(first_seed).shape
        tensors = math.ceil(elements / (rows * columns))
        samples, zero_rows = [], []
        outcome = Outcome(elements=tensors * rows * columns, note=f"{zeros} zeros in every column")
        for whose, draw in [("ours", ours), ("theirs", theirs)]:
            matrix = numpy.concatenate([draw(seed) for seed in seeds(first_seed, tensors)], axis=1)
            counts = numpy.unique((matrix == 0).sum(axis=0)).tolist()
            outcome.require(counts == [zeros], f"{whose}: columns have {counts} zeros, not {zeros}")
            samples.append(matrix[matrix != 0])
            zero_rows.append((matrix == 0).sum(axis=1))
        outcome.compare_samples("", *samples)
        outcome.compare_moments(*samples)
        # The zeros of each row: every column draws `zeros` of the `rows` without replacement.
        share = zeros / rows
        variance = 2 * tensors * columns * share * (1 - share) * rows / (rows - 1)
        outcome.p_values["rows of the zeros"] = float(
            stats.chi2.sf(((zero_rows[0] - zero_rows[1]) ** 2).sum() / variance, rows - 1)
        )
        return outcome

    return check
