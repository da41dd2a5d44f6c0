"""Descent: the ws whose images are nearest to given ones, by Adam through the synthesis network.

The defaults are the official projector's (StyleGAN2, appendix D). Every image has its own w, noise and moments; many
are divided over the devices.
"""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Bool, Float, UInt8

from stylegan_jax.config import GeneratorConfig
from stylegan_jax.networks.generators import synthesis
from stylegan_jax.networks.layers import Weights
from stylegan_jax.networks.stylegan2 import noise_layers
from stylegan_jax.pictures.images import to_float
from stylegan_jax.projection.latentspace import LatentSpace, in_p_n
from stylegan_jax.projection.losses import Loss, in_grey, noise_penalty
from stylegan_jax.sampler import batching
from stylegan_jax.storage.checkpoint import Model

_BETA1, _BETA2, _EPS = 0.9, 0.999, 1e-8
Tree = Any


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a descent goes.

    Attributes:
      steps: of Adam.
      rate: its learning rate; risen to linearly in the first `ramp_up` of the steps, and left by half a cosine in the
        last `ramp_down`.
      space: one w for all layers, or one for each.
      w_noise: spread of the noise that is added to w, in spreads of the model's own w; it falls to 0, quadratically,
        until `w_noise_ramp` of the steps.
      noise_weight: of the regulariser of the noise images, which are then optimised too; None keeps the model's.
      prior: weight of the mean square of the ws in P_N.
    """

    steps: int = 1000
    rate: float = 0.1
    ramp_up: float = 0.05
    ramp_down: float = 0.25
    space: Literal["w", "w+"] = "w"
    w_noise: float = 0.05
    w_noise_ramp: float = 0.75
    noise_weight: float | None = 1e5
    prior: float = 0.0

    def rates(self) -> Float[np.ndarray, " steps"]:
        """The learning rate of each step; that of the first is 0."""
        t = np.arange(self.steps) / self.steps
        down = np.minimum(1, (1 - t) / self.ramp_down) if self.ramp_down else np.ones(self.steps)
        up = np.minimum(1, t / self.ramp_up) if self.ramp_up else 1
        return self.rate * (0.5 - 0.5 * np.cos(np.pi * down)) * up

    def spreads(self) -> Float[np.ndarray, " steps"]:
        """The spread of the noise on w at each step, in spreads of the model's own w."""
        t = np.arange(self.steps) / self.steps
        return self.w_noise * np.maximum(0, 1 - t / self.w_noise_ramp) ** 2


class State(NamedTuple):
    """What a descent moves: w `[n l d]` (l is 1 in the space w), noise images `[n r r]` by layer, Adam's moments."""

    parameters: Tree
    first: Tree
    second: Tree


class Standing(NamedTuple):
    """How many steps were made, and what they led to, as numpy arrays: a descent goes on from there."""

    step: int
    state: State


class _Seen(NamedTuple):
    """What a step says of one part of the images."""

    w: Float[Array, "n l d"]
    distance: Float[Array, " n"]
    loss: Float[Array, " n"]


@dataclass(frozen=True, eq=False)
class Step:
    """Where a descent stands after a step; numpy arrays, copied from the devices when they are asked for.

    `standing` copies what the descent needs to go on from here; it can be called until the next step is asked for.
    """

    parts: Sequence[_Seen]
    images: int
    standing: Callable[[], Standing]

    @property
    def w(self) -> Float[np.ndarray, "n l d"]:
        """One for each layer, or one for all: l is 1."""
        return self._joined("w")

    @property
    def distance(self) -> Float[np.ndarray, " n"]:
        """What the loss was before the step, without regularisers."""
        return self._joined("distance")

    @property
    def loss(self) -> Float[np.ndarray, " n"]:
        """The whole of it."""
        return self._joined("loss")

    def _joined(self, name: str) -> np.ndarray:
        # On the host: a slice of what lies on many devices is a program that meets the next step's.
        return np.concatenate([np.asarray(getattr(part, name)) for part in self.parts])[: self.images]


class _Program(NamedTuple):
    """What is compiled: targets → their description, and a step."""

    describe: Callable[..., Any]
    step: Callable[..., Any]


