"""Cases of what all commands share, of `sample` and what it writes."""

import os
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

import stylegan_jax as sj
from stylegan_jax.pictures import images
from stylegan_jax.sampler import latents, run
from stylegan_jax.scores import metrics
from stylegan_jax.storage import parts
from tests.commands.remedies import running
from tests.commands.remedies.case import Case
from tests.tiny_models import tiny_model

MODEL = "ffhq.safetensors"
SEEDS = f"{MODEL} --out faces --seeds"
SAMPLE = f"{SEEDS} 0"


def ran(*typed: str):
    """A step that samples before."""

    def build():
        for each in typed:
            assert running.run("sample", each.split()) == 0

    return build


def file(name: str, content: bytes = b"something else"):
    """A step that writes a file, and its folder."""

    def build():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(content)

    return build


def both(*steps):
    """Steps one after the other."""

    def build():
        for step in steps:
            step()

    return build


def removed(*names: str):
    """What a user clears away."""

    def build():
        for name in names:
            shutil.rmtree(name) if os.path.isdir(name) else os.remove(name)

    return build


def model(name: str, **fields):
    """A step that saves a further model."""
    return lambda: sj.save(tiny_model(0, **fields), name)


ARGUMENTS, CLI = "stylegan_jax/commands/arguments.py", "stylegan_jax/commands/cli.py"
NO_OPTION, HELP = "{}{} --help lists all", "{} --help explains its options"
RANGES, WHOLE, NUMBER = "write numbers and ranges such as 0-35,40", "write a whole number {}", "write one such as {}"
_CLI = [
    Case(ARGUMENTS, "pass {} once", "sample", f"{SAMPLE} --psi 0.5 --psi 0.7"),
    Case(ARGUMENTS, NO_OPTION, "sample", f"{SAMPLE} --psy 0.5"),
    Case(ARGUMENTS, NO_OPTION, "blend", "ffhq.safetensors toon.safetensors --swop 8 --no-sheet --out x.safetensors"),
    Case(ARGUMENTS, NO_OPTION, "convert", f"{MODEL} x.safetensors --overwite"),
    Case(ARGUMENTS, NO_OPTION, "models", "--zzzzzz"),
    *[Case(CLI, HELP, command, "", follow="--help") for command in ("convert", "sample", "train")],
    Case(CLI, HELP, "sample", f"{SAMPLE} --parallel all"),
    Case(CLI, RANGES, "sample", f"{SEEDS} x", follow=[f"{SEEDS} 0-3", f"{SEEDS} 0-2,4"]),
    Case(CLI, RANGES, "sample", f"{MODEL} --styles 0xy --out faces", follow=f"{MODEL} --styles 0x1 --out faces"),
    Case(CLI, "choose a smaller one", "sample", f"{SEEDS} 4294967296", follow=f"{SEEDS} 4294967295"),
    Case(CLI, "write {}-{}", "sample", f"{SEEDS} 3-1"),
    Case(CLI, "write {}-{}", "sample", f"{SAMPLE} --layers 3-1", follow=f"{SAMPLE} --layers 1-3"),
    Case(CLI, "split the work", "sample", f"{SEEDS} 0-10000000", follow=[f"{SEEDS} 0-3", f"{SEEDS} 4-7"]),
    *[Case(CLI, NUMBER, "sample", f"{SAMPLE} --psi {value}") for value in ("much", "nan")],
    *[
        Case(
            CLI,
            NUMBER,
            "film",
            f"ffhq.safetensors toon.safetensors --swap 4..8 --fps 1 --size 16 --out x.gif --seeds 0 --seconds {value}",
        )
        for value in ("much", "-1")
    ],
    *[
        Case(CLI, WHOLE, "sample", f"{SAMPLE} --{flag} {value}")
        for flag, value in (("batch", "0"), ("cutoff", "x"), ("devices", "0"))
    ],
    Case(CLI, WHOLE, "figures", "strip ffhq.safetensors toon.safetensors --seeds 0 --out x.png --cell 5"),
    Case(CLI, WHOLE, "sample", "classes.safetensors --seeds 0 --out faces --class first"),
    Case(
        "stylegan_jax/commands/models.py",
        "stylegan-jax models lists what was",
        "models",
        "--clear https://h/no.pkl",
        follow="",
    ),
]

