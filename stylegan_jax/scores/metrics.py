"""FID, KID, inception score, precision and recall, perceptual path length, and toon distance, on whatever features.

The formulas are the official ones in float64. Scores compare with published ones only over the Inception or VGG16
features that those used; over other features call them proxies.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from stylegan_jax.errors import InputError

Features = Float[np.ndarray, "_ f"]


class Moments(NamedTuple):
    """Mean and covariance of features: what FID knows of a set of images."""

    mean: Float[np.ndarray, " f"]
    covariance: Float[np.ndarray, "f f"]


def moments(features: Features) -> Moments:
    """Mean and covariance in float64; the covariance divides by n, not n - 1."""
    x = features.astype(np.float64)
    mean = x.mean(0)
    return Moments(mean, x.T @ x / len(x) - np.outer(mean, mean))


def frechet_distance(real: Moments, generated: Moments) -> float:
    """|μ₁ - μ₂|² + tr(Σ₁ + Σ₂ - 2·√(Σ₁Σ₂)), the squared distance of two normal distributions."""
    root = _square_root(real.covariance)
    # The eigenvalues of Σ₁Σ₂ are those of the symmetric √Σ₁·Σ₂·√Σ₁; below 0 they are rounding.
    overlap = np.linalg.eigvalsh(root @ generated.covariance @ root).clip(0)
    spread = np.trace(real.covariance) + np.trace(generated.covariance) - 2 * np.sqrt(overlap).sum()
    return float(np.square(real.mean - generated.mean).sum() + spread)


def _square_root(covariance: Float[np.ndarray, "f f"]) -> Float[np.ndarray, "f f"]:
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(values.clip(0))) @ vectors.T


def _check_count(score: str, n: int, least: int) -> None:
    """Raises InputError where too few images would make a score that is no number."""
    if n < least:
        raise InputError(f"{score} of {n} images", f"give {least} or more on either side")


def fid(real: Features, generated: Features) -> float:
    """Fréchet distance of two sets of features; lower is better. Raises InputError for a set without images."""
    _check_count("FID", min(len(real), len(generated)), 1)
    return frechet_distance(moments(real), moments(generated))


def kid(
    real: Features,
    generated: Features,
    *,
    random: np.random.RandomState,
    subsets: int = 100,
    subset_size: int = 1000,
) -> float:
    """Squared maximum mean discrepancy under (x·y/f + 1)³, unbiased, averaged over random subsets.

    Unlike FID it has no bias for small sets; it may be slightly negative. Raises InputError unless both sets hold two
    images or more: the unbiased estimate looks at pairs.
    """
    _check_count("KID", min(len(real), len(generated), subset_size), 2)
    m = min(len(real), len(generated), subset_size)
    total = 0.0
    for _ in range(subsets):
        x = generated[random.choice(len(generated), m, replace=False)].astype(np.float64)
        y = real[random.choice(len(real), m, replace=False)].astype(np.float64)
        within = _kernel(x, x) + _kernel(y, y)
        total += (within.sum() - np.trace(within)) / (m - 1) - 2 * _kernel(x, y).sum() / m
    return float(total / subsets / m)


def _kernel(x: Float[np.ndarray, "n f"], y: Float[np.ndarray, "m f"]) -> Float[np.ndarray, "n m"]:
    return (x @ y.T / x.shape[1] + 1) ** 3


def inception_score(probabilities: Float[np.ndarray, "n classes"], *, splits: int = 10) -> tuple[float, float]:
    """Mean and standard deviation over `splits` of exp(mean KL divergence from the average prediction).

    Raises InputError where a split would be empty.
    """
    _check_count(f"inception score in {splits} splits", len(probabilities), max(splits, 1))
    p = probabilities.astype(np.float64)
    edges = [i * len(p) // splits for i in range(splits + 1)]
    scores = [_exp_divergence(p[start:stop]) for start, stop in itertools.pairwise(edges)]
    return float(np.mean(scores)), float(np.std(scores))


def _exp_divergence(p: Float[np.ndarray, "n classes"]) -> float:
    return float(np.exp((p * (np.log(p) - np.log(p.mean(0)))).sum(1).mean()))


class Coverage(NamedTuple):
    """Share of the generated images near a real one, and the other way round."""

    precision: float
    recall: float


def precision_recall(real: Features, generated: Features, *, neighbors: int = 3) -> Coverage:
    """How much of each set lies within reach of the other, by nearest neighbours (Kynkäänniemi et al.).

    Features, distances and radii are rounded to float16, as in the official program. Raises InputError where an image
    has fewer neighbours.
    """
    _check_count(f"precision and recall by {neighbors} neighbours", min(len(real), len(generated)), neighbors + 1)
    real, generated = real.astype(np.float16), generated.astype(np.float16)
    return Coverage(_covered(generated, real, neighbors), _covered(real, generated, neighbors))


def _covered(probes: Features, manifold: Features, neighbors: int) -> float:
    """Share of `probes` inside a ball around a point of `manifold` that reaches to its k-th neighbour."""
    parts = [np.partition(rows, neighbors)[:, neighbors] for rows in _distance_rows(manifold, manifold)]
    radii = np.concatenate(parts)
    return float(np.concatenate([(rows <= radii).any(1) for rows in _distance_rows(probes, manifold)]).mean())


def _distance_rows(x: Features, y: Features, rows: int = 1024) -> Iterator[Float[np.ndarray, "rows m"]]:
    """Distances in float16 of each x to all y, some rows at a time: all of them at once would fill the memory."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    for start in range(0, len(x), rows):
        part = x[start : start + rows]
        distances = np.sqrt((np.square(part).sum(1)[:, None] + np.square(y).sum(1) - 2 * part @ y.T).clip(0))
        with np.errstate(over="ignore"):  # infinite, as there
            yield distances.astype(np.float16)