def descend(
    model: Model,
    targets: UInt8[np.ndarray, "n r r c"],
    loss: Loss,
    space: LatentSpace,
    settings: Settings,
    *,
    grey: Bool[np.ndarray, " n"] | None = None,
    start: Float[np.ndarray, "n l d"] | None = None,
    begun: Standing | None = None,
    noise: Mapping[str, Float[np.ndarray, "n _ _"]] | None = None,
    draws: Callable[[int], Float[np.ndarray, "n l d"]] | None = None,
    seed: int = 0,
) -> Iterator[Step]:
    """Yields every step of a descent towards images of the model's size.

    Args:
      model: its G_ema.
      targets: one descent for each.
      loss: what falls.
      space: of the model.
      settings: how.
      grey: targets whose luma alone is compared; none by default.
      start: where from; the mean of w by default.
      begun: go on from there: the next steps are those that would have followed.
      noise: the first noise images by layer (`b8.conv0`); drawn by default.
      draws: step → the normal numbers that, scaled, are added to w; drawn by default.
      seed: of what is drawn: image i draws from (seed, i), whatever else is in the batch.
    """
    config, n = model.config.generator, len(targets)
    layers = config.num_ws if settings.space == "w+" else 1
    places = _Places.for_images(n, config)
    program = _program(config, loss, settings, places.mesh)
    weights = places.replicate(_synthesis_weights(model))
    prior = places.replicate((space.center, space.whiten))
    wanted = [(program.describe(part), None) for part in places.split(targets)]
    if grey is not None:
        wanted = [(described, part) for (described, _), part in zip(wanted, places.split(grey), strict=True)]
    if begun is None:
        w = np.broadcast_to(space.mean, (n, layers, config.w_dim)) if start is None else start
        parameters: dict[str, Any] = {"w": np.array(w, np.float32)}
        if settings.noise_weight is not None:
            parameters["noise"] = dict(noise) if noise is not None else _drawn_noise(config, n, seed)
        zeros = jax.tree.map(np.zeros_like, parameters)
        begun = Standing(0, State(parameters, zeros, zeros))
    states = places.split(begun.state)
    drawn = draws or _drawn(seed, (n, layers, config.w_dim))
    for step in range(begun.step):
        drawn(step)  # what is drawn next follows from what was
    rates, spreads, t = settings.rates(), settings.spreads() * space.std, np.arange(1, settings.steps + 1)
    # Adam's corrections in float64: 1 - 0.999 in float32 is off by 6e-5
    sizes, roots = rates / (1 - _BETA1**t), np.sqrt(1 - _BETA2**t)
    for step in range(begun.step, settings.steps):
        scaled = np.asarray(drawn(step), np.float32) * np.float32(spreads[step])
        rate = np.array([sizes[step], roots[step]], np.float32)
        seen = []
        for i, moved in enumerate(places.split(scaled)):
            states[i], part = program.step(weights, prior, wanted[i], states[i], moved, rate)
            seen.append(part)
        yield Step(seen, n, functools.partial(_standing, step + 1, states, n))


