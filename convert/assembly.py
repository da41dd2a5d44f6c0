"""From the networks found in a foreign file to a model: configurations proven, weights finite float32."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from convert.facts import Facts, prove
from convert.pickles.allowed import AGAIN
from convert.translation import Origin
from stylegan_jax import names
from stylegan_jax.config import DiscriminatorConfig, GeneratorConfig, ModelConfig
from stylegan_jax.errors import InputError
from stylegan_jax.storage import safetensors
from stylegan_jax.storage.checkpoint import Model


@dataclass(frozen=True, eq=False)
class RawNetwork:
    """One network of a foreign file: what the file says of its configuration, and its tensors by official name."""

    stored: Facts
    tensors: Mapping[str, np.ndarray]
    frozen: frozenset[str] | None = None
    """Names of the discriminator's layers that are buffers, where the file says so."""
    notes: Sequence[str] = ()
    """What was assumed or made up."""
    origins: Mapping[str, Origin] = field(default_factory=dict)
    """Foreign names of the tensors that were renamed or transformed, and how; "" for those that were made."""


@dataclass(frozen=True, eq=False)
class Found:
    """What a reader found: the format's name and the networks."""

    format: str
    networks: Mapping[str, RawNetwork]
    notes: Sequence[str] = ()
    """What of the file was read, where that is not all."""
    left_aside: Sequence[str] = ()
    """Names of classes whose objects were not read."""


def assemble(found: Found, networks: Sequence[str] | None, *, file_size: int) -> Model:
    """The model made of the named networks (default: all); its lineage holds `format` and `notes`.

    Raises InputError for a network that is absent, does not fit its configuration, or holds NaN or infinity.
    """
    config, wanted = prove_config(found, networks, file_size=file_size)
    notes = [*found.notes, *(f"{name}: {note}" for name, raw in wanted.items() for note in raw.notes)]
    aside = {"left_aside": list(found.left_aside)} if found.left_aside else {}
    arrays = {name: _float32(raw.tensors, name, names.layout_of(config, name), notes) for name, raw in wanted.items()}
    return Model(config, arrays, {"format": found.format, **({"notes": notes} if notes else {}), **aside})


@np.errstate(all="ignore")  # of absurd filters
def prove_config(
    found: Found, networks: Sequence[str] | None, *, file_size: int
) -> tuple[ModelConfig, dict[str, RawNetwork]]:
    """The configuration of the named networks (default: all), and what the file holds of them; reads no numbers.

    Raises InputError as `assemble`.
    """
    wanted = _select(found, networks)
    _check_size(wanted, file_size)
    return _prove(found, wanted), wanted


def _select(found: Found, networks: Sequence[str] | None) -> dict[str, RawNetwork]:
    absent = [name for name in networks or () if name not in found.networks]
    if absent:
        what = f"holds {', '.join(found.networks)}, not {', '.join(absent)}"
        raise InputError(what, "choose among its networks")
    return {name: raw for name, raw in found.networks.items() if networks is None or name in networks}


def _check_size(wanted: Mapping[str, RawNetwork], file_size: int) -> None:
    """Tensors may share numbers, but not so many that a small file fills the memory."""
    total = sum(tensor.size for raw in wanted.values() for tensor in raw.tensors.values())
    if total > file_size // 2 + 1_000_000:
        raise InputError(f"describes {total} numbers in {file_size} bytes", AGAIN)


def _prove(found: Found, wanted: Mapping[str, RawNetwork]) -> ModelConfig:
    generators = {
        name: prove(GeneratorConfig, raw.stored, raw.tensors, name) for name, raw in wanted.items() if name != "D"
    }
    if not generators:
        everything = {name: raw for name, raw in found.networks.items() if name != "D"}
        if not everything:
            raise InputError("holds a discriminator only", "pass a file with a generator")
        name, raw = next(iter(everything.items()))
        generators = {name: prove(GeneratorConfig, raw.stored, raw.tensors, name)}
    _check_same(generators)
    discriminator = _discriminator(wanted["D"]) if "D" in wanted else None
    return ModelConfig(generator=next(iter(generators.values())), discriminator=discriminator)


def _discriminator(raw: RawNetwork) -> DiscriminatorConfig:
    config = prove(DiscriminatorConfig, raw.stored, raw.tensors, "D")
    expected = set(names.freezable_layers(config)[: config.freeze_layers])
    if raw.frozen is not None and raw.frozen != expected:
        wrong = ", ".join(sorted(raw.frozen ^ expected))
        what = f"D: freeze_layers is {config.freeze_layers}, but these layers do not agree: {wrong}"
        raise InputError(what, AGAIN)
    return config


def _check_same(generators: Mapping[str, GeneratorConfig]) -> None:
    """G and G_ema are one network at two moments."""
    if len(set(generators.values())) < 2:
        return
    (first, one), (second, other) = generators.items()
    differing = [key for key in vars(one) if getattr(one, key) != getattr(other, key)]
    lines = [f"{key}: {getattr(one, key)} in {first}, {getattr(other, key)} in {second}" for key in differing]
    listed = "\n  ".join([f"{first} and {second} are different networks", *lines])
    raise InputError(f"{listed}\nOne model has one generator", f"read one of them: --networks {second}")


def _float32(
    tensors: Mapping[str, np.ndarray], network: str, layout: names.Layout, notes: list[str]
) -> dict[str, np.ndarray]:
    """Fresh float32 copies, independent of the file, in the layout's order; notes say what was widened or narrowed."""
    kinds = {name: tensors[name].dtype for name in layout}
    wrong = [f"{name} ({kind})" for name, kind in kinds.items() if kind.kind in "iub"]
    if wrong:
        raise InputError(f"{network}: holds integers where weights should be: {', '.join(wrong)}", "export it again")
    with np.errstate(all="ignore"):
        arrays = {name: _copy(tensors[name]) for name in layout}
    broken = [f"{network}.{name}" for name, array in arrays.items() if not np.isfinite(array).all()]
    if broken:
        what = f"{len(broken)} tensors hold NaN or infinity: {', '.join(broken)}"
        raise InputError(what, "training diverged or the file is damaged: take an earlier one")
    for kind in sorted({str(kind) for kind in kinds.values()} - {"float32", ">f4"}):
        count = sum(str(each) == kind for each in kinds.values())
        notes.append(f"{network}: {count} tensors were {kind}, now float32")
    return arrays


def _copy(tensor: np.ndarray) -> np.ndarray:
    array = safetensors.aligned(tensor.shape, np.float32)
    array[...] = tensor
    return array
