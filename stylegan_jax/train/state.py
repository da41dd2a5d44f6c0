"""The training state and the arithmetic that moves it: Adam, gradient hygiene, moving averages."""

from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from stylegan_jax import names
from stylegan_jax.networks.discriminator import Discriminator
from stylegan_jax.networks.generators import initial_generator
from stylegan_jax.networks.layers import Weights, initial_weights
from stylegan_jax.train.augment.ada import update_p
from stylegan_jax.train.config import TrainConfig

Leaves = dict[str, Array]


class State(NamedTuple):
    """All that training carries from one iteration to the next; a checkpoint holds exactly this.

    `g_second`, `d_second` are Adam's second moments (β₁ = 0 needs no first); `bad_step` is the first iteration whose
    loss was no number, -1 while there is none; `partner` has the upper layers of the generator that the blends of
    `blend_share` are made with.
    """

    G: Leaves
    D: Leaves
    G_ema: Leaves
    g_second: Leaves
    d_second: Leaves
    g_steps: Int[Array, ""]
    d_steps: Int[Array, ""]
    pl_mean: Float[Array, ""]
    ada_p: Float[Array, ""]
    sign_sum: Float[Array, ""]
    sign_count: Float[Array, ""]
    iteration: Int[Array, ""]
    bad_step: Int[Array, ""]
    partner: Leaves


def initial_state(config: TrainConfig) -> State:
    """Fresh networks from the configuration's seed; G_ema starts as a copy of G."""
    g_key, d_key = jax.random.split(jax.random.key(config.seed))
    G = initial_generator(config.generator, g_key)
    return start(config, G, initial_weights(Discriminator, config.discriminator, d_key), G)


def start(config: TrainConfig, G: Weights, D: Weights, G_ema: Weights, partner: Weights | None = None) -> State:
    """The state at iteration 0 of a run that begins with these networks.

    `partner` is the generator that blends are made with where the configuration trains some; by default `G_ema`.
    """
    number, integer = jnp.float32, jnp.int32
    return State(
        G=_arrays(G),
        D=_arrays(D),
        G_ema=_arrays(G_ema),
        g_second=zeros_like(trained(G, config.frozen_of("G"))),
        d_second=zeros_like(trained(D, config.frozen_of("D"))),
        g_steps=jnp.zeros((), integer),
        d_steps=jnp.zeros((), integer),
        pl_mean=jnp.zeros((), number),
        ada_p=jnp.array(config.augment_p if config.augment != "none" else 0, number),
        sign_sum=jnp.zeros((), number),
        sign_count=jnp.zeros((), number),
        iteration=jnp.zeros((), integer),
        bad_step=jnp.array(-1, integer),
        partner=_arrays({name: (partner or G_ema)[name] for name in upper_layers(config)}),
    )


def upper_layers(config: TrainConfig) -> list[str]:
    """The trained tensors of the generator that are the partner's in the blend that is trained, if one is."""
    if not config.blend_share:
        return []
    layout = names.generator_layout(config.generator)
    return [n for n in layout if (names.resolution_of(n) or 0) > min(config.blend_swap) and not names.is_buffer(n)]


def _arrays(leaves: Weights) -> Leaves:
    """Copies: training donates them."""
    return {name: jnp.array(leaf, copy=True) for name, leaf in leaves.items()}


def trained(leaves: Weights, frozen: frozenset[str]) -> dict[str, Any]:
    """The leaves that the optimiser moves: neither buffers nor frozen."""
    return {name: leaf for name, leaf in leaves.items() if not names.is_buffer(name) and name not in frozen}


def zeros_like(leaves: Weights) -> Leaves:
    """Zeros of the same names and shapes."""
    return {name: jnp.zeros_like(leaf) for name, leaf in leaves.items()}


def clean(gradient: Array) -> Array:
    """NaN → 0, ±∞ → ±1e5, as the official loop does before every step."""
    return jnp.nan_to_num(gradient, nan=0.0, posinf=1e5, neginf=-1e5)


def adam(
    leaves: Leaves, gradients: Leaves, second: Leaves, steps: Array, *, lr: float, beta2: float, eps: float
) -> tuple[Leaves, Leaves]:
    """One step of Adam with β₁ = 0 → (moved leaves, second moments); `steps` counts this step too.

    It is optax's RMSProp with Adam's correction: optax's Adam would carry a first moment, which is the gradient.
    """
    rule = optax.scale_by_rms(beta2, eps, eps_in_sqrt=False, bias_correction=True)
    before: Any = rule.init(second)
    after: Any
    with jax.numpy_dtype_promotion("standard"):
        moved = {name: gradients[name] for name in second}
        updates, after = rule.update(moved, before._replace(count=steps - 1, nu=second))
        moved = optax.apply_updates({name: leaves[name] for name in moved}, jax.tree.map(lambda u: -lr * u, updates))
    return {**leaves, **cast(Leaves, moved)}, after.nu


def ema_beta(config: TrainConfig, iteration: Array) -> Array:
    """Share of the old average: ½^(batch / ema_nimg), ema_nimg growing with the images seen where a ramp-up is set."""
    nimg = jnp.float32(config.ema_kimg * 1000)
    if config.ema_rampup is not None:
        nimg = jnp.minimum(nimg, iteration.astype(jnp.float32) * (config.batch * config.ema_rampup))
    return jnp.float32(0.5) ** (config.batch / jnp.maximum(nimg, 1e-8))


def average(G: Leaves, G_ema: Leaves, beta: Array) -> Leaves:
    """The moving average of the parameters; buffers are copied."""
    return {k: v if names.is_buffer(k) else v + (G_ema[k] - v) * beta for k, v in G.items()}


def track_w(G: Leaves, w_mean: Array | None, beta: float | None) -> Leaves:
    """G with `w_avg` moved towards the mean w of a batch."""
    if w_mean is None or beta is None:
        return G
    return {**G, "mapping.w_avg": w_mean + beta * (G["mapping.w_avg"] - w_mean)}


def ada_adjust(config: TrainConfig, state: State) -> State:
    """Moves the augmentation probability by one fixed step towards the target sign of D on real images."""
    r = state.sign_sum / jnp.maximum(state.sign_count, 1)
    p = update_p(
        state.ada_p,
        r,
        batch=config.batch,
        interval=config.ada_interval,
        ada_kimg=config.ada_kimg,
        target=config.ada_target,
    )
    return state._replace(ada_p=p, sign_sum=jnp.zeros_like(r), sign_count=jnp.zeros_like(r))
