"""Which encoder a command uses, and what it makes of photographs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from stylegan_jax.commands.descents import stacked
from stylegan_jax.errors import InputError

ROUNDS = 3

if TYPE_CHECKING:
    import numpy as np

    from stylegan_jax.projection.encoder import EncoderFile
    from stylegan_jax.projection.project import Projection
    from stylegan_jax.storage.checkpoint import Model


def of_model(model: "Model", path: str | None = None) -> "EncoderFile":
    """The encoder of a file, or else the one that ships for this model. InputError for another model's, or none."""
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
        file=model.lineage.get("source"),
    )


def encoded(
    model: "Model", pictures: "Sequence[np.ndarray]", trained: "EncoderFile", rounds: int = ROUNDS
) -> "tuple[Projection, dict[str, Any]]":
    """What the encoder makes of pictures of the model's size, and notes that tell how."""
    from stylegan_jax.projection.encode import encode

    notes = {"space": "w+", "encoder": trained.sha256, "rounds": rounds}
    return encode(model, stacked(pictures, model), trained, rounds=rounds), notes