OPTIONS, SAMPLING = "stylegan_jax/commands/options.py", "stylegan_jax/commands/sample.py"
_SAMPLE = [
    Case(OPTIONS, "pass one of --seeds, --w, --styles", "sample", f"{MODEL} --out faces"),
    Case(OPTIONS, "pass one of --seeds, --w, --styles", "sample", f"{SAMPLE} --w w.npy"),
    Case(
        OPTIONS,
        "pass --seeds or --w",
        "sample",
        f"{MODEL} --styles 0x1 --paired toon.safetensors --out faces",
        follow=[f"{MODEL} --{what} --paired toon.safetensors --out faces" for what in ("seeds 0", "w w.npy")],
    ),
    Case(
        OPTIONS,
        "pass --w FILE",
        "sample",
        f"{SAMPLE} --w-space w+",
        follow=f"{MODEL} --out faces --w w.npy --w-space w+",
    ),
    Case(
        OPTIONS,
        "use at most 25",
        "sample",
        f"{SAMPLE} --paired {' toon.safetensors' * 26}",
        follow=f"{SAMPLE} --paired {' toon.safetensors' * 2}",
    ),
    Case(OPTIONS, "write for example 85,100x55,821", "sample", f"{MODEL} --styles 0,1 --out faces"),
    Case(OPTIONS, "leave --part out", "sample", f"{SAMPLE} --distributed --part 0/2", follow=f"{SAMPLE}"),
    Case(SAMPLING, "leave --part out", "sample", f"{SAMPLE} --grid --part 0/2"),
    Case(SAMPLING, "leave --part out", "sample", f"{MODEL} --styles 0x1 --out faces --part 0/2"),
    Case(SAMPLING, "name a folder", "sample", f"{MODEL} --styles 0x1 --out faces.zip"),
    Case(SAMPLING, "name a folder", "sample", f"{MODEL} --seeds 0 --grid --out faces.tar"),
    Case(SAMPLING, "name a folder", "sample", f"{MODEL} --seeds 0 --paired toon.safetensors --out faces.zip"),
    Case(SAMPLING, "leave --part out, or name a folder", "sample", f"{MODEL} --seeds 0,1 --part 0/2 --out faces.png"),
]

PSI = "this model has no w_avg to truncate towards"
LATENTS, RUN, JOBS = "stylegan_jax/sampler/latents.py", "stylegan_jax/sampler/run.py", "stylegan_jax/sampler/jobs.py"
ALIKE, NO_CLASS = "use models of one resolution and w_dim", "leave the class out"
CLASSES = "classes.safetensors --seeds 0 --out faces"


def drawn(name="ffhq", **options):
    """Images by the library."""
    return list(run.sample(sj.load(f"{name}.safetensors"), [0], **options))


