"""Cases of the sampler and of what images are written to."""

import numpy as np
from PIL import Image

import stylegan_jax as sj
from stylegan_jax.pictures import images
from stylegan_jax.sampler import latents, run
from stylegan_jax.scores import metrics
from tests.commands.remedies.case import Case
from tests.commands.remedies.steps import both, file, model, ran, removed

MODEL = "ffhq.safetensors"
SEEDS = f"{MODEL} --out faces --seeds"
SAMPLE = f"{SEEDS} 0"

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
    Case(
        "stylegan_jax/storage/inputs.py",
        "{}",
        lambda: images.read("no.png"),
        follow=lambda: images.read("photos/0.png"),
    ),
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


CASES = [*_SAMPLER, *_OUTPUTS]
