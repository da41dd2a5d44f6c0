"""The options of the command that samples."""

import dataclasses
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

import tyro

from stylegan_jax import values
from stylegan_jax.commands.edits import Edits
from stylegan_jax.commands.flags import Flat as Flat
from stylegan_jax.commands.flags import Many, typed
from stylegan_jax.errors import InputError
from stylegan_jax.pictures.encoding import Form
from stylegan_jax.storage.parts import Array, Part, discover, parse


@dataclasses.dataclass(frozen=True, kw_only=True)
class What:
    """Which images: choose one of seeds, w, styles."""

    seeds: Annotated[str | None, typed("0-35,40")] = None
    """which seeds to sample"""
    w: Annotated[tuple[str, ...], Many, tyro.conf.arg(metavar="FILE …")] = ()
    """ws of projected images instead: .npy, .npz, .pt or folders of those; x.npz:NAME is one array of several"""
    w_space: Annotated[str | None, typed("w|w+")] = None
    """what a 2-D array is: n plain ws, or one W+ (default: W+ where its rows are as many as the model's layers)"""
    styles: Annotated[str | None, typed("ROWSxCOLS")] = None
    """seeds of rows x seeds of columns: the official style-mixing grid"""
    layers: Annotated[str | None, typed("0-6")] = None
    """which layers of the rows the columns replace (default: 0-6, as far as the model has them)"""
    paired: Annotated[tuple[str, ...], typed("MODEL …")] = ()
    """further models that show the w of the first: sets trainA, trainB, … of the same names, for students"""

    def check(self) -> None:
        """Raises InputError unless exactly one is given."""
        given = {"--seeds": self.seeds, "--w": self.w or None, "--styles": self.styles}
        flags = [flag for flag, value in given.items() if value is not None]
        if len(flags) != 1:
            raise InputError(" and ".join(flags) or "nothing to sample", "pass one of --seeds, --w, --styles")
        if self.paired and self.styles is not None:
            raise InputError("--paired takes seeds or ws", "pass --seeds or --w")
        if self.w_space is not None and not self.w:
            raise InputError("--w-space goes with --w", "pass --w FILE")
        if len(self.paired) > 25:
            raise InputError(f"--paired: {len(self.paired)} models are too many", "use at most 25")

    @property
    def rows_and_columns(self) -> tuple[list[int], list[int]]:
        """The seeds of --styles."""
        lists = re.split("[x×]", self.styles or "")
        if len(lists) != 2:
            what = "not of the form ROWSxCOLS"
            raise InputError(what, "write for example 85,100x55,821", file=f"--styles {self.styles}")
        return values.seeds(lists[0], "--styles"), values.seeds(lists[1], "--styles")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Look:
    """How they look."""

    psi: Annotated[str | None, typed("NUMBER")] = None
    """truncation; 1 by default, below 1 is closer to the average face"""
    cutoff: Annotated[str | None, typed("N")] = None
    """truncate only the first layers"""
    noise: Literal["const", "random", "none"] = "const"
    """the stored noise, fresh noise for each seed, or none"""
    class_: Annotated[str | None, typed("N|random|A,B,…", "class")] = None
    """the class of a conditional model, or a label vector; random: one for each seed, as often as in its data"""
    edits: Annotated[Edits, Flat] = dataclasses.field(default_factory=Edits)

    @property
    def truncation(self) -> dict[str, Any]:
        """The arguments of `jobs.Truncation`; InputError for what is no number."""
        return {
            "psi": None if self.psi is None else values.number(self.psi, "--psi"),
            "cutoff": None if self.cutoff is None else values.natural(self.cutoff, "--cutoff"),
            "class_idx": values.label(self.class_),
        }


@dataclasses.dataclass(frozen=True, kw_only=True)
class Output:
    """What is written."""

    out: Annotated[str, typed("PLACE")]
    """a folder for seed0000.png, …; x.png (.jpg, .webp), all as one picture; x.zip, the official data
    set; or x.tar, a WebDataset (of a part, x-0-of-8.tar); may be gs://…"""
    format: Form = "png"
    """of the images"""
    grid: bool = False
    """also write all images as one, grid.png"""
    save_w: bool = False
    """also write the ws that were shown, w.npz: --w reads it"""
    overwrite: bool = False
    """replace images of another model or setting"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Machine:
    """Who does it."""

    batch: Annotated[str | None, typed("N")] = None
    """images per device and step (default: by model and kind of device); an image depends on nothing else of its job"""
    devices: Annotated[str | None, typed("N")] = None
    """how many local devices take part; all by default"""
    parallel: Literal["shard_map", "pmap"] = "shard_map"
    """how they are driven; the images are the same"""
    dtype: Literal["float32", "tf32", "bfloat16", "float16"] = "float32"
    """of the convolutions"""
    plan: Literal["auto", "plain", "prepared"] = "auto"
    """prepared takes longer to compile and less for each image; auto: for all but small models"""
    part: Annotated[str | None, typed("I/N")] = None
    """do part I of N, counted from 0 (0/8 … 7/8); parts need not know of each other, nor run at the same time"""
    distributed: bool = False
    """find I and N: in a TPU pod, a SLURM job or array, or from jax.distributed"""

    @property
    def options(self) -> dict[str, Any]:
        """The arguments of `batching.choose`; InputError for what is no number."""
        return {
            "batch": None if self.batch is None else values.natural(self.batch, "--batch", low=1),
            "devices": None if self.devices is None else values.natural(self.devices, "--devices", low=1),
            "parallel": self.parallel,
            "dtype": self.dtype,
            "plan": self.plan,
        }

    def find_part(self, submitted: Callable[[], Array | None]) -> Part:
        """The share of this process; InputError for what is none.

        Args:
          submitted: asks the output for the job array that began it.
        """
        if self.distributed and self.part is not None:
            raise InputError("--distributed finds the part", "leave --part out")
        return (
            discover(submitted=submitted())
            if self.distributed
            else parse(self.part)
            if self.part is not None
            else Part()
        )