_SAMPLER = [
    Case("stylegan_jax/sampler/batching.py", "use 1 or more", lambda: drawn(batch=0), follow=lambda: drawn(batch=1)),
    Case("stylegan_jax/sampler/batching.py", "use 1 to {}", "sample", f"{SAMPLE} --devices 99"),
    Case(
        "stylegan_jax/sampler/prepared.py",
        "use --plan plain",
        "sample",
        "resnet.safetensors --seeds 0 --out faces --plan prepared",
        model("resnet.safetensors", architecture="resnet"),
    ),
    Case(
        JOBS,
        ALIKE,
        "sample",
        f"{MODEL} --w w.npy --paired large.safetensors --out faces",
        follow=f"{MODEL} --w w.npy --paired toon.safetensors --out faces",
    ),
    Case(RUN, ALIKE, "sample", f"{SAMPLE} --paired large.safetensors", follow=f"{SAMPLE} --paired toon.safetensors"),
    Case(JOBS, NO_CLASS, "sample", f"{MODEL} --w w.npy --out faces --class 1"),
    Case(JOBS, "leave psi out", "sample", "flat.safetensors --w w.npy --psi 0.5 --out faces"),
    Case(RUN, "use psi 1", "sample", "flat.safetensors --seeds 0 --psi 0.5 --out faces"),
    Case(
        RUN,
        "use a number such as 0.7",
        lambda: drawn(truncation_psi=float("nan")),
        follow=lambda: drawn(truncation_psi=0.7),
    ),
    Case(
        RUN,
        "take a model with G_ema",
        lambda: run.map_seeds(sj.load("g.safetensors"), [0]),
        follow=lambda: run.map_seeds(sj.load("whole.safetensors"), [0]),
    ),
    Case(
        LATENTS,
        "use seeds from 0 to {}",
        lambda: latents.z_from_seeds([-1], 4),
        follow=lambda: latents.z_from_seeds([0, 4294967295], 4),
    ),
    Case(LATENTS, NO_CLASS, "sample", f"{SAMPLE} --class 1"),
    Case(LATENTS, NO_CLASS, "sample", f"{SAMPLE} --class random"),
    Case(LATENTS, "pass one from 0 to {}", "sample", CLASSES),
    Case(LATENTS, "use 0 to {}", "sample", f"{CLASSES} --class 7"),
    Case(LATENTS, "use 0 to {}", "sample", f"{MODEL} --styles 0x1 --layers 0-9 --out faces"),
    Case(
        LATENTS,
        "leave the class out|pass {} numbers with commas",
        "sample",
        f"{CLASSES} --class 0.5,0.5",
        follow=f"{CLASSES} --class 0.5,0.5,0",
    ),
    Case(LATENTS, "leave the class out|pass {} numbers with commas", "sample", f"{SAMPLE} --class 0.5,0.5"),
    Case("stylegan_jax/scores/metrics.py", "give {} or more on either side", lambda: kid(1), follow=lambda: kid(2)),
]


def kid(count):
    """The score of as many images."""
    some = np.random.RandomState(0).standard_normal((count, 4)).astype(np.float32)
    return metrics.kid(some, some, random=np.random.RandomState(0), subsets=1)


ARCHIVES, FOLDERS = "stylegan_jax/pictures/archives.py", "stylegan_jax/pictures/imagefolder.py"
PICTURES, LATENT_FILES = "stylegan_jax/pictures/images.py", "stylegan_jax/pictures/latentfiles.py"
OVERWRITE = "pass --overwrite, or give the output another name"
ANOTHER = "choose another name, or pass --overwrite"
ZIP = f"{MODEL} --out faces.zip --seeds"
_OUTPUTS = [
    Case(ARCHIVES, OVERWRITE, "sample", f"{ZIP} 0", file("faces.zip")),
    Case(ARCHIVES, ANOTHER, "sample", f"{ZIP} 1", ran(f"{ZIP} 0")),
    Case(
        ARCHIVES,
        ANOTHER,
        "sample",
        f"{ZIP} 1",
        both(file(".faces.zip.unfinished/manifest.json", b'{"made_by": {"seeds": "7"}}')),
    ),
    Case(
        ARCHIVES,
        "use the same number of parts, or another name",
        "sample",
        f"{ZIP} 0,1",
        ran(f"{ZIP} 0,1 --part 0/2"),
        follow=[f"{ZIP} 0,1 --part 1/2", f"{MODEL} --out another.zip --seeds 0,1"],
    ),
    Case(
        ARCHIVES,
        "remove it, and the archive beside it",
        "sample",
        f"{ZIP} 0",
        both(file("faces.zip"), file("faces.zip.json")),
        removed("faces.zip", "faces.zip.json"),
    ),
    Case(
        "stylegan_jax/pictures/encoding.py",
        "use png or webp",
        "sample",
        "clear.safetensors --seeds 0 --out faces --format jpg",
        model("clear.safetensors", img_channels=4),
    ),
    Case("stylegan_jax/pictures/encoding.py", "use {}", "diagnose", "ffhq.safetensors toon.safetensors --out x.gif"),
    Case(FOLDERS, "name a folder", "sample", SAMPLE, file("faces")),
    Case(FOLDERS, "choose another folder, or pass --overwrite", "sample", f"{SAMPLE} --psi 0.5", ran(SAMPLE)),
    Case(FOLDERS, "choose another folder", "sample", SAMPLE, file("faces/manifest.json", b'{"files": 3}')),
    Case(FOLDERS, "choose another folder", "sample", SAMPLE, file("faces/holiday.png")),
    Case(
        FOLDERS,
        "move it away, or choose another folder",
        "sample",
        f"{SEEDS} 0-1 --overwrite",
        both(ran(SAMPLE), file("faces/seed0001.png")),
    ),
    Case(
        FOLDERS,
        "move it away, or choose another folder",
        "sample",
        f"{SEEDS} 0-1 --overwrite",
        both(ran(SAMPLE), file("faces/seed0001.png")),
        removed("faces/seed0001.png"),
    ),
    Case(LATENT_FILES, "move it away, or choose another place", "sample", f"{ZIP} 0 --save-w", file("faces.zip.w.npz")),
    Case(
        LATENT_FILES,
        "move it away, or choose another place",
        "sample",
        f"{ZIP} 0 --save-w",
        file("faces.zip.w.npz"),
        removed("faces.zip.w.npz"),
    ),
    Case(
        LATENT_FILES,
        "choose another place, or pass --overwrite",
        "sample",
        f"{ZIP} 1 --save-w",
        both(ran(f"{ZIP} 0 --save-w"), removed("faces.zip", "faces.zip.json")),
    ),
    Case(
        PICTURES,
        "use fewer images",
        lambda: images.check_size(1 << 17, 8),
        follow=lambda: images.check_size(1 << 10, 8),
    ),
    Case(PICTURES, "check the path", lambda: images.read("no.png"), follow=lambda: images.read("photos/0.png")),
    Case(PICTURES, "save it as PNG or JPEG", lambda: images.read("w.npy"), follow=lambda: images.read("photos/0.png")),
    Case(
        PICTURES,
        "save it as an 8-bit PNG",
        lambda: images.read("x.tif"),
        build=lambda: Image.fromarray(np.zeros((4, 4), np.float32)).save("x.tif"),
        follow=lambda: _saved("x.tif", "x.png"),
    ),
]


