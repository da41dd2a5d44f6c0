"""docs/architecture.md against the tree: every room is on the page, and everything the page names is there."""

import re

from tests.golden_data import ROOT
from tests.test_floors import FLOORS, PACKAGES, modules

PAGE = (ROOT / "docs" / "architecture.md").read_text()
FOLDERS = (
    "",
    *(f"{room.replace('.', '/')}/" for floor in FLOORS for room in floor),
    "stylegan_jax/",
    "stylegan_jax/train/augment/",
)


def test_every_path_on_the_page_exists():
    for path in re.findall(r"`((?:stylegan_jax|convert|interp|tests|scripts|docs)?[\w/]*(?:/|\.py))`", PAGE):
        assert any((ROOT / folder / path).exists() for folder in FOLDERS), path


def test_every_room_stands_on_its_floor_and_every_module_it_names_is_in_it():
    rows = [
        [cell.strip() for cell in row.strip("|").split("|")] for row in PAGE.splitlines() if re.match(r"\| \d ", row)
    ]
    names = {name.rpartition(".")[2] for name in modules()} | {"train", "data", "augment", "downloads", "pickles"}
    for floor, room, text in rows:
        room = room.strip("`").rstrip("/").replace("/", ".")
        place = "ground" if room == "stylegan_jax.*.py" else room
        assert place in FLOORS[int(floor)], room
        folder = ROOT / room.replace(".*.py", "").replace(".", "/")
        for word in re.findall(r"`(\w+)/?`", text):
            assert list(folder.rglob(f"{word}.py")) or (folder / word).is_dir(), f"{room}: {word}"
            assert word in names
    assert {room for floor in FLOORS[:-1] for room in floor} == {
        "ground" if "*" in row[1] else row[1].strip("`").rstrip("/").replace("/", ".") for row in rows
    }


def test_the_folders_of_the_tests_are_those_of_the_packages():
    rooms = {room.removeprefix("stylegan_jax.") for floor in FLOORS for room in floor} - {"ground", "doors"}
    assert {path.parent.name for path in (ROOT / "tests").glob("*/__init__.py")} == rooms
    assert set(PACKAGES) >= {"convert", "interp"}
