"""What decides what a training run computes."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from stylegan_jax.config import DiscriminatorConfig, GeneratorConfig, ModelConfig, json_of
from stylegan_jax.errors import InputError


def _divisors(n: int) -> str:
    """Those up to 32 in words: `1, 2 or 4`."""
    found = [str(k) for k in range(1, min(n, 32) + 1) if n % k == 0] or ["1"]
    return " or ".join([", ".join(found[:-1]), found[-1]] if len(found) > 1 else found)


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Everything that decides what a run computes; names and meanings are the official ones.

    The command's flags come from these fields: names, types and, as help, the lines below them.
    """

    generator: GeneratorConfig
    discriminator: DiscriminatorConfig
    batch: int = 32
    """Images per iteration, over all devices."""
    mbstd_chunks: int = 1
    """Equal parts of the batch in which the minibatch statistic is taken, so that it does not depend on the number of
    devices; officially one for each GPU."""
    g_lr: float = 0.0025
    """Learning rate of G."""
    d_lr: float = 0.0025
    """Learning rate of D."""
    beta2: float = 0.99
    """Decay of Adam's second moments."""
    eps: float = 1e-8
    """What Adam adds to the roots of its second moments."""
    r1_gamma: float = 10.0
    """Weight of R1, the penalty on D's gradient at real images; 0 leaves it out."""
    pl_weight: float = 2.0
    """Weight of the path-length regularisation; 0 leaves it out."""
    pl_batch_shrink: int = 2
    """How many times smaller the batch of the path-length regularisation is."""
    pl_decay: float = 0.01
    """Share of the newest batch in the running mean of the path length."""
    g_reg_interval: int = 4
    """Iterations from one path-length step to the next."""
    d_reg_interval: int = 16
    """Iterations from one R1 step to the next."""
    style_mixing: float = 0.9
    """Probability that an iteration mixes styles."""
    ema_kimg: float = 10.0
    """Half-life of the average that is G_ema, in thousands of images."""
    ema_rampup: float | None = None
    """Share of the images seen so far that the half-life may not exceed; 0 on the command line is none."""
    augment: Literal["ada", "fixed", "none"] = "ada"
    """Adaptive augmentation, a fixed one (--augment-p), or none."""
    augment_pipe: str = "bgc"
    """Which transforms: blit, geom, color, filter, noise, cutout, bg, bgc, bgcf, bgcfn or bgcfnc."""
    augment_p: float = 0.0
    """Probability of augmentation, at the start or (--augment fixed) throughout."""
    ada_target: float = 0.6
    """Mean sign of D on real images that adaptive augmentation aims at."""
    ada_interval: int = 4
    """Iterations from one step of adaptive augmentation to the next."""
    ada_kimg: float = 500.0
    """Thousands of images in which the probability of augmentation can move by 1; 100 with --from."""
    blend_share: float = 0.0
    """Share of the iterations of a fine-tune in which not G is trained and judged but its blend with the model that it
    began from (or --blend-with): the layers up to --blend-swap learn to serve the other's upper ones."""
    blend_swap: tuple[int, ...] = (16,)
    """The resolution up to which that blend's layers are G's; of several (16,32) one is drawn each time."""
    mirror: bool = False
    """Train on mirrored images too."""
    kimg: float = 25000.0
    """Thousands of images until the run is done."""
    seed: int = 0
    """Of everything random."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of the convolutions of both networks; everything else stays float32."""
    frozen: tuple[str, ...] = ()
    """Names of tensors that keep their values, as `G.mapping.fc0.weight`."""

    def __post_init__(self) -> None:
        if self.batch < 1 or self.mbstd_chunks < 1 or self.batch % self.mbstd_chunks:
            what = f"{self.mbstd_chunks} mbstd_chunks do not divide a batch of {self.batch}"
            raise InputError(what, f"use --mbstd-chunks {_divisors(self.batch)}, or another --batch")
        group = self.scorer.mbstd_group_size or 1
        if self.chunk % group:
            what = f"groups of {group} (mbstd) do not divide chunks of {self.chunk}"
            raise InputError(what, f"use --mbstd-group-size {_divisors(self.chunk)}")
        if not 0 <= self.blend_share <= 1:
            raise InputError(
                f"blend_share {self.blend_share:g} is no share", "use --blend-share 0.3, or another of 0 to 1"
            )
        known = self.generator.resolutions[:-1]
        if self.blend_share and (wrong := [r for r in self.blend_swap or (0,) if r not in known]):
            raise InputError(
                f"blend_swap {wrong[0]}: no layers of this model are above",
                f"use --blend-swap {', '.join(map(str, known))}",
            )
        if self.pl_weight and self.batch % self.pl_batch_shrink:
            what = f"pl_batch_shrink {self.pl_batch_shrink} does not divide batch {self.batch}"
            raise InputError(what, f"use --pl-batch-shrink {_divisors(self.batch)}, or another --batch")

    @property
    def chunk(self) -> int:
        """Samples in which one minibatch statistic is taken."""
        return self.batch // self.mbstd_chunks

    @property
    def scorer(self) -> DiscriminatorConfig:
        """D's configuration with a minibatch group that fits a chunk."""
        group = min(self.discriminator.mbstd_group_size or self.chunk, self.chunk)
        return dataclasses.replace(self.discriminator, mbstd_group_size=group)

    @property
    def model(self) -> ModelConfig:
        """The networks' part, as model files hold it."""
        return ModelConfig(generator=self.generator, discriminator=self.discriminator)

    @property
    def iterations(self) -> int:
        """Iterations after which the run is done."""
        return -(-int(self.kimg * 1000) // self.batch)

    def frozen_of(self, network: str) -> frozenset[str]:
        """Names of the frozen tensors of "G" or "D"."""
        return frozenset(name[2:] for name in self.frozen if name.startswith(f"{network}."))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data; `from_json` restores an equal configuration.

        What came later is left out where it says nothing, so that runs of earlier versions go on.
        """
        data = json_of(self) | {"frozen": list(self.frozen), "blend_swap": list(self.blend_swap)}
        later = () if self.blend_share else ("blend_share", "blend_swap")
        return {key: value for key, value in data.items() if key not in later}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "TrainConfig":
        """The configuration that `to_json` wrote; TypeError or ValueError on anything else."""
        networks = ModelConfig.from_json({key: data[key] for key in ("generator", "discriminator")})
        rest = {key: value for key, value in data.items() if key not in ("generator", "discriminator")}
        assert networks.discriminator is not None
        rest |= {name: tuple(rest[name]) for name in ("frozen", "blend_swap") if name in rest}
        return cls(generator=networks.generator, discriminator=networks.discriminator, **rest)