def _saved(name, other):
    """What an 8-bit PNG of a picture holds."""
    Image.open(name).convert("L").save(other)
    return images.read(other)


PART = "stylegan_jax/storage/parts.py"
TWO = f"{SEEDS} 0-1"
INSTEAD = "pass --part I/N instead"


def found(**environ):
    """The part that a job's environment says."""
    return lambda: parts.discover({key: str(value) for key, value in environ.items()}, submitted=None)


ARRAY = {"SLURM_ARRAY_TASK_MIN": 1, "SLURM_ARRAY_TASK_MAX": 5, "SLURM_ARRAY_TASK_COUNT": 2, "SLURM_ARRAY_TASK_ID": 5}
_PARTS = [
    Case(PART, "write I/N such as 0/8", "sample", f"{TWO} --part 3"),
    Case(PART, "write I/N with N of 1 to {}, such as 0/8", "sample", f"{TWO} --part 0/0"),
    Case(PART, "parts count from 0: use 0/{} to {}/{}", "sample", f"{TWO} --part 2/2"),
    Case(
        PART,
        "submit with --array={}, or any of these tasks",
        lambda: parts.Array(0, 1, 4).position(9),
        follow=lambda: [parts.Array(0, 1, 4).position(task) for task in (0, 3)],
    ),
    Case(
        PART,
        "start it with srun, or pass --part I/N instead",
        found(SLURM_PROCID=0, SLURM_NTASKS=4),
        follow=found(SLURM_PROCID=0, SLURM_NTASKS=4, SLURM_STEP_NUM_TASKS=4, SLURM_STEP_ID=0),
    ),
    Case(
        PART,
        "submit with --array=0-{}, or pass --part I/N instead",
        found(**ARRAY),
        follow=found(**ARRAY | {"SLURM_ARRAY_TASK_MIN": 0, "SLURM_ARRAY_TASK_MAX": 1, "SLURM_ARRAY_TASK_ID": 1}),
    ),
    Case(PART, INSTEAD, found(JAX_NUM_PROCESSES=2, JAX_PROCESS_ID=7), follow=lambda: parts.parse("1/2")),
    Case(
        "stylegan_jax/storage/remote.py",
        "use a folder, gs:// or s3://",
        "sample",
        f"{MODEL} --seeds 0 --out https://h/faces",
        follow=[SAMPLE, f"{MODEL} --seeds 0 --out memory://b/faces"],
    ),
]

CASES = [*_CLI, *_SAMPLE, *_SAMPLER, *_OUTPUTS, *_PARTS]
