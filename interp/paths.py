"""Ways through latents: over a sphere, along a spline, around a circle, through noise that comes back."""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float

from stylegan_jax.sampler.latents import z_from_seeds

Path = Literal["linear", "slerp", "spline", "circle", "noise"]
IN_Z: tuple[Path, ...] = ("slerp", "circle", "noise")
"""Those that go through z; the mapping network then makes the w of every frame."""
ROUND: dict[Path, float] = {"circle": 1.0, "noise": 20.0}
"""Those that begin at one seed and come back to it, and their largest diameter."""
_SAMPLES = 256  # of the covariance around the loop; the harmonics of the largest diameter end long before half of that
_OWN = 2  # a seed's own stream of further numbers; 1 draws its class


def slerp(one: Float[np.ndarray, " d"], two: Float[np.ndarray, " d"], share: float) -> Float[np.ndarray, " d"]:
    """The point between two on the great circle through their directions; its length lies between theirs.

    At 0 and 1 it is the one and the other to the bit.
    """
    if share in (0, 1):
        return (one, two)[int(share)]
    ends = np.stack([one, two]).astype(np.float64)
    lengths = np.linalg.norm(ends, axis=1)
    directions = ends / np.maximum(lengths, 1e-12)[:, None]
    angle = np.arccos(np.clip(directions[0] @ directions[1], -1, 1))
    parts = np.sin(np.array([1 - share, share]) * angle) / np.sin(angle) if np.sin(angle) > 1e-6 else (1 - share, share)
    return (((1 - share) * lengths[0] + share * lengths[1]) * (parts @ directions)).astype(np.float32)


def spline(
    stops: Float[np.ndarray, "k l d"], t: float, *, knots: Sequence[float] | None = None, closed: bool = False
) -> Float[np.ndarray, "l d"]:
    """The point at time t on the Catmull-Rom spline through all stops, each of which it passes to the bit.

    Args:
      stops: in order.
      t: from the first knot to the last.
      knots: the time of each stop, rising, and of the return to the first where it is `closed`; 0, 1, … by default.
      closed: the last stop is followed by the first.
    """
    count = len(stops) + closed
    times = np.arange(count, dtype=float) if knots is None else np.asarray(knots, float)
    if len(stops) == 1:
        return stops[0]
    i = int(np.clip(np.searchsorted(times, t, side="right") - 1, 0, count - 2))
    length = times[i + 1] - times[i]
    share = (t - times[i]) / length
    slopes = [_slope(stops, times, j, closed) * np.float32(length) for j in (i, i + 1)]
    s = np.float32(share)
    value = (2 * s**3 - 3 * s**2 + 1) * stops[i] + (3 * s**2 - 2 * s**3) * stops[(i + 1) % len(stops)]
    return value + (s**3 - 2 * s**2 + s) * slopes[0] + (s**3 - s**2) * slopes[1]


def _slope(stops: Float[np.ndarray, "k l d"], times: np.ndarray, i: int, closed: bool) -> np.ndarray:
    """From the stop before to the stop after, in the time between; at an open end, of the one leg that is there."""
    legs, count = np.diff(times), len(stops)
    if closed:
        return (stops[(i + 1) % count] - stops[i - 1]) / np.float32(legs[i - 1] + legs[i % count])
    before, after = max(i - 1, 0), min(i + 1, count - 1)
    return (stops[after] - stops[before]) / np.float32(times[after] - times[before])


def circle(seed: int, z_dim: int, diameter: float) -> Callable[[float], Float[np.ndarray, " d"]]:
    """Time of 0 … 1 → z on a circle that begins and ends at the seed's own z, every point of it as likely as any z.

    Args:
      seed: chooses the circle too.
      z_dim: of the model.
      diameter: above 0, to 1: a great circle, whose opposite point is −z.
    """
    z, (across, along) = z_from_seeds([seed], z_dim)[0].astype(np.float64), _own(seed, 2, z_dim)
    radius = diameter * np.pi / 2
    middle = np.cos(radius) * (np.cos(radius) * z - np.sin(radius) * across)
    out = np.sin(radius) * (np.sin(radius) * z + np.cos(radius) * across)

    def at(t: float) -> Float[np.ndarray, " d"]:
        angle = 2 * np.pi * t
        return (middle + np.cos(angle) * out + np.sin(angle) * np.sin(radius) * along).astype(np.float32)

    return at


def noise(seed: int, z_dim: int, diameter: float) -> Callable[[float], Float[np.ndarray, " d"]]:
    """Time of 0 … 1 → z on a loop through smooth gaussian noise that begins and ends at the seed's own z.

    It is what a circle of that diameter meets in a random field whose covariance is exp(−distance²/2): a sum of
    harmonics, moved so that it begins at z (Matheron's rule). Every point of it is as likely as any z.

    Args:
      seed: chooses the loop too.
      z_dim: of the model.
      diameter: above 0; some four different faces lie on a loop of 3.
    """

    def covariance(t: float | np.ndarray) -> float | np.ndarray:
        return np.exp(-(diameter**2) * (1 - np.cos(2 * np.pi * t)) / 4)

    shares = np.fft.rfft(covariance(np.arange(_SAMPLES) / _SAMPLES)).real / _SAMPLES
    shares = np.maximum(shares, 0) * np.where(np.arange(len(shares)) % (_SAMPLES // 2) == 0, 1, 2)
    harmonics = np.flatnonzero(shares > 1e-9)
    cosines, sines = _own(seed, 2 * len(harmonics), z_dim).reshape(2, len(harmonics), z_dim)
    sizes, z = np.sqrt(shares[harmonics]), z_from_seeds([seed], z_dim)[0].astype(np.float64)

    def free(t: float) -> np.ndarray:
        angles = 2 * np.pi * harmonics * t
        return (sizes * np.cos(angles)) @ cosines + (sizes * np.sin(angles)) @ sines

    missed = z - free(0.0)
    return lambda t: (free(t) + covariance(t) * missed).astype(np.float32)


def _own(seed: int, count: int, z_dim: int) -> Float[np.ndarray, "n d"]:
    """Further gaussian vectors of a seed."""
    return np.random.RandomState([seed, _OWN]).randn(count, z_dim)
