"""The phases of one iteration, compiled: each takes the state, and returns it moved, with its statistics."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float, UInt8

from stylegan_jax import names
from stylegan_jax.networks.discriminator import discriminator
from stylegan_jax.networks.generators import generator
from stylegan_jax.pictures.images import to_float
from stylegan_jax.train import losses
from stylegan_jax.train.config import TrainConfig
from stylegan_jax.train.losses import Inputs, Setting, Stats
from stylegan_jax.train.state import Leaves, State, ada_adjust, adam, average, clean, ema_beta, track_w, trained

AXIS = "batch"
_PHASES = ("Gmain", "Greg", "Dmain", "Dreg")
Real = UInt8[Array, "n r r rgb"] | Float[Array, "n r r rgb"]


class Phases:
    """The compiled phases of one configuration on the devices of `mesh`: replicated state, split batch.

    Losses become global means inside the sharded function, so that their gradients are those of the whole batch on
    any number of devices.
    """

    def __init__(self, config: TrainConfig, mesh: Mesh, augment: Callable | None = None):
        self.config, self.mesh, self._augment = config, mesh, augment
        self.replicated = NamedSharding(mesh, P())
        self.split = NamedSharding(mesh, P(AXIS))
        jit = functools.partial(jax.jit, donate_argnums=0)
        self.precise = _quick if config.dtype == "bfloat16" else lambda phase: phase
        self.g_main, self.g_reg = jit(self.precise(self._g_main)), jit(self.precise(self._g_reg))
        self.d_main, self.d_reg = jit(self.precise(self._d_main)), jit(self.precise(self._d_reg))
        self.finish = jit(self._finish)
        self.draw = jax.jit(self._draw, static_argnums=(1,), out_shardings=self.split)

    def iterate(
        self, state: State, iteration: int, real: Real, c: Array, labels: Array
    ) -> tuple[State, dict[str, Array]]:
        """One whole iteration in the official order, the regularisations when they are due."""
        config, means = self.config, {}
        draw = lambda phase: self.draw(iteration, phase, labels)  # noqa: E731
        state, means["Gmain"] = self.g_main(state, draw("Gmain"))
        if iteration % config.g_reg_interval == 0 and config.pl_weight:
            state, means["Greg"] = self.g_reg(state, draw("Greg"))
        state, means["Dmain"] = self.d_main(state, draw("Dmain"), real, c)
        if iteration % config.d_reg_interval == 0 and config.r1_gamma:
            state, means["Dreg"] = self.d_reg(state, draw("Dreg").augment, real, c)
        return self.finish(state), {k: v for found in means.values() for k, v in found.items()}

    def iteration(self, state: State, real: Real, c: Array, labels: Array) -> tuple[State, dict[str, Array]]:
        """`iterate` as a pure function of the state, to be compiled into a longer program.

        A statistic of a regularisation that was not due is NaN.
        """
        config, means = self.config, {}

        def draw(phase: str) -> Inputs:
            return lax.with_sharding_constraint(self._draw(state.iteration, phase, labels), self.split)

        def when_due(interval: int, phase: Callable, state: State) -> tuple[State, dict[str, Array]]:
            skipped = jax.tree.map(lambda stat: jnp.full(stat.shape, jnp.nan), jax.eval_shape(phase, state)[1])
            return lax.cond(state.iteration % interval == 0, phase, lambda state: (state, skipped), state)

        state, means["Gmain"] = self._g_main(state, draw("Gmain"))
        if config.pl_weight:
            state, means["Greg"] = when_due(config.g_reg_interval, lambda s: self._g_reg(s, draw("Greg")), state)
        state, means["Dmain"] = self._d_main(state, draw("Dmain"), real, c)
        if config.r1_gamma:
            penalise = lambda s: self._d_reg(s, draw("Dreg").augment, real, c)  # noqa: E731
            state, means["Dreg"] = when_due(config.d_reg_interval, penalise, state)
        return self._finish(state), _merged(means)

    def _draw(self, iteration: Array, phase: str, labels: Float[Array, "m c"]) -> Inputs:
        """The random inputs of a phase: every sample has a key of its own, whatever device it is on."""
        config = self.config
        key = jax.random.fold_in(jax.random.key(config.seed), iteration)
        key = jax.random.fold_in(key, _PHASES.index(phase))
        n = config.batch // config.pl_batch_shrink if phase == "Greg" else config.batch
        keys = jax.vmap(lambda i: jax.random.split(jax.random.fold_in(key, i), 6))(jnp.arange(n))
        normal = lambda k, *shape: jax.vmap(lambda one: jax.random.normal(one, shape))(k)  # noqa: E731
        g = config.generator
        c = labels[jax.vmap(lambda k: jax.random.randint(k, (), 0, labels.shape[0]))(keys[:, 4])]
        mixing = config.style_mixing > 0
        return Inputs(
            z=normal(keys[:, 0], g.z_dim),
            c=c,
            mix=normal(keys[:, 1], g.z_dim) if mixing else None,
            cutoff=jnp.full(n, self._cutoff(key)) if mixing else None,
            noise=keys[:, 2],
            augment=keys[:, 3] if config.augment != "none" else None,
            pl_noise=normal(keys[:, 5], g.img_resolution, g.img_resolution, g.img_channels)
            if phase == "Greg"
            else None,
            r_swap=jnp.full(n, self._r_swap(key)) if config.blend_share and phase != "Greg" else None,
        )

    def _r_swap(self, key: Array) -> Array:
        """Up to which resolution this iteration's images come from G: all the way, or that of a blend."""
        blends = jax.random.uniform(jax.random.fold_in(key, (1 << 30) + 1)) < self.config.blend_share
        swap = jax.random.choice(jax.random.fold_in(key, (1 << 30) + 2), jnp.array(self.config.blend_swap))
        return jnp.where(blends, swap, self.config.generator.img_resolution)

    def _cutoff(self, key: Array) -> Array:
        """The layer from which on the second latent counts: one for the batch."""
        layers = self.config.generator.num_ws
        mixed, cutoff = jax.random.split(jax.random.fold_in(key, 1 << 30))
        mixes = jax.random.uniform(mixed) < self.config.style_mixing
        return jnp.where(mixes, jax.random.randint(cutoff, (), 1, layers), layers)

    def _setting(self, p: Array, *, exact: bool = False) -> Setting:
        """How this configuration augments, scores and averages; `exact` is float32 whatever the configuration says."""
        augment = losses.no_augment if self._augment is None else functools.partial(self._augment_if, p=p)
        mean = lambda x: lax.pmean(jnp.mean(x), AXIS)  # noqa: E731
        dtype = jnp.dtype("float32" if exact else self.config.dtype)
        return Setting(augment, self.config.chunk, mean, dtype)

    def _augment_if(self, images: Array, keys: Array, *, p: Array) -> Array:
        """Augmentation as long as its probability is above 0: it costs as much as D does, and p often rests at 0."""
        assert self._augment is not None
        apply = functools.partial(self._augment, p=p, axis_name=AXIS)
        return lax.cond(p > 0, apply, losses.no_augment, images, keys)

    def _gradients(self, loss: Callable, leaves: Leaves, frozen: frozenset[str], rest: Any, batch: Any, gain: float):
        """Gradients of the global loss with respect to the trained leaves, and the statistics."""
        moving = trained(leaves, frozen)
        fixed = {k: v for k, v in leaves.items() if k not in moving}

        def local(moving: Leaves, fixed: Leaves, rest: Any, batch: Any) -> tuple[Array, Stats]:
            # All of it varies from here on: the transpose of this cast is the sum over devices.
            moving, fixed, rest = lax.pcast((moving, fixed, rest), AXIS, to="varying")
            value, stats = loss({**fixed, **moving}, rest, batch)
            return value * gain, stats

        whole = jax.shard_map(local, mesh=self.mesh, in_specs=(P(), P(), P(), P(AXIS)), out_specs=P())
        (value, stats), gradients = jax.value_and_grad(whole, has_aux=True)(moving, fixed, rest, batch)
        return {k: clean(v) for k, v in gradients.items()}, stats, value

    def _move_g(self, state: State, gradients: Leaves, stats: Stats, value: Array) -> tuple[State, dict[str, Array]]:
        config, steps = self.config, state.g_steps + 1
        lr, beta2 = _lazy(config.g_lr, config.beta2, config.g_reg_interval)
        G, second = adam(state.G, gradients, state.g_second, steps, lr=lr, beta2=beta2, eps=config.eps)
        G = track_w(G, stats.w_mean, config.generator.w_avg_beta)
        pl_mean = state.pl_mean if stats.pl_mean is None else stats.pl_mean
        state = state._replace(G=G, g_second=second, g_steps=steps, pl_mean=pl_mean)
        return _note(state, value), stats.means

    def _move_d(self, state: State, gradients: Leaves, stats: Stats, value: Array) -> tuple[State, dict[str, Array]]:
        config, steps = self.config, state.d_steps + 1
        lr, beta2 = _lazy(config.d_lr, config.beta2, config.d_reg_interval)
        D, second = adam(state.D, gradients, state.d_second, steps, lr=lr, beta2=beta2, eps=config.eps)
        G = track_w(state.G, stats.w_mean, config.generator.w_avg_beta)
        signs = state.sign_sum + stats.means["signs/real"], state.sign_count + 1
        state = state._replace(G=G, D=D, d_second=second, d_steps=steps, sign_sum=signs[0], sign_count=signs[1])
        return _note(state, value), stats.means

    def _g_main(self, state: State, inputs: Inputs) -> tuple[State, dict[str, Array]]:
        def loss(G: Leaves, rest: tuple, inputs: Inputs):
            D, partner, p = rest
            return losses.g_main(self._shown(G, partner, inputs), self._D(D), inputs, setting=self._setting(p))

        rest = (state.D, state.partner, state.ada_p)
        found = self._gradients(loss, state.G, self.config.frozen_of("G"), rest, inputs, 1)
        return self._move_g(state, *found)

    def _g_reg(self, state: State, inputs: Inputs) -> tuple[State, dict[str, Array]]:
        config = self.config

        def loss(G: Leaves, rest: tuple, inputs: Inputs):
            pl_mean, p = rest
            pl_mean = lax.pmean(pl_mean, AXIS)  # equal on all devices, which the cast above made JAX forget
            strength = {"weight": config.pl_weight, "decay": config.pl_decay}
            return losses.g_reg(self._G(G), inputs, pl_mean, **strength, setting=self._setting(p, exact=True))

        rest = (state.pl_mean, state.ada_p)
        found = self._gradients(loss, state.G, config.frozen_of("G"), rest, inputs, config.g_reg_interval)
        return self._move_g(state, *found)

    def _d_main(self, state: State, inputs: Inputs, real: Real, c: Array) -> tuple[State, dict[str, Array]]:
        def loss(D: Leaves, rest: tuple, batch: tuple):
            (G, partner, p), (inputs, real, c) = rest, batch
            shown = self._shown(G, partner, inputs)
            return losses.d_main(shown, self._D(D), inputs, to_float(real), c, setting=self._setting(p))

        rest = (state.G, state.partner, state.ada_p)
        found = self._gradients(loss, state.D, self.config.frozen_of("D"), rest, (inputs, real, c), 1)
        return self._move_d(state, *found)

    def _d_reg(self, state: State, keys: Array | None, real: Real, c: Array) -> tuple[State, dict[str, Array]]:
        config = self.config

        def loss(D: Leaves, p: Array, batch: tuple):
            keys, real, c = batch
            setting = self._setting(p, exact=True)
            return losses.d_reg(self._D(D), to_float(real), c, keys, gamma=config.r1_gamma, setting=setting)

        found = self._gradients(
            loss, state.D, config.frozen_of("D"), state.ada_p, (keys, real, c), config.d_reg_interval
        )
        return self._move_d(state, *found)

    def _finish(self, state: State) -> State:
        """The moving average and, when it is due, the augmentation's controller."""
        config = self.config
        G_ema = average(state.G, state.G_ema, ema_beta(config, state.iteration))
        state = state._replace(G_ema=G_ema, iteration=state.iteration + 1)
        if config.augment != "ada":
            return state
        due = state.iteration % config.ada_interval == 0
        return jax.tree.map(functools.partial(jnp.where, due), ada_adjust(config, state), state)

    def _shown(self, leaves: Leaves, partner: Leaves, inputs: Inputs):
        """G, or where the inputs say so its blend, whose upper layers are the partner's and learn nothing."""
        if inputs.r_swap is None:
            return self._G(leaves)
        above = {name: (names.resolution_of(name) or 0) > inputs.r_swap[0] for name in partner}
        return self._G(leaves | {name: jnp.where(above[name], leaf, leaves[name]) for name, leaf in partner.items()})

    def _G(self, leaves: Leaves):
        return generator(self.config.generator, leaves)

    def _D(self, leaves: Leaves):
        return discriminator(self.config.scorer, leaves)


def _merged(means: dict[str, dict[str, Array]]) -> dict[str, Array]:
    """Of all phases; what two report under one name is the later one's, unless that was not due."""
    merged: dict[str, Array] = {}
    for found in means.values():
        for name, value in found.items():
            merged[name] = jnp.where(jnp.isnan(value), merged[name], value) if name in merged else value
    return merged


def _quick(phase: Callable) -> Callable:
    """A phase whose float32 convolutions take the backend's short products: who asks for bfloat16 wants speed."""

    @functools.wraps(phase)
    def run(*arguments: Any) -> Any:
        with jax.default_matmul_precision("default"):
            return phase(*arguments)

    return run


def _lazy(lr: float, beta2: float, interval: int) -> tuple[float, float]:
    """Learning rate and β₂ where a regularisation runs every `interval` iterations as a step of its own."""
    share = interval / (interval + 1)
    return lr * share, beta2**share


def _note(state: State, value: Array) -> State:
    """Keeps the first iteration whose loss was no number (its gradients were zeroed, so nothing else would show it)."""
    bad = (state.bad_step < 0) & ~jnp.isfinite(value)
    return state._replace(bad_step=jnp.where(bad, state.iteration, state.bad_step))
