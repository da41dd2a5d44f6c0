"""Configurations of the networks: frozen, comparable, in the official words; derived values are properties."""

import dataclasses
import math
import reprlib
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

from stylegan_jax.errors import InputError
from stylegan_jax.filters import DEFAULT_FILTER, Filter, taps_from

Architecture = Literal["skip", "orig", "resnet"]
LRELU_SLOPE = 0.2
ACTIVATION_GAINS: dict[str, float] = {
    "linear": 1,
    "relu": math.sqrt(2),
    "lrelu": math.sqrt(2),
    "tanh": 1,
    "sigmoid": 1,
    "elu": 1,
    "selu": 1,
    "softplus": 1,
    "swish": math.sqrt(2),
}
"""The activations of the official programs, and the gain that restores the variance after each."""
WORDS: dict[str, tuple[str, ...]] = {
    "architecture": get_args(Architecture),
    "activation": tuple(ACTIVATION_GAINS),
    "mapping_activation": tuple(ACTIVATION_GAINS),
}
"""Fields that hold one of a few words."""


Size = tuple[int, int]
"""Height and width."""
SQUARE: Size = (4, 4)
LONGEST_CONST, LARGEST_CONST = 64, 256
"""Pixels of the longer side of a learned input, and of all of it: 16 times a square one's."""


def resolutions_up_to(resolution: int) -> tuple[int, ...]:
    """4, 8, … `resolution`; ValueError unless it is a power of two from 4 to 1024."""
    if resolution not in (4, 8, 16, 32, 64, 128, 256, 512, 1024):
        raise ValueError(f"resolution {resolution} is not a power of two between 4 and 1024")
    return tuple(4 << i for i in range(resolution.bit_length() - 2))


