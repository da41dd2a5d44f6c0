"""Cases of what all commands share, and of the options of `sample`."""

from stylegan_jax.storage import parts
from tests.commands.remedies.case import Case

MODEL = "ffhq.safetensors"
SEEDS = f"{MODEL} --out faces --seeds"
SAMPLE = f"{SEEDS} 0"

ARGUMENTS, CLI = "stylegan_jax/commands/arguments.py", "stylegan_jax/commands/cli.py"
VALUES = "stylegan_jax/values.py"
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
    Case(VALUES, RANGES, "sample", f"{SEEDS} x", follow=[f"{SEEDS} 0-3", f"{SEEDS} 0-2,4"]),
    Case(VALUES, RANGES, "sample", f"{MODEL} --styles 0xy --out faces", follow=f"{MODEL} --styles 0x1 --out faces"),
    Case(VALUES, "choose a smaller one", "sample", f"{SEEDS} 4294967296", follow=f"{SEEDS} 4294967295"),
    Case(VALUES, "write {}-{}", "sample", f"{SEEDS} 3-1"),
    Case(VALUES, "write {}-{}", "sample", f"{SAMPLE} --layers 3-1", follow=f"{SAMPLE} --layers 1-3"),
    Case(VALUES, "split the work", "sample", f"{SEEDS} 0-10000000", follow=[f"{SEEDS} 0-3", f"{SEEDS} 4-7"]),
    *[Case(VALUES, NUMBER, "sample", f"{SAMPLE} --psi {value}") for value in ("much", "nan")],
    *[
        Case(
            VALUES,
            NUMBER,
            "film",
            f"ffhq.safetensors toon.safetensors --swap 4..8 --fps 1 --size 16 --out x.gif --seeds 0 --seconds {value}",
        )
        for value in ("much", "-1")
    ],
    *[
        Case(VALUES, WHOLE, "sample", f"{SAMPLE} --{flag} {value}")
        for flag, value in (("batch", "0"), ("cutoff", "x"), ("devices", "0"))
    ],
    Case(VALUES, WHOLE, "figures", "strip ffhq.safetensors toon.safetensors --seeds 0 --out x.png --cell 5"),
    Case(VALUES, WHOLE, "sample", "classes.safetensors --seeds 0 --out faces --class first"),
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

CASES = [*_CLI, *_SAMPLE, *_PARTS]