def toon_distance(features: Features, own: Features, *, dimensions: int = 30) -> Float[np.ndarray, " n"]:
    """How far images lie from what a blend makes by itself: squared Mahalanobis distance per dimension.

    Over the scattering features (`features.proxy_features`) of images that a blend makes of projected photographs,
    and of 1,024 of its own samples at psi 0.7: samples themselves have about 1, at psi 1 about 1.5. What lies above
    looks like nothing the blend makes. It sees a smear and a broken outline, and no likeness.

    Args:
      features: of the images that are judged.
      own: of the blend's own samples at psi 0.7.
      dimensions: the principal axes of `own` that count, the widest first; those of less variance say little.

    Raises InputError unless there are more own samples than dimensions.
    """
    _check_count(f"toon distance in {dimensions} dimensions", len(own), dimensions + 1)
    usual = moments(own)
    variances, axes = np.linalg.eigh(usual.covariance)
    variances, axes = variances[-dimensions:], axes[:, -dimensions:]
    return (np.square((features - usual.mean) @ axes) / np.maximum(variances, 1e-12 * variances[-1])).mean(1)


class PathEnds(NamedTuple):
    """Random latents of perceptual path length: pairs to walk between, and how far along to look."""

    first: Float[Array, "n z"]
    second: Float[Array, "n z"]
    t: Float[Array, " n"]


def path_distances(
    ends: PathEnds,
    mapping: Callable[[Array], Array],
    synthesize: Callable[[Array], Array],
    features: Callable[[Array], Array],
    *,
    space: Literal["w", "z"] = "w",
    epsilon: float = 1e-4,
    crop: bool = False,
) -> Float[Array, " n"]:
    """Squared feature distance of the images at t and t + ε, over ε²: perceptual path length before averaging.

    Args:
      ends: `t` uniform in [0, 1) for the path's whole length, 0 for its ends.
      mapping: z [n z] → w [n d].
      synthesize: w [n d] → images [n h w c] in [-1, 1]; one noise for all.
      features: images [n h w 3] in [0, 255], at most 256 pixels wide → [n f].
      crop: keep only the centre where aligned faces are.
    """
    steps = ends.t[:, None] + jnp.array([0, epsilon], jnp.float32)[:, None, None]
    if space == "w":
        first, second = mapping(ends.first), mapping(ends.second)
        w = first + (second - first) * steps
    else:
        w = jnp.stack([mapping(slerp(ends.first, ends.second, step)) for step in steps])
    images = _for_perception(synthesize(w.reshape(-1, w.shape[-1])), crop)
    before, after = jnp.split(features(images), 2)
    return jnp.square(before - after).sum(1) / epsilon**2


def slerp(a: Float[Array, "n z"], b: Float[Array, "n z"], t: Float[Array, "n 1"]) -> Float[Array, "n z"]:
    """Unit vectors on the great circle from a to b."""
    a, b = _unit(a), _unit(b)
    cosine = (a * b).sum(-1, keepdims=True)
    angle, across = t * jnp.arccos(cosine), _unit(b - cosine * a)
    return _unit(a * jnp.cos(angle) + across * jnp.sin(angle))


def _unit(x: Float[Array, "n z"]) -> Float[Array, "n z"]:
    return x / jnp.linalg.norm(x, axis=-1, keepdims=True)


def _for_perception(images: Float[Array, "n h w c"], crop: bool) -> Float[Array, "n h2 w2 rgb"]:
    """[-1, 1] → [0, 255], RGB, averaged to the 256 pixels that the perceptual network knows."""
    resolution = images.shape[1]
    if crop:
        eighth = resolution // 8
        images = images[:, 3 * eighth : 7 * eighth, 2 * eighth : 6 * eighth]
    if resolution > 256:
        box = resolution // 256
        n, height, width, channels = images.shape
        images = images.reshape(n, height // box, box, width // box, box, channels).mean((2, 4))
    return in_rgb((images + 1) * 127.5)


def in_rgb(images: Float[Array, "n h w c"]) -> Float[Array, "n h w rgb"]:
    """What describes colours takes three channels in [0, 255]: grey is repeated, RGBA lies on white."""
    if images.shape[-1] != 4:
        return images.repeat(3, -1) if images.shape[-1] == 1 else images
    opacity = (images[..., 3:] / 255).clip(0, 1)
    return images[..., :3] * opacity + 255 * (1 - opacity)


def path_length(distances: Float[np.ndarray, " n"]) -> float:
    """Mean of the path distances between their 1st and 99th percentile. Raises InputError without distances."""
    _check_count("path length", len(distances), 1)
    low = np.percentile(distances, 1, method="lower")
    high = np.percentile(distances, 99, method="higher")
    return float(distances[(distances >= low) & (distances <= high)].astype(np.float64).mean())
