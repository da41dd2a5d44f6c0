"""What people type about a projection, and the projection with its progress."""

import dataclasses
import functools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from stylegan_jax import values
from stylegan_jax.commands.flags import typed
from stylegan_jax.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from stylegan_jax.projection.descent import Settings
    from stylegan_jax.projection.losses import Loss
    from stylegan_jax.projection.project import Projection
    from stylegan_jax.projection.unfinished import Unfinished
    from stylegan_jax.storage.checkpoint import Model


@dataclass(frozen=True, kw_only=True)
class Descents:
    """How photographs are projected."""

    likeness: Annotated[str, typed("0…1")] = "0.25"
    """low: a face that the model makes easily, whose toons are clean; high: the person's own, whose toons smear"""
    steps: Annotated[str | None, typed("N")] = None
    """of gradient descent (default: 250, and 1000 with --official)"""
    lr: Annotated[str, typed("NUMBER")] = "0.1"
    """its learning rate"""
    space: Literal["w", "w+"] | None = None
    """one w for all layers, or one for each (default: w+, but w at likeness 0)"""
    loss: Literal["scattering", "pixels"] = "scattering"
    """what is compared: textures in their places, or pixels"""
    vgg16: Annotated[str | None, typed("FILE")] = None
    """compare as the official projector does instead, by LPIPS: the official vgg16.pt, or torchvision's with --lpips"""
    lpips: Annotated[str | None, typed("FILE")] = None
    """the weights of LPIPS for torchvision's file: vgg.pth of the package lpips, version 0.1"""
    official: bool = False
    """the official projector, number for number: one w, noise images that move too, no prior; needs --vgg16"""
    seed: Annotated[str, typed("N")] = "0"
    """of the noise on w"""
    start: Annotated[str, typed("mean|encoder[=FILE]|FILE")] = "mean"
    """begin at the mean of w; where an encoder says, one of train-encoder or a .pt of e4e or pSp (default: the one that
    ships with the model); or at ws of a file that --w of other commands reads: one for each face, or one for all"""
    save_video: Annotated[str | None, typed("FILE")] = None
    """film how the images come nearer: .mp4 (needs PyAV), .webp or .gif"""
    resume: bool = False
    """go on with what an interrupted projection left here"""

    def check_unused(self, *, tuning: bool) -> None:
        """Raises InputError if anything was typed that a projection by an encoder does not listen to.

        Args:
          tuning: of the base follows, which compares too.
        """
        heard = ("--loss", "--vgg16", "--lpips", "--seed") if tuning else ()
        if idle := [flag for flag in self._typed if flag not in heard]:
            what = f"{idle[0]} is of a descent, and an encoder needs none"
            raise InputError(what, f"leave {idle[0]} out, or pass --start encoder in place of --fast")

    @property
    def _typed(self) -> list[str]:
        """The flags that say something else than their default."""
        fields = [field for field in dataclasses.fields(self) if getattr(self, field.name) != field.default]
        return ["--" + field.name.replace("_", "-") for field in fields]

    def check_video(self, *, overwrite: bool) -> None:
        """Raises InputError for a film that cannot be made; called before long work."""
        if self.save_video is not None:
            from stylegan_jax.pictures import video
            from stylegan_jax.storage import atomic

            video.check_suffix(Path(self.save_video).suffix.lower())
            atomic.output_path(self.save_video, overwrite=overwrite)

    def unfinished(self, path: Path, *, overwrite: bool) -> "Unfinished":
        """Where an interrupted projection is kept; InputError for one that is there and is not asked for."""
        from stylegan_jax.projection.unfinished import Unfinished

        return Unfinished(path, resume=self.resume, overwrite=overwrite)

    def settings(self) -> "Settings":
        """Of the descent; InputError for what is no number or out of range, and for files that hold no VGG16."""
        from stylegan_jax.projection.descent import Settings
        from stylegan_jax.projection.project import STEPS, settings_of

        rate = values.number(self.lr, "--lr", low=1e-6, high=100)
        usual = str(Settings.steps if self.official else STEPS)
        steps = values.natural(self.steps or usual, "--steps", low=1, high=100_000)
        if self.official:
            self._check_official()
        _ = self.compared  # read before long work
        if self.official:
            return Settings(steps=steps, rate=rate)
        likeness = values.number(self.likeness, "--likeness", low=0, high=1)
        return settings_of(likeness=likeness, steps=steps, space=self.space, rate=rate)

    def _check_official(self) -> None:
        if self.vgg16 is None:
            raise InputError("--official compares as the official projector does", "pass --vgg16 FILE too")
        if chosen := [flag for flag in self._typed if flag in ("--likeness", "--space")]:
            what = f"--official has one w and no prior, and {chosen[0]} none to choose"
            raise InputError(what, f"leave {chosen[0]} out")

    @functools.cached_property
    def compared(self) -> "str | Loss":
        """What falls: a loss by its name, or LPIPS by the user's VGG16."""
        if self.vgg16 is None:
            if self.lpips is not None:
                raise InputError("--lpips goes with --vgg16", "pass --vgg16 FILE too")
            return self.loss
        import convert
        from stylegan_jax.projection.perceptual import lpips_loss

        return lpips_loss(convert.read_vgg16(self.vgg16, self.lpips))

    def notes(self, settings: "Settings") -> dict[str, Any]:
        """What tells how the ws were found."""
        return {
            "space": settings.space,
            "loss": self.loss if self.vgg16 is None else "lpips",
            "steps": settings.steps,
            "lr": settings.rate,
            "prior": settings.prior,
            "seed": values.natural(self.seed, "--seed"),
            **({"official": True} if self.official else {}),
            "start": self.start if self.start.startswith("encoder") else Path(self.start).name,
        }

    def run(
        self,
        model: "Model",
        pictures: "Sequence[np.ndarray]",
        settings: "Settings",
        unfinished: "Unfinished",
        *,
        overwrite: bool,
    ) -> "Projection":
        """The projections of pictures of the model's size, under a progress bar; films them where that is asked for.

        Args:
          model, pictures, settings, unfinished: see `project.project`.
          overwrite: the film may be replaced.
        """
        from tqdm import tqdm

        from stylegan_jax.projection.filmed import Film
        from stylegan_jax.projection.project import project

        batch = stacked(pictures, model)
        start = self._start(model, pictures, settings)
        film = Film(model, batch, settings.steps) if self.save_video is not None else None
        pause = 0.1 if sys.stderr.isatty() else 60  # seconds; a log wants a line a minute
        with tqdm(total=settings.steps, unit="step", delay=pause, mininterval=pause) as progress:

            def report(step: int, losses: "np.ndarray") -> None:
                progress.set_postfix_str(f"loss {losses.mean():.3f}", refresh=False)
                progress.update(step - progress.n)

            seed = values.natural(self.seed, "--seed", high=2**32 - 1)
            options = {"seed": seed, "report": report, "watch": film.watch if film else None, "start": start}
            made = project(model, batch, settings, loss=self.compared, unfinished=unfinished, **options)
        if film is not None:
            film.write(Path(str(self.save_video)), self.notes(settings), overwrite=overwrite)
        return made

    def _start(self, model: "Model", pictures: "Sequence[np.ndarray]", settings: "Settings") -> "np.ndarray | None":
        """The ws to begin from, their means where one w is to be found; None is the mean of w."""
        named, equals, path = self.start.partition("=")
        if self.start == "mean":
            return None
        if named == "encoder" and bool(equals) == bool(path):
            from stylegan_jax.commands import encoders

            found = encoders.encoded(model, pictures, encoders.of_model(model, path or None))[0].ws
        else:
            found = self._given(model, len(pictures))
        return found.mean(1, keepdims=True) if settings.space == "w" else found

    def _given(self, model: "Model", count: int) -> "np.ndarray":
        """The ws of a file, one for each of `count` faces; InputError for another number than that or one."""
        if not Path(self.start).exists():
            what = "is no place to start from"
            raise InputError(what, "use mean, encoder, encoder=FILE or a file of ws", file=f"--start {self.start}")
        import numpy as np

        from convert import ws

        config = model.config.generator
        found = ws.read([self.start], num_ws=config.num_ws, w_dim=config.w_dim).values
        if len(found) not in (1, count):
            what = f"holds {len(found)} ws, and there are {count} faces"
            raise InputError(what, "give one for each, or one for all", file=f"--start {self.start}")
        return np.repeat(found, count // len(found), 0)


def stacked(pictures: "Sequence[np.ndarray]", model: "Model") -> "np.ndarray":
    """RGB pictures as one batch, of the model's channels."""
    import numpy as np

    return np.stack([_with_channels(each, model.config.generator.img_channels) for each in pictures])


def _with_channels(pixels: "np.ndarray", channels: int) -> "np.ndarray":
    """An RGB picture as a grey one, or with an opaque alpha, where the model's images are of that kind."""
    import numpy as np
    from PIL import Image

    mode = {1: "L", 3: "RGB", 4: "RGBA"}[channels]
    converted = np.asarray(Image.fromarray(pixels).convert(mode))
    return converted.reshape(*converted.shape[:2], channels)
