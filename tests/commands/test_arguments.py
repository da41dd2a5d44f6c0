"""What people type reaches the commands, in their own order and in the words of other programs."""

from typing import Annotated

import pytest
import tyro

from stylegan_jax.commands import arguments
from stylegan_jax.errors import InputError


def command(
    model: tyro.conf.Positional[str],
    /,
    *,
    seeds: str = "",
    psi: str = "",
    out: str = "",
    grid: bool = False,
    sheet: bool = True,
    w: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = (),
    paired: tuple[str, ...] = (),
    class_: Annotated[str, tyro.conf.arg(name="class")] = "",
) -> None:
    """For these tests."""


def arranged(*typed: str) -> list[str]:
    return arguments.arranged(typed, arguments.known(command), {"--network": ""})


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (("--grid", "m", "--psi", "0.5"), ("m", "--grid", "--psi", "0.5")),
        (("--psi", "-0.5", "m"), ("m", "--psi", "-0.5")),
        (("--network", "m.pkl", "--seed=5", "--trunc=0.7"), ("m.pkl", "--seeds", "5", "--psi", "0.7")),
        (("--network=m.pkl", "--outdir", "x"), ("m.pkl", "--out", "x")),
        (("m", "--seeds", "1", "2", "4-5"), ("m", "--seeds", "1,2,4-5")),
        (("--seeds", "1..3", "m"), ("m", "--seeds", "1..3")),
        (("m", "--w", "a.npy", "b.npz:x", "--w", "c.npy"), ("m", "--w", "a.npy", "--w", "b.npz:x", "--w", "c.npy")),
        (("--w", "a.pt", "m.pt"), ("m.pt", "--w", "a.pt")),
        (("m", "--w", "a.pt", "b.pt"), ("m", "--w", "a.pt", "--w", "b.pt")),
        (("m", "--paired", "a", "b", "--grid"), ("m", "--paired", "a", "b", "--grid")),
        (("--no-sheet", "m"), ("m", "--no-sheet")),
        (("--class", "1", "m"), ("m", "--class", "1")),
        (("--out", "x", "--", "-m.pkl"), ("--out", "x", "--", "-m.pkl")),
    ],
)
def test_what_is_typed_is_arranged_for_the_parser(typed, meant):
    assert arranged(*typed) == list(meant)


@pytest.mark.parametrize("typed", [("--psi", "1", "--psi", "1"), ("--psi", "1", "--trunc=2"), ("--grid", "--grid")])
def test_an_option_that_is_given_twice_is_refused(typed):
    with pytest.raises(InputError, match=f"{typed[0]}: given twice"):
        arranged("m", *typed)
