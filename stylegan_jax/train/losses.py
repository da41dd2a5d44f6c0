"""The training losses of StyleGAN2: one small function per equation, then the four phases built from them.

Images are batches in [-1, 1].

Everything here sees one device's share of the batch; `mean` makes global means of local ones where there are several.
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int, Key

from stylegan_jax.networks.discriminator import Discriminator
from stylegan_jax.networks.stylegan2 import Generator

Images = Float[Array, "n r r rgb"]
Logits = Float[Array, "n 1"]
Augment = Callable[[Images, Key[Array, " n"]], Images]
Mean = Callable[[Array], Array]


class Inputs(NamedTuple):
    """What one phase feeds the generator: latents, labels and keys of each sample.

    `mix` replaces `z` from layer `cutoff` on (None: no style mixing); `noise` None means the stored noise images;
    `r_swap` is the resolution up to which layers are G's, the same for all: its own is G itself, a lower one a
    blend (None: always G).
    """

    z: Float[Array, "n z"]
    c: Float[Array, "n c"]
    mix: Float[Array, "n z"] | None = None
    cutoff: Int[Array, " n"] | None = None
    noise: Key[Array, " n"] | None = None
    augment: Key[Array, " n"] | None = None
    pl_noise: Images | None = None
    r_swap: Int[Array, " n"] | None = None


class Stats(NamedTuple):
    """What a phase reports: global means by name, and the mean w of its batch (for `w_avg`)."""

    means: dict[str, Float[Array, ""]]
    w_mean: Float[Array, " d"] | None = None
    pl_mean: Float[Array, ""] | None = None


def no_augment(images: Images, keys: Key[Array, " n"] | None) -> Images:
    """The images as they are."""
    return images


def generator_loss(fake: Logits) -> Logits:
    """Non-saturating loss: -log σ(D(G(z)))."""
    return jax.nn.softplus(-fake)


def discriminator_loss(fake: Logits, real: Logits) -> Logits:
    """Logistic loss: -log(1 - σ(D(G(z)))) - log σ(D(x))."""
    return jax.nn.softplus(fake) + jax.nn.softplus(-real)


def r1_penalty(score: Callable[[Images], Logits], images: Images) -> tuple[Float[Array, " n"], Logits]:
    """|∇ D(x)|² of each image, and the logits; `score` includes the augmentation, `images` come before it."""
    logits, pullback = jax.vjp(score, images)
    (gradient,) = pullback(jnp.ones_like(logits))
    return jnp.sum(jnp.square(gradient), (1, 2, 3)), logits


def path_lengths(
    synthesis: Callable[[Float[Array, "n l d"]], Images], ws: Float[Array, "n l d"], noise: Images
) -> Float[Array, " n"]:
    """√(mean over layers of |Jᵀy|²) of each sample, with y = noise / √(pixels): StyleGAN2, section 3.2."""
    _, pullback = jax.vjp(synthesis, ws)
    (gradient,) = pullback(noise / math.sqrt(noise.shape[1] * noise.shape[2]))
    return jnp.sqrt(jnp.mean(jnp.sum(jnp.square(gradient), 2), 1))


def in_chunks(discriminator: Discriminator, images: Images, c: Array, *, size: int, dtype: DTypeLike) -> Logits:
    """Logits with the minibatch statistic taken inside consecutive chunks of `size` samples.

    The epilogue groups samples that lie a fixed stride apart; a transposition gives it those of one chunk. The
    network's own group size must not exceed `size` (`TrainConfig.scorer` sees to it).
    """
    n, chunk, group = images.shape[0], min(size, images.shape[0]), discriminator.b4.group_size or size
    order = jnp.arange(n).reshape(n // chunk, group, chunk // group).transpose(1, 0, 2).reshape(-1)
    trivial = n == chunk
    x, labels = (images, c) if trivial else (images[order], c[order])
    logits = discriminator(x, labels, dtype=dtype)
    return logits if trivial else jnp.zeros_like(logits).at[order].set(logits, unique_indices=True)


def styles_of(generator: Generator, inputs: Inputs) -> tuple[Float[Array, "n l d"], Float[Array, "n d"]]:
    """ws with style mixing, and the w before it."""
    w = generator.mapping(inputs.z, inputs.c)
    layers = generator.synthesis.num_ws
    ws = jnp.broadcast_to(w[:, None], (w.shape[0], layers, w.shape[1]))
    if inputs.mix is not None and inputs.cutoff is not None:
        late = jnp.arange(layers)[None, :] >= inputs.cutoff[:, None]
        ws = jnp.where(late[..., None], generator.mapping(inputs.mix, inputs.c)[:, None], ws)
    return ws, w


def synthesize(generator: Generator, inputs: Inputs, dtype: DTypeLike) -> tuple[Images, Float[Array, "n d"]]:
    """Training images (before augmentation), and their w."""
    ws, w = styles_of(generator, inputs)
    return generator.synthesis(ws, noise=_noise(inputs), dtype=dtype), w


def _noise(inputs: Inputs):
    return "const" if inputs.noise is None else inputs.noise


class Setting(NamedTuple):
    """What all phases share: how images are augmented and scored, and how means are taken over devices.

    `dtype` is that of the convolutions from `num_fp16_res` on. Always float32: mapping, styles, demodulation, the sum
    of the RGB images, the 4×4 blocks, minibatch statistic, augmentation, losses, both regularisations (they square
    gradients and differentiate them again), Adam and the averages. Measured on a trained 32×32 model with bfloat16 in
    all blocks from 8×8 on: Gmain's loss moves by 0.24 %, its gradients by 1.5 % (median over tensors; the direction of
    the worst by a cosine of 0.94).
    """

    augment: Augment = no_augment
    chunk: int = 1 << 30
    mean: Mean = jnp.mean
    dtype: DTypeLike = jnp.float32

    def score(self, discriminator: Discriminator, images: Images, c: Array, keys: Key[Array, " n"] | None) -> Logits:
        """Logits of augmented images."""
        images = self.augment(images, keys) if keys is not None else images
        return in_chunks(discriminator, images, c, size=self.chunk, dtype=self.dtype)


def g_main(generator: Generator, discriminator: Discriminator, inputs: Inputs, *, setting: Setting):
    """Phase Gmain: the loss of G, and its statistics."""
    images, w = synthesize(generator, inputs, setting.dtype)
    fake = setting.score(discriminator, images, inputs.c, inputs.augment)
    loss = setting.mean(generator_loss(fake))
    return loss, Stats({"G/loss": loss, **_scores("fake", fake, setting.mean)}, _w_mean(w, setting.mean))


def g_reg(
    generator: Generator, inputs: Inputs, pl_mean: Float[Array, ""], *, weight: float, decay: float, setting: Setting
):
    """Phase Greg: path-length regularisation; gradients flow through the running mean's newest part, as official."""
    ws, w = styles_of(generator, inputs)
    assert inputs.pl_noise is not None
    synthesis = functools.partial(generator.synthesis, noise=_noise(inputs), dtype=setting.dtype)
    lengths = path_lengths(synthesis, ws, inputs.pl_noise)
    pl_mean = pl_mean + decay * (setting.mean(lengths) - pl_mean)
    penalty = setting.mean(jnp.square(lengths - pl_mean))
    means = {"pl_penalty": penalty, "G/reg": penalty * weight}
    return penalty * weight, Stats(means, _w_mean(w, setting.mean), pl_mean)


