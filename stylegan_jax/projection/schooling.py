"""The training of an encoder: on samples of its model, whose ws are known, and on photographs where there are some."""

import functools
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Float, UInt8

from stylegan_jax.config import GeneratorConfig, check_square
from stylegan_jax.errors import InputError
from stylegan_jax.networks.generators import synthesis
from stylegan_jax.networks.layers import Weights, initial_weights
from stylegan_jax.projection import lessons
from stylegan_jax.projection.encoder import SMALLEST, Encoder, EncoderConfig, EncoderFile, as_seen
from stylegan_jax.projection.latentspace import from_p_n, latent_space, widest
from stylegan_jax.projection.lessons import AXIS, Fixed, Fresh, Learner, Weighing
from stylegan_jax.projection.losses import scattering_loss
from stylegan_jax.sampler import latents
from stylegan_jax.storage import checkpoint
from stylegan_jax.storage.checkpoint import Model

USUAL = Weighing()
_RISING = 50  # steps
_FALLING = 0.3  # of the whole: from here on the learning rate goes to 0, by half a cosine
_BUFFERS = ("center", "unwhiten")


@runtime_checkable
class Photographs(Protocol):
    """Pictures of the model's size, aligned as its images: a `Dataset` of the training, for one."""

    def __len__(self) -> int: ...

    def image(self, index: int) -> UInt8[np.ndarray, "r r c"]:
        """The pixels of one."""
        ...


@dataclass(frozen=True, kw_only=True)
class Schooling:
    """How an encoder is trained.

    Attributes:
      kimg: thousands of looks at a picture: as many images of the model are compared.
      minutes: an end before that; the learning rate falls towards whichever end is nearer.
      batch: looks of a step; a multiple of the rounds.
      rounds: how often it looks at each picture, from its second look on beside its own last answer.
      rate: learning rate.
      seed: of all that is drawn.
      weighing: what counts in the loss.
    """

    kimg: float = 200.0
    minutes: float | None = None
    batch: int = 16
    rounds: int = 2
    rate: float = 3e-3
    seed: int = 0
    weighing: Weighing = USUAL

    def check(self) -> None:
        """Raises InputError for a batch that the rounds do not divide."""
        if self.batch % self.rounds:
            down = max(self.batch - self.batch % self.rounds, self.rounds)
            raise InputError(f"a batch of {self.batch} does not split into {self.rounds} rounds", f"use --batch {down}")

    def rate_at(self, step: int, share: float) -> float:
        """The learning rate of a step, of the whole training's `share`."""
        falling = max(0.0, (share - _FALLING) / (1 - _FALLING))
        return self.rate * min(1, (step + 1) / _RISING) * (0.5 + 0.5 * math.cos(math.pi * min(falling, 1)))


@dataclass(frozen=True, eq=False)
class Lesson:
    """Where a training stands after a step.

    Attributes:
      looks: at pictures, until now.
      share: of the whole training.
      stats: means over the batch: the terms of the loss, and "rounds", the distance of pictures after each round.
      encoder: gives what could be used now, until the next step is asked for.
    """

    looks: int
    share: float
    stats: Mapping[str, Any]
    encoder: Callable[[], EncoderFile]


def school(
    model: Model,
    settings: Schooling,
    *,
    photographs: Photographs | None = None,
    start: EncoderFile | None = None,
    lineage: Mapping[str, Any] | None = None,
) -> Iterator[Lesson]:
    """Yields every step of an encoder's training until `settings` end it, or the caller does.

    Args:
      model: its G_ema; conditional ones show random classes.
      settings: how.
      photographs: half of the pictures are those then.
      start: an encoder to train on, with fresh moments of the optimiser; random weights by default.
      lineage: what the file shall say beside what is known here.

    Raises InputError for a model whose images are too small, and where a loss is no number.
    """
    config = model.config.generator
    check_square(config, "an encoder")
    if config.img_resolution < SMALLEST:
        raise InputError(f"an encoder needs images of {SMALLEST} pixels or more", "use a larger model")
    settings.check()
    chosen = EncoderConfig.for_generator(config) if start is None else start.config
    before = 0 if start is None else int(start.lineage.get("looks") or 0)
    fixed, weights = _beginning(model, chosen, settings.seed, start)
    group = settings.batch // settings.rounds
    split, same = _placements(group, halved=photographs is not None)
    run = lessons.program(config, chosen, scattering_loss(), settings.weighing, split.mesh)  # type: ignore[arg-type]
    fixed = jax.device_put(fixed, same)
    moving = Learner(weights, lessons.first_moments(weights), lessons.empty(config, chosen, settings.batch))
    learner = jax.device_put(moving, Learner(same, same, split))  # type: ignore[arg-type]
    draw = _Draws(model, group, photographs, [settings.seed, before % (1 << 32)])  # as much as a seed holds
    told = {**(lineage or {}), "settings": {**vars(settings), "weighing": vars(settings.weighing)}}

    def file(weights: Weights, looks: int) -> EncoderFile:
        held: dict[str, Any] = jax.device_get({**weights, **fixed.buffers})
        return EncoderFile(chosen, held, checkpoint.fingerprint(model), {**told, "looks": looks})

    begun, looks, share, step = time.monotonic(), 0, 0.0, 0
    while share < 1:
        rate = np.float32(settings.rate_at(step, share))
        learner, stats = run(fixed, learner, jax.device_put(draw(step), split), jax.device_put(rate, same))
        step, looks = step + 1, looks + settings.batch
        stats = jax.device_get(stats)
        if not all(np.isfinite(value).all() for value in stats.values()):
            raise InputError(f"a loss was no number at step {step}", "use a lower --lr")
        passed = (time.monotonic() - begun) / 60
        share = max(looks / (1000 * settings.kimg), passed / settings.minutes if settings.minutes else 0)
        yield Lesson(before + looks, min(share, 1), stats, functools.partial(file, learner.weights, before + looks))


