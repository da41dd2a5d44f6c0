"""The GPU day: what `scripts/gpu_day` does, stage by stage, writing as it goes."""

import argparse
import json
import math
import os
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
FLAGS = "--xla_gpu_enable_triton_gemm=false --xla_gpu_autotune_level=2"  # tuning takes longer than it saves


def main() -> int:
    """Packs, or trains and measures."""
    options = arguments()
    if options.pack:
        import packing

        packing.pack(options.pack, options.images)
        return 0
    os.environ.setdefault("XLA_FLAGS", FLAGS)
    os.environ.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", "0.6")
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(options.work / "compiled"))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5")
    options.out.mkdir(parents=True, exist_ok=True)
    (options.work / "cache").mkdir(parents=True, exist_ok=True)
    report = Report(options.out / "gpu_day.json", options.work / "report.json")
    report.note("options", {key: str(value) for key, value in vars(options).items()})
    import pair
    import speed

    report.note("machine", speed.machine())
    if "pair" in options.steps:
        pair.train(options, report)
    if "sampling" in options.steps:
        speed.measure(options, report)
    report.log("done")
    return 0


def arguments() -> argparse.Namespace:
    """The command line; times are in seconds from the start of this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", type=Path, metavar="IMAGES")
    parser.add_argument("--images", type=Path, default=Path(".gpu_day"), help="where the packed images are")
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT", "out/gpu_day")))
    parser.add_argument("--work", type=Path, default=Path("/tmp/gpu_day"), help="state to go on from")
    parser.add_argument("--steps", type=lambda text: text.split(","), default=["pair", "sampling"])
    parser.add_argument("--portraits-until", type=float, default=380, help="when the base stops training")
    parser.add_argument("--toons-until", type=float, default=540, help="when the fine-tune stops")
    parser.add_argument("--until", type=float, default=640, help="when all of it ends")
    parser.add_argument("--calls", type=float, default=math.inf, help="of a program, at most, in either stage")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--profile", action="store_true", help="time the kernels of one call")
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    if options.smoke:
        options.portraits_until, options.toons_until, options.until = math.inf, math.inf, math.inf
        options.batch, options.calls = 4, 3
    return options


class Report:
    """Numbers and messages, on disk after every one of them."""

    def __init__(self, path: Path, kept: Path):
        self._begun, self._paths = time.monotonic(), (path, kept)
        self.found = json.loads(kept.read_text()) if kept.exists() else {}
        self.found.setdefault("log", [])

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._begun

    def note(self, key: str, value: object) -> None:
        """Sets one entry."""
        self.found[key] = value
        self._write()

    def add(self, key: str, value: object) -> None:
        """Appends to one list."""
        self.found.setdefault(key, []).append(value)
        self._write()

    def log(self, message: str) -> None:
        """One line, on the screen too."""
        line = f"[{self.seconds:6.1f}] {message}"
        print(line, flush=True)
        self.add("log", line)

    def _write(self) -> None:
        for path in self._paths:
            path.write_text(json.dumps(self.found, indent=1, default=str))


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent / "benchmarks"))
    sys.exit(main())
