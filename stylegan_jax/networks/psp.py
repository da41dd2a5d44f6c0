"""The encoder of the pSp family: an IR-SE body, a feature pyramid of three maps, and a head of convolutions for each w.

Richardson et al. 2021, "Encoding in Style"; Tov et al. 2021, "Designing an Encoder for StyleGAN Image Manipulation".
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from stylegan_jax.networks.layers import Weights
from stylegan_jax.networks.ops import conv2d, dense
from stylegan_jax.psp import PspConfig

Maps = Float[Array, "n h w c"]
Found = Float[Array, "n h2 w2 o"]
_EPS = 1e-5
_SLOPE = 0.01


def ws_of(config: PspConfig, weights: Weights, images: Float[Array, "n 256 256 3"]) -> Float[Array, "n l d"]:
    """The ws of images in [-1, 1], less their average."""
    levels = _pyramid(config, weights, images)
    heads = [_head(weights, f"styles.{i}", levels[config.level(i)]) for i in range(config.num_ws)]
    ws = jnp.stack(heads, 1)
    return ws.at[:, 1:].add(ws[:, :1]) if config.offsets else ws


def _pyramid(config: PspConfig, weights: Weights, images: Maps) -> list[Array]:
    """Maps of 1/16, 1/8 and 1/4 of the image, each finer one with the coarser added."""
    x = _norm(weights, "input_layer.1", _conv(weights, "input_layer.0", images))
    x = _prelu(weights, "input_layer.2", x)
    found, ends = [], np.cumsum(config.units)
    for i, (_, _, stride) in enumerate(config.blocks):
        x = _unit(weights, f"body.{i}", x, stride)
        found += [x] if i + 1 in ends else []
    _, fine, middle, coarse = found
    middle = _enlarged(coarse) + _conv(weights, "latlayer1", middle, padding=0)
    return [coarse, middle, _enlarged(middle) + _conv(weights, "latlayer2", fine, padding=0)]


def _unit(weights: Weights, name: str, x: Maps, stride: int) -> Found:
    """Two convolutions, squeezed and excited (Hu et al. 2018), beside a shortcut."""
    y = _conv(weights, f"{name}.res_layer.1", _norm(weights, f"{name}.res_layer.0", x))
    y = _conv(weights, f"{name}.res_layer.3", _prelu(weights, f"{name}.res_layer.2", y), stride=stride)
    y = _norm(weights, f"{name}.res_layer.4", y)
    squeezed = _conv(weights, f"{name}.res_layer.5.fc1", y.mean((1, 2), keepdims=True), padding=0)
    excited = _conv(weights, f"{name}.res_layer.5.fc2", jax.nn.relu(squeezed), padding=0)
    if f"{name}.shortcut_layer.0.weight" in weights:
        x = _norm(
            weights,
            f"{name}.shortcut_layer.1",
            _conv(weights, f"{name}.shortcut_layer.0", x, stride=stride, padding=0),
        )
    else:
        x = x[:, ::stride, ::stride]
    return y * jax.nn.sigmoid(excited) + x


def _head(weights: Weights, name: str, x: Maps) -> Float[Array, "n d"]:
    """Strided convolutions down to one pixel, and a fully connected layer."""
    for j in range(int(math.log2(x.shape[1]))):
        conv = f"{name}.convs.{2 * j}"
        x = jax.nn.leaky_relu(_conv(weights, conv, x, stride=2), _SLOPE)
    return dense(x[:, 0, 0], jnp.asarray(weights[f"{name}.linear.weight"]), jnp.asarray(weights[f"{name}.linear.bias"]))


def _conv(weights: Weights, name: str, x: Maps, *, stride: int = 1, padding: int = 1) -> Found:
    """With the bias that it has."""
    y = conv2d(x, jnp.asarray(weights[f"{name}.weight"]), stride=stride, padding=padding)
    return y + jnp.asarray(weights[f"{name}.bias"]) if f"{name}.bias" in weights else y


def _norm(weights: Weights, name: str, x: Maps) -> Found:
    """Batch normalisation by the statistics of training."""
    weight, bias, mean, variance = (
        jnp.asarray(weights[f"{name}.{leaf}"]) for leaf in ("weight", "bias", "running_mean", "running_var")
    )
    return (x - mean) * (weight * lax.rsqrt(variance + _EPS)) + bias


def _prelu(weights: Weights, name: str, x: Maps) -> Found:
    return jnp.where(x >= 0, x, x * jnp.asarray(weights[f"{name}.weight"]))


def _enlarged(x: Maps) -> Found:
    """Twice the size, linearly, the centres of the corners kept in their places."""
    size = x.shape[1]
    places = np.linspace(0, size - 1, 2 * size)
    hats = np.maximum(0, 1 - np.abs(places[:, None] - np.arange(size))).astype(np.float32)
    return jnp.einsum("nhwc,yh,xw->nyxc", x, hats, hats, precision="highest")
