"""What a read opens, as the system sees it: audit hooks do not see TensorStore, nor any other C++."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import convert
from stylegan_jax.storage import checkpoint
from tests.test_floors import ROOT
from tests.tiny_models import tiny_model

_OPENED = re.compile(r'open(?:at2?)?\((?:AT_FDCWD|\d+(?:<[^>]*>)?), "([^"]*)"')
_SYSTEM = ("/proc/", "/sys/", "/dev/", "/etc/", "/usr/", "/lib", "/run/")
PROGRAM = """
import sys, convert
for _ in range(2):  # whatever is imported late
    convert.read(sys.argv[1])
try:
    open("/from here on")
except OSError:
    convert.read(sys.argv[2])
"""


def opened(before, path, log):
    """Every file that is opened while `path` is read, after `before` was."""
    command = ["strace", "-f", "-e", "trace=open,openat,openat2", "-o", str(log), sys.executable, "-c", PROGRAM]
    done = subprocess.run([*command, str(before), str(path)], cwd=ROOT, capture_output=True, text=True, timeout=300)
    if "Operation not permitted" in done.stderr:
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr[-2000:]
    names = _OPENED.findall(log.read_text())
    return set(names[names.index("/from here on") + 1 :])


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize("name", ["m", "m.safetensors", "m.pkl", "m.pt"])
def test_a_read_opens_the_model_and_nothing_else(tmp_path, name):
    for folder in ("before", "model"):
        (tmp_path / folder).mkdir()
        convert.write(tiny_model(img_resolution=8), tmp_path / folder / name)
    path = tmp_path / "model" / name
    found = opened(tmp_path / "before" / name, path, tmp_path / "log")
    libraries = (str(ROOT), *(str(Path(place).resolve()) for place in (sys.prefix, sys.base_prefix)), *_SYSTEM)
    own = {each for each in found if each.startswith(str(path))}
    others = {each for each in found - own if not each.startswith((*libraries, sys.prefix))}
    if name == "m":  # TensorStore names what it opens from the folder it is in
        parts = {file.name for file in path.rglob("*")}
        others = {each for each in others if Path(each).name not in parts or each.startswith("/")}
    assert own and not others, others


def test_a_checkpoint_folder_is_read_from_what_its_manifest_lists(tmp_path):
    path = checkpoint.save(tiny_model(img_resolution=8), tmp_path / "m")
    listed = checkpoint._open(path)[0]["files"]
    there = {file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()}
    assert there == {*listed, checkpoint.MANIFEST}
