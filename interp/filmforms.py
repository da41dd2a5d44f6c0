"""What a form of film can hold: how fast a GIF plays, whether there is sound, how much is held in memory."""

from pathlib import Path

from stylegan_jax.errors import InputError
from stylegan_jax.pictures import video
from stylegan_jax.storage import inputs


def check_form(path: Path, fps: int, *, carried: str | None = None) -> None:
    """Raises InputError for a GIF that is too fast, and for a sound that would only be carried, where it cannot be."""
    suffix = path.suffix.lower()
    if suffix == ".gif" and fps > video.FASTEST_GIF:
        what = f"a GIF shows no more than {video.FASTEST_GIF} frames a second, not {fps}"
        raise InputError(what, f"pass --fps {video.FASTEST_GIF}, or another suffix such as .webp", file=path)
    if carried is None:
        return
    if suffix not in video.WITH_SOUND:
        form = suffix or "a folder of frames"
        raise InputError(f"{form} carries no sound", "leave --audio out, or pass --out film.mp4", file=path)
    inputs.require_regular_file(carried)


def check_memory(path: Path, count: int, area: int, *, made: bool = False) -> None:
    """Raises InputError for a WebP or GIF whose frames, of `area` pixels each, are more than are held in memory.

    Of those that are `made` already there is a folder.
    """
    animated = path.suffix and path.suffix.lower() not in video.WITH_SOUND
    if animated and count * area * 3 > video.MOST_IN_MEMORY:
        what = f"{count} frames are too many for {path.suffix.lower()}, which is held in memory"
        remedy = "pass --out film.mp4" if made else "pass a folder, such as --out frames, or fewer --seconds"
        raise InputError(what, remedy, file=path)
