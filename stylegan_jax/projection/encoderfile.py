"""Encoders on disk: one `.safetensors` file with configuration, the model it belongs to, lineage and checksums."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from stylegan_jax import names
from stylegan_jax.errors import InputError, shown
from stylegan_jax.projection.encoder import EncoderConfig, EncoderFile, layout
from stylegan_jax.storage import atomic, checkpoint, safetensors, schema
from stylegan_jax.storage import manifest as manifests
from stylegan_jax.storage.checkpoint import Model

FORMAT_VERSION = 1
SUFFIX = ".safetensors"
_DAMAGED = "train it again, or take another copy"
_LARGEST = 8192


def _size(low: int, high: int) -> schema.Number:
    return schema.Number(low, high, whole=True)


_CONFIG: dict[str, schema.Kind] = {
    "resolution": _size(16, 1024),
    "img_channels": _size(1, 4),
    "num_ws": _size(2, 64),
    **dict.fromkeys(("w_dim", "rank", "width", "most", "features"), _size(1, _LARGEST)),
}
_LOOKS = _size(0, 1 << 53)  # at pictures, in all its training
_MANIFEST = schema.Table(
    {
        "format_version": _size(1, FORMAT_VERSION),
        "config": schema.Table(_CONFIG, required=tuple(_CONFIG)),
        "model_sha256": schema.Text(64),
        "lineage": dataclasses.replace(manifests.LINEAGE, fields={**manifests.LINEAGE.fields, "looks": _LOOKS}),
        "tensors": schema.Table(others=manifests.CRC),
    },
    required=("format_version", "config", "model_sha256", "lineage", "tensors"),
    others=schema.Anything(),
)
_KIND = manifests.Kind(_MANIFEST, FORMAT_VERSION, lambda told: EncoderConfig(**told), _DAMAGED)


def save(encoder: EncoderFile, path: str | Path, *, overwrite: bool = False) -> Path:
    """Writes an encoder in float16. Returns its path.

    Raises InputError if `path` exists (unless `overwrite`); OSError if the disk is full or unwritable.
    """
    place = atomic.output_path(path, overwrite=overwrite)
    leaves = {name: np.asarray(leaf, np.float16) for name, leaf in sorted(encoder.weights.items())}
    manifest = {
        "format_version": FORMAT_VERSION,
        "config": dataclasses.asdict(encoder.config),
        "model_sha256": encoder.model_sha256,
        "lineage": dict(encoder.lineage),
        "tensors": {name: checkpoint.crc32(leaf) for name, leaf in leaves.items()},
    }
    text = json.dumps({**manifest, "crc32": manifests.own_crc32(manifest)})
    with atomic.new_file(place, overwrite=overwrite) as file:
        safetensors.write(file, leaves, {manifests.ENCODER: text})
    return place


def load(path: str | Path) -> EncoderFile:
    """Reads an encoder that `save` wrote, as float32.

    Raises InputError for all else, and unless checksums, names and shapes are those of the configuration.
    """
    place = atomic.standing(path)
    if not safetensors.looks_like(place):
        raise InputError("is no encoder", "name a file that train-encoder wrote", file=path)
    header = safetensors.read_header(place)
    if manifests.ENCODER not in header.metadata:
        raise InputError("holds no encoder", "name a file that train-encoder wrote", file=path)
    manifest = manifests.parsed(header.metadata[manifests.ENCODER], path, _KIND)
    config = manifest["config"]
    if lines := names.differences(header.entries, _layout(config, path)):
        more = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
        raise InputError(f"holds other tensors than its configuration says: {lines[0]}{more}", _DAMAGED, file=path)
    leaves = safetensors.read(place, header, header.entries)
    wrong = [name for name, leaf in leaves.items() if checkpoint.crc32(leaf) != manifest["tensors"].get(name)]
    if wrong:
        raise InputError(f"checksums differ: {manifests.few(wrong)}", _DAMAGED, file=path)
    weights = {name: leaf.astype(np.float32) for name, leaf in leaves.items()}
    if bad := [name for name, leaf in weights.items() if not np.isfinite(leaf).all()]:
        raise InputError(f"holds what is no number: {manifests.few(bad)}", _DAMAGED, file=path)
    return EncoderFile(config, weights, manifest["model_sha256"], manifest["lineage"])


def _layout(config: EncoderConfig, path: str | Path) -> Mapping[str, tuple[int, ...]]:
    try:
        return layout(config)
    except ValueError as error:
        raise InputError(
            f"its configuration is damaged ({manifests.first_line(error)})", _DAMAGED, file=path
        ) from error


def check_belongs(encoder: EncoderFile, model: Model, path: str | Path) -> None:
    """Raises InputError unless the encoder was trained for this model: its answers mean nothing to another."""
    config, own = model.config.generator, checkpoint.fingerprint(model)
    sizes = (config.img_resolution, config.img_channels, config.num_ws, config.w_dim)
    its = encoder.config
    if encoder.model_sha256 != own or sizes != (its.resolution, its.img_channels, its.num_ws, its.w_dim):
        trained = shown(str(encoder.lineage.get("model")), 100)
        what = f"belongs to another model ({trained}, {shown(encoder.model_sha256, 12)}), not to this ({own[:12]})"
        raise InputError(what, "train one for this model: python -m stylegan_jax train-encoder", file=path)