@dataclass(frozen=True)
class _Places:
    """Where images are worked on: in parts, one after the other, each of `size` images on every device.

    A CPU is busy with a few images, and its caches hold no more; the memory of other devices limits them likewise.
    """

    mesh: Mesh
    parts: int
    size: int

    @classmethod
    def for_images(cls, n: int, config: GeneratorConfig) -> "_Places":
        """As many devices as there are images for, and equal parts; the last image is repeated to fill them."""
        devices = jax.local_devices()[:n]
        most = batching.choose(config, devices=1).batch
        most = most if devices[0].platform == "cpu" else max(1, most // 4)  # gradients keep every layer's features
        each = -(-n // len(devices))
        parts = -(-each // most)
        return cls(Mesh(np.array(devices), ("batch",), axis_types=(AxisType.Auto,)), parts, -(-each // parts))

    def replicate(self, tree: Tree) -> Tree:
        """One copy for every device."""
        return jax.device_put(tree, NamedSharding(self.mesh, P()))

    def split(self, tree: Tree) -> list[Tree]:
        """The parts of rows of images, filled up, and each divided over the devices."""
        step = self.mesh.size * self.size

        def part(rows: Any, i: int) -> np.ndarray:
            some = rows[i * step : (i + 1) * step]
            return np.concatenate([some, np.repeat(rows[-1:], step - len(some), 0)])

        parts = [jax.tree.map(functools.partial(part, i=i), tree) for i in range(self.parts)]
        return [jax.device_put(each, NamedSharding(self.mesh, P("batch"))) for each in parts]


def _standing(step: int, states: Sequence[State], n: int) -> Standing:
    host = jax.device_get(states)
    return Standing(step, jax.tree.map(lambda *parts: np.concatenate(parts)[:n], *host))


def _synthesis_weights(model: Model) -> Weights:
    return {name: leaf for name, leaf in model.networks["G_ema"].items() if name.startswith("synthesis.")}


def _drawn_noise(config: GeneratorConfig, n: int, seed: int) -> dict[str, np.ndarray]:
    sizes = noise_layers(config.resolutions)
    randoms = [np.random.RandomState([seed, i, 1]) for i in range(n)]
    return {name: np.stack([each.randn(r, r) for each in randoms]).astype(np.float32) for name, r in sizes.items()}


def _drawn(seed: int, shape: tuple[int, ...]) -> Callable[[int], np.ndarray]:
    randoms = [np.random.RandomState([seed, i, 2]) for i in range(shape[0])]
    return lambda step: np.stack([random.standard_normal(shape[1:]) for random in randoms])


@functools.lru_cache(maxsize=8)
def _program(config: GeneratorConfig, loss: Loss, settings: Settings, mesh: Mesh) -> _Program:
    """One step of every image of a part, compiled once for every target, weight and step."""

    def objective(parameters: Tree, weights: Weights, prior: Tree, wanted: Tree, moved: Array) -> Any:
        ws = jnp.broadcast_to(parameters["w"] + moved, (len(moved), config.num_ws, config.w_dim))
        images = synthesis(config, weights)(ws, noise=parameters.get("noise", "const"))
        described, grey = wanted
        if grey is not None:
            images = jnp.where(grey[:, None, None, None], in_grey(images), images)
        distance = loss.compare(loss.describe(images), described)
        total = distance
        if settings.noise_weight is not None:
            total = total + settings.noise_weight * sum(map(noise_penalty, parameters["noise"].values()))
        if settings.prior:
            total = total + settings.prior * jnp.square(in_p_n(ws, *prior)).mean((1, 2))
        return total.sum(), (distance, total)

    def step(weights: Weights, prior: Tree, wanted: Tree, state: State, moved: Array, rate: Array) -> Any:
        with jax.default_matmul_precision("highest"):
            gradients, (distance, total) = jax.grad(objective, has_aux=True)(
                state.parameters, weights, prior, wanted, moved
            )
        state = _adam(state, gradients, rate)
        return state, _Seen(state.parameters["w"], distance, total)

    each, all_ = P("batch"), P()
    shard = functools.partial(jax.shard_map, mesh=mesh, out_specs=each, check_vma=False)
    sharded = shard(step, in_specs=(all_, all_, each, each, each, all_))
    describe = shard(lambda pixels: loss.describe(to_float(pixels)), in_specs=each)
    return _Program(jax.jit(describe), jax.jit(sharded, donate_argnums=3))


def _adam(state: State, gradients: Tree, rate: Float[Array, " 2"]) -> State:
    """A step of Adam; `rate` holds its size and the root of the second correction. Noise images stay normalised."""
    size, root = rate
    first = jax.tree.map(lambda m, g: _BETA1 * m + (1 - _BETA1) * g, state.first, gradients)
    second = jax.tree.map(lambda v, g: _BETA2 * v + (1 - _BETA2) * g * g, state.second, gradients)
    parameters = jax.tree.map(
        lambda value, m, v: value - size * m / (jnp.sqrt(v) / root + _EPS), state.parameters, first, second
    )
    if "noise" in parameters:
        parameters["noise"] = jax.tree.map(_normalised, parameters["noise"])
    return State(parameters, first, second)


def _normalised(noise: Float[Array, "n r r"]) -> Float[Array, "n r r"]:
    noise = noise - noise.mean((1, 2), keepdims=True)
    return noise * jax.lax.rsqrt(jnp.square(noise).mean((1, 2), keepdims=True))
