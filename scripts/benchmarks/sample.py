"""Speed of sampling: milliseconds, images per second, multiples of the machine's own matmul rate, memory, compiling.

scripts/bench sample --resolutions 256,1024 --batches 1,4 --plans plain,prepared --json bench.json
scripts/bench sample --parts precision,alpha,devices,command
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sample_runs import PARTS, Case, grid

from stylegan_jax.commands import cli


def main(argv: list[str] | None = None) -> None:
    """Prints a table for each part; the same as JSON where `--json` says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resolutions", type=numbers, default=[256], help="of config-f generators, random weights")
    parser.add_argument("--batches", type=numbers, default=[1, 4])
    parser.add_argument("--dtypes", type=words, default=["float32"], help="float32, tf32, bfloat16, float16")
    parser.add_argument("--plans", type=words, default=["plain", "prepared"])
    parser.add_argument("--parts", type=words, default=["grid"], help=f"grid, {', '.join(PARTS)}")
    parser.add_argument("--runs", type=int, default=9, help="timed runs of each case")
    parser.add_argument("--model", default="portraits", help="for the command and the precisions")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    cli.set_up_jax()
    found: dict[str, Any] = {}
    for part in options.parts:
        measure: Callable[..., list[dict[str, Any]]] = grid if part == "grid" else PARTS[part]
        found[part] = measure(cases(options), options)
        table(part, found[part])
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


def numbers(text: str) -> list[int]:
    """`1,4` → [1, 4]."""
    return [int(part) for part in text.split(",")]


def words(text: str) -> list[str]:
    """`a,b` → ["a", "b"]."""
    return text.split(",")


def cases(options: argparse.Namespace) -> list[Case]:
    """Every combination that was asked for."""
    return [
        Case(resolution, batch, dtype, plan)
        for resolution in options.resolutions
        for batch in options.batches
        for dtype in options.dtypes
        for plan in options.plans
    ]


def table(title: str, rows: list[dict[str, Any]]) -> None:
    """Rows of one shape, under the names of their columns."""
    print(f"\n{title}")
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = [columns, *([shown(row.get(name, "")) for name in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    for line in cells:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))
    sys.stdout.flush()


def shown(value: Any) -> str:
    """Numbers with three digits at least."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


if __name__ == "__main__":
    main()
