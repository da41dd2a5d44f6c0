"""Which encoder a command uses, and what it makes of photographs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylegan_jax.commands.descents import stacked
from stylegan_jax.config import check_square
from stylegan_jax.errors import InputError

ROUNDS = 3

if TYPE_CHECKING:
    import numpy as np

    from stylegan_jax.projection.encoder import EncoderFile
    from stylegan_jax.projection.project import Projection
    from stylegan_jax.psp import PspEncoder
    from stylegan_jax.storage.checkpoint import Model


def of_model(model: "Model", path: str | None = None, *, named: str | None = None) -> "EncoderFile | PspEncoder":
    """The encoder of a file, ours or of e4e or pSp, or else the one that ships for this model.

    Args:
      model: which the encoder is of.
      path: of the encoder.
      named: the model, as the user typed it.

    Raises InputError for another model's, or none.
    """
    named = named or model.lineage.get("source")
    check_square(model.config.generator, "an encoder", named)
    if path is not None and Path(path).suffix.lower() in (".pt", ".pth"):
        import convert

        return convert.read_encoder(path)
    from stylegan_jax.projection import encoderfile
    from stylegan_jax.storage import checkpoint, shipped

    if path is not None:
        trained = encoderfile.load(path)
        encoderfile.check_belongs(trained, model, path)
        return trained
    own = checkpoint.fingerprint(model)
    for each in map(encoderfile.load, shipped.shipped_encoders()):
        if each.model_sha256 == own:
            return each
    train = "python -m stylegan_jax train-encoder MODEL --out encoder.safetensors"
    raise InputError(
        "no encoder ships for this model",
        f"train one: {train}, and name it: --encoder encoder.safetensors",
        file=named,
    )


def encoded(
    model: "Model", pictures: "Sequence[np.ndarray]", trained: "EncoderFile | PspEncoder", rounds: int = ROUNDS
) -> "tuple[Projection, dict[str, Any]]":
    """What the encoder makes of pictures of the model's size, and notes that tell how; e4e and pSp look but once."""
    from stylegan_jax.projection.encode import encode
    from stylegan_jax.projection.psp import projected
    from stylegan_jax.psp import PspEncoder

    if isinstance(trained, PspEncoder):
        notes = {"space": "w+", "encoder": "e4e" if trained.config.offsets else "pSp"}
        return projected(trained, model, stacked(pictures, model)), notes
    notes = {"space": "w+", "encoder": trained.sha256, "rounds": rounds}
    return encode(model, stacked(pictures, model), trained, rounds=rounds), notes