def _beginning(
    model: Model, config: EncoderConfig, seed: int, start: EncoderFile | None
) -> tuple[Fixed, dict[str, np.ndarray]]:
    """What stays, and the weights that begin."""
    conditional = model.config.generator.c_dim > 0
    space = latent_space(model, "random" if conditional else None)
    if start is None:
        drawn = jax.device_get(initial_weights(Encoder, config, jax.random.key(seed)))
        held = {**drawn, "center": space.center, "unwhiten": widest(space, config.rank)[1]}
    else:
        held = dict(start.weights)
    buffers = {name: np.asarray(held.pop(name), np.float32) for name in _BUFFERS}
    weights: Weights = {name: np.asarray(leaf, np.float32) for name, leaf in model.networks["G_ema"].items()}
    shown = mean_shown(model.config.generator, config, weights, buffers)
    fixed: Any = Fixed(weights, space.mean, np.float32(space.std), buffers, shown)  # type: ignore[arg-type]
    return fixed, {name: np.asarray(leaf, np.float32) for name, leaf in held.items()}


def mean_shown(
    model: GeneratorConfig, config: EncoderConfig, weights: Weights, buffers: Weights
) -> Float[np.ndarray, "1 s s c"]:
    """What an encoder sees beside a picture at its first look: what the model makes of the middle of P_N."""

    @jax.jit
    def show(weights: Weights, buffers: Weights) -> jax.Array:
        places = jnp.zeros((1, config.num_ws, config.rank))
        ws = from_p_n(places, jnp.asarray(buffers["center"]), jnp.asarray(buffers["unwhiten"]))
        return as_seen(synthesis(model, weights)(ws))

    return np.asarray(show(weights, buffers))


def _placements(group: int, *, halved: bool) -> tuple[NamedSharding, NamedSharding]:
    """Split over the batch, and the same everywhere: on the most local devices that divide a group of fresh pictures.

    Of two halves, the model's samples and the photographs, they divide both.
    """
    devices, parts = jax.local_devices(), (group // 2, group - group // 2) if halved else (group,)
    count = max(n for n in range(1, len(devices) + 1) if all(part % n == 0 for part in parts))
    mesh = Mesh(np.array(devices[:count]), (AXIS,), axis_types=(AxisType.Auto,))
    return NamedSharding(mesh, P(AXIS)), NamedSharding(mesh, P())


class _Draws:
    """Step → what it begins with, of the seed and the step alone."""

    def __init__(self, model: Model, group: int, photographs: Photographs | None, seed: list[int]):
        config = model.config.generator
        self._photographs, self._group, self._seed, self._c_dim = photographs, group, seed, config.c_dim
        self._shape = (config.img_resolution, config.img_resolution, config.img_channels)
        self._label: latents.Label = latents.drawn_from(model.lineage, "random" if config.c_dim else None)

    def __call__(self, step: int) -> Fresh:
        random = np.random.RandomState([*self._seed, step])
        samples = self._group if self._photographs is None else self._group - self._group // 2
        keys = jax.random.split(jax.random.key(random.randint(1 << 31)), samples + self._group)
        labels = latents.labels_of(self._label, random.randint(0, 1 << 31, samples).tolist(), self._c_dim)
        pictures = np.zeros((self._group - samples, *self._shape), np.uint8)
        for picture in pictures:
            assert self._photographs is not None
            picture[:] = self._photographs.image(random.randint(len(self._photographs)))
        return Fresh(keys[:samples], labels, pictures, keys[samples:])  # type: ignore[arg-type]
