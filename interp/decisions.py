"""All decisions of a blend, made on the host from configurations alone: α and source of every tensor, the result's own
configuration.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from interp.alphas import Settings, Shares, Sources, alpha_table, is_whole, origin, resolve_sources
from interp.relatives import check_blendable, merged_config, resolved_differences
from interp.schedules import Schedule
from stylegan_jax.config import ModelConfig
from stylegan_jax.errors import InputError
from stylegan_jax.names import layout_of

DEFAULTS = Settings()


@dataclass(frozen=True)
class Decisions:
    """What a blend will be.

    Attributes:
      config: of the result.
      shares: network → tensor name → α of each transfer model.
      sources: where mapping, noise buffers and w_avg come from.
      notes: one line for each difference that was resolved, and for extrapolation.
    """

    config: ModelConfig
    shares: dict[str, dict[str, Shares]]
    sources: Sources
    notes: list[str]

    def lines(self, schedules: Sequence[Schedule]) -> list[str]:
        """The schedules and sources in a line; what was resolved in another."""
        sources = ", ".join(f"{field} from {getattr(self.sources, field)}" for field in ("mapping", "w_avg", "noise"))
        said = f"{', '.join(schedule.text for schedule in schedules)}: {sources}"
        return [said, *([f"resolved: {'; '.join(self.notes)}"] if self.notes else [])]

    def table(self, labels: Sequence[str]) -> Iterator[str]:
        """One line for each tensor: its name, and the share of every model that has one in it."""
        for network, shares in self.shares.items():
            prefix = "" if len(self.shares) == 1 else f"{network}."
            for name, alphas in shares.items():
                whole = zip((1 - sum(alphas), *alphas), labels, strict=True)
                used = [f"{share:.4g} {label}" for share, label in whole if share != 0]
                yield f"{prefix + name:<42} {' + '.join(used)}"


def decide(
    configs: Sequence[ModelConfig],
    labels: Sequence[str],
    schedules: Sequence[Schedule],
    settings: Settings = DEFAULTS,
) -> Decisions:
    """Decides α and source of every tensor; `configs` and `labels` are the base's, then those of each transfer model.

    Raises:
      InputError: models that cannot be blended, resolutions that are none of theirs, unknown sources.
    """
    networks, resolutions = settings.networks, configs[0].generator.resolutions
    sources = resolve_sources(schedules, settings.mapping, settings.noise, settings.w_avg)
    fixed = sources.shares(len(schedules))
    lacking = [label for config, label in zip(configs, labels, strict=True) if config.generator.w_avg_beta is None]
    if lacking and not is_whole(fixed["w_avg"]):
        raise InputError("has no w_avg to average", "take w_avg from base or transfer", file=", ".join(lacking))
    check_blendable(configs, labels, networks, mixes_mapping=not is_whole(fixed["mapping"]))
    for schedule in schedules:
        schedule.check(resolutions)
    config = merged_config(configs, networks, mapping=origin(fixed["mapping"]), w_avg=origin(fixed["w_avg"]))
    shares = {n: alpha_table(layout_of(config, n), schedules, sources, settings.kinds) for n in networks}
    notes = resolved_differences(configs, labels, config) + _extrapolation(shares)
    return Decisions(config, shares, sources, notes)


def _extrapolation(shares: Mapping[str, Mapping[str, Shares]]) -> list[str]:
    every = [alpha for table in shares.values() for alphas in table.values() for alpha in (*alphas, 1 - sum(alphas))]
    if min(every) >= 0 and max(every) <= 1:
        return []
    return [f"shares reach from {min(every):.3g} to {max(every):.3g}: outside [0, 1] the blend extrapolates"]