def channels_by_rule(resolution: int, base: int, most: int) -> int:
    """C(r) of networks without a table."""
    return min(base // resolution, most)


@dataclass(frozen=True, kw_only=True)
class ConvConfig:
    """What the two networks share: image size, channel table, activation, filters, 16-bit blocks."""

    img_resolution: int
    img_channels: int = 3
    c_dim: int = 0
    channel_base: int = 32768
    """Feature maps times resolution: C(r) = min(channel_base / r, channel_max)."""
    channel_max: int = 512
    """Most feature maps of a layer."""
    channel_table: tuple[int, ...] | None = None
    """Feature maps at 4, 8, … where `min(channel_base // r, channel_max)` does not describe them."""
    num_fp16_res: int = 0
    """How many of the highest resolutions the official programs compute in 16 bits; here these follow the dtype."""
    fp16_channels_last: bool = False
    """Whether the official programs keep the 16-bit blocks' channels innermost; nothing here depends on it."""
    conv_clamp: float | None = None
    """Feature maps are clamped to ± this; 0 on the command line is none."""
    activation: str = "lrelu"
    resample_filter: Filter = DEFAULT_FILTER

    def __post_init__(self) -> None:
        table, resolutions = self.channel_table, self.resolutions
        if table is not None and len(table) != len(resolutions):
            raise ValueError(f"channel_table has {len(table)} entries for resolutions {resolutions}")
        if empty := [r for r in resolutions if self.channels(r) < 1]:
            raise ValueError(f"no feature maps at resolution {empty[0]}")
        if self.img_channels < 1:
            raise ValueError("images without channels")

    @property
    def resolutions(self) -> tuple[int, ...]:
        """4, 8, … img_resolution."""
        return resolutions_up_to(self.img_resolution)

    def channels(self, resolution: int) -> int:
        """Number of feature maps C(r)."""
        if self.channel_table is not None:
            return self.channel_table[self.resolutions.index(resolution)]
        return channels_by_rule(resolution, self.channel_base, self.channel_max)

    @property
    def fp16_resolution(self) -> int:
        """The lowest resolution that the official programs compute in 16 bits (beyond the image if none)."""
        return max(2 * self.img_resolution >> self.num_fp16_res, 8)


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig(ConvConfig):
    """A StyleGAN2 generator; field names and defaults are those of stylegan2-ada-pytorch."""

    kind: ClassVar[str] = "stylegan2"
    """Key of every table of what depends on the kind of generator: `names.GRAMMARS`, `networks.generators.KINDS`."""

    z_dim: int = 512
    """Width of z."""
    w_dim: int = 512
    """Width of w."""
    mapping_layers: int = 8
    """Depth of the mapping network."""
    embed_features: int | None = None
    layer_features: int | None = None
    mapping_activation: str = "lrelu"
    mapping_lr_multiplier: float = 0.01
    w_avg_beta: float | None = 0.995
    """Decay of the running mean of w."""
    architecture: Architecture = "skip"
    use_noise: bool = True
    const_size: Size = SQUARE
    """Height and width of the learned input; of every layer, and of the image, they are so many quarters of its
    resolution. Others than 4×4 are of no official program."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_mapping(self)

    @property
    def image_size(self) -> Size:
        """Height and width of the images."""
        return size_at(self.img_resolution, self.const_size)

    @property
    def num_ws(self) -> int:
        """How many w the synthesis network takes: 2·log2(resolution) - 2."""
        return 2 * len(self.resolutions)

    @property
    def mapping_widths(self) -> tuple[int, ...]:
        """Widths of the mapping network, its input included."""
        return _mapping_widths(self, self.z_dim, self.w_dim)


@dataclass(frozen=True, kw_only=True)
class DiscriminatorConfig(ConvConfig):
    """A StyleGAN2 discriminator; field names and defaults are those of stylegan2-ada-pytorch."""

    architecture: Architecture = "resnet"
    """How the blocks are joined: resnet, skip or orig."""
    cmap_dim: int | None = None
    freeze_layers: int = 0
    mbstd_group_size: int | None = 4
    """Samples of one minibatch statistic."""
    mbstd_num_channels: int = 1
    mapping_layers: int = 8
    embed_features: int | None = None
    layer_features: int | None = None
    mapping_activation: str = "lrelu"
    mapping_lr_multiplier: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.img_resolution < 8:
            raise ValueError(f"resolution {self.img_resolution}: a discriminator starts at 8")
        if self.c_dim > 0:
            _check_mapping(self)

    @property
    def cmap_features(self) -> int:
        """Width of the label projection: 0 without labels, C(4) unless `cmap_dim` says otherwise."""
        if self.c_dim == 0:
            return 0
        return self.channels(4) if self.cmap_dim is None else self.cmap_dim

    @property
    def mapping_widths(self) -> tuple[int, ...]:
        """Widths of the label mapping network, its input included."""
        return _mapping_widths(self, 0, self.cmap_features)


def size_at(resolution: int, const_size: Size) -> Size:
    """Height and width of the features at a resolution, by the size of the learned input."""
    height, width = const_size
    return resolution * height // 4, resolution * width // 4


def is_const_size(value: Any) -> bool:
    """Whether something is a height and a width that a learned input may have."""
    sides = isinstance(value, list | tuple) and len(value) == 2 and all(map(_is_size, value))
    return sides and min(value) > 0 and max(value) <= LONGEST_CONST and value[0] * value[1] <= LARGEST_CONST


def check_square(config: GeneratorConfig, purpose: str, file: object = None) -> None:
    """Raises InputError for a model whose images are not square, where only square ones serve a purpose."""
    if config.const_size != SQUARE:
        height, width = config.image_size
        what = f"this model's images are {width}×{height}: {purpose} takes square ones"
        raise InputError(what, "use the square model that it was made of", file=file)


GENERATORS = {config.kind: config for config in (GeneratorConfig,)}
"""Kind of generator → class of its configuration; every kind has the same discriminator."""


def _mapping_widths(config: "GeneratorConfig | DiscriminatorConfig", z_dim: int, w_dim: int) -> tuple[int, ...]:
    embed = 0 if config.c_dim == 0 else embed_width(config)
    hidden = w_dim if config.layer_features is None else config.layer_features
    widths = (z_dim + embed, *(hidden,) * (config.mapping_layers - 1), w_dim)
    return widths[: config.mapping_layers + 1]  # without layers, what goes in comes out


def _check_mapping(config: "GeneratorConfig | DiscriminatorConfig") -> None:
    if not all(config.mapping_widths):
        raise ValueError(f"a mapping network of the widths {', '.join(map(str, config.mapping_widths))}")


def embed_width(config: "GeneratorConfig | DiscriminatorConfig") -> int:
    """Features of the label embedding: `embed_features`, by default the width of the mapping's output."""
    if config.embed_features is not None:
        return config.embed_features
    return config.w_dim if isinstance(config, GeneratorConfig) else config.cmap_features


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The configuration of a model file: its generator (G and G_ema share one) and, if there, its discriminator."""

    generator: GeneratorConfig
    discriminator: DiscriminatorConfig | None = None

    def of(self, network: str) -> GeneratorConfig | DiscriminatorConfig:
        """The configuration of `network` ("G", "G_ema" or "D"); KeyError where there is none."""
        config = self.discriminator if network == "D" else self.generator
        if config is None:
            raise KeyError(network)
        return config

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data; `from_json` restores an equal configuration."""
        return {"kind": self.generator.kind, **json_of(self)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "ModelConfig":
        """The configuration that `to_json` wrote; without a kind, as older files have none, it is StyleGAN2's.

        Raises InputError for a kind that this version does not know, TypeError or ValueError for anything else.
        """
        generator, discriminator = data["generator"], data.get("discriminator")
        kind = data.get("kind", GeneratorConfig.kind)
        if type(kind) is not str:
            raise ValueError("its kind is no word")
        if kind not in GENERATORS:
            what = f"is a model of the kind {reprlib.repr(kind)}; the kinds known here: {', '.join(GENERATORS)}"
            raise InputError(what, "update stylegan-jax: a newer version may read it")
        for name, value in [*generator.items(), *(discriminator or {}).items()]:
            if not _is_plausible(name, value):
                raise ValueError(f"{name} is no value of a network")
        return cls(
            generator=GENERATORS[kind](**_tuples(generator)),
            discriminator=None if discriminator is None else DiscriminatorConfig(**_tuples(discriminator)),
        )


def json_of(config: Any) -> dict[str, Any]:
    """The fields of something that has a `generator`; its size is left out where it is square, as in older files."""
    data = dataclasses.asdict(config)
    if config.generator.const_size == SQUARE:
        del data["generator"]["const_size"]
    return data


_NUMBERS: dict[str, tuple[float, float]] = {
    "conv_clamp": (0, 1e30),
    "w_avg_beta": (0, 1),
    "mapping_lr_multiplier": (1e-30, 1e30),  # weights are stored divided by it
}
_FIELDS = [field for config in (*GENERATORS.values(), DiscriminatorConfig) for field in dataclasses.fields(config)]
_SWITCHES = {field.name for field in _FIELDS if field.type is bool}
_MAY_BE_NONE = {field.name for field in _FIELDS if type(None) in get_args(field.type)}
_DEEPEST = 64  # layers of a mapping network


def _is_plausible(name: str, value: Any) -> bool:
    """Whether a stored field has a type and size that it can have; the class refuses names that it does not know."""
    if value is None:
        return name in _MAY_BE_NONE
    if name == "resample_filter":
        return taps_from(value) is not None
    if name == "channel_table":
        return isinstance(value, list | tuple) and 0 < len(value) <= 64 and all(map(_is_size, value))
    if name == "const_size":
        return is_const_size(value)
    if name in WORDS:
        return value in WORDS[name]
    if name in _SWITCHES:
        return isinstance(value, bool)
    if name in _NUMBERS:
        return is_number(name, value)
    return _is_size(value) and (name != "mapping_layers" or value <= _DEEPEST)


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value <= 1 << 24


def is_number(name: str, value: Any) -> bool:
    """Whether something is a number that the field `name` may hold; False for a field that holds none."""
    low, high = _NUMBERS.get(name, (math.inf, -math.inf))
    return type(value) in (int, float) and low <= value <= high  # nan is not, either


def _tuples(value: Any) -> Any:
    """JSON has only lists; configurations are hashable."""
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value