def d_main(
    generator: Generator, discriminator: Discriminator, inputs: Inputs, real: Images, c: Array, *, setting: Setting
):
    """Phase Dmain: the loss of D, which sees as many fake as real images in one pass.

    The minibatch statistic of each is taken by itself.
    """
    images, w = synthesize(generator, inputs, setting.dtype)
    both = jnp.concatenate([jax.lax.stop_gradient(images), real])
    keys = None if inputs.augment is None else jnp.concatenate([inputs.augment, _other(inputs.augment)])
    alone = setting._replace(chunk=min(setting.chunk, real.shape[0]))
    fake, real_logits = jnp.split(alone.score(discriminator, both, jnp.concatenate([inputs.c, c]), keys), 2)
    loss = setting.mean(discriminator_loss(fake, real_logits))
    scores = _scores("fake", fake, setting.mean) | _scores("real", real_logits, setting.mean)
    return loss, Stats({"D/loss": loss, **scores}, _w_mean(w, setting.mean))


def d_reg(
    discriminator: Discriminator,
    real: Images,
    c: Array,
    keys: Key[Array, " n"] | None,
    *,
    gamma: float,
    setting: Setting,
):
    """Phase Dreg: R1, gamma/2 · |∇ D(x)|²."""
    penalty, logits = r1_penalty(lambda x: setting.score(discriminator, x, c, keys), real)
    mean = setting.mean(penalty)
    means = {"r1_penalty": mean, "D/reg": mean * (gamma / 2), **_scores("real", logits, setting.mean)}
    return mean * (gamma / 2), Stats(means)


def _other(keys: Key[Array, " n"]) -> Key[Array, " n"]:
    """Real images are augmented independently of the fake ones."""
    return jax.vmap(lambda key: jax.random.fold_in(key, 1))(keys)


def _scores(which: str, logits: Logits, mean: Mean) -> dict[str, Array]:
    return {f"scores/{which}": mean(logits), f"signs/{which}": mean(jnp.sign(logits))}


def _w_mean(w: Float[Array, "n d"], mean: Mean) -> Float[Array, " d"]:
    return jax.vmap(mean, 1)(jax.lax.stop_gradient(w))
