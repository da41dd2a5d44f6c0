import hashlib
import importlib.util
import json
import os
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from interp import filming
from interp.film import film
from stylegan_jax.commands import cli
from stylegan_jax.editing import directionfile, finding
from stylegan_jax.errors import InputError
from stylegan_jax.pictures import images, video
from tests.interp.test_film_command import frames
from tests.interp.test_loudness import burst, save
from tests.saved_models import BASE, PAIR, TRANSFER, save_models
from tests.tiny_models import tiny_model

SHORT = ("--seconds", "1", "--fps", "7", "--size", "16")
WALK = (*PAIR, "--seeds", "1..5,2..3", "--schedule", "swap=4", *SHORT)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """Two models, and directions of the first."""
    folder = tmp_path_factory.mktemp("shelf")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        save_models(BASE, TRANSFER, img_resolution=8)
        directionfile.write("d.npz", finding.sefa(tiny_model(0, img_resolution=8), 2))
    return folder


@pytest.fixture
def folder(shelf, tmp_path, monkeypatch):
    shutil.copytree(shelf, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    return cli.run(film, "python -m interp.film", arguments)


def digests(folder):
    return {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in sorted(os.listdir(folder))
        if name.endswith((".png", ".json"))
    }


def test_a_folder_of_frames_is_finished_when_the_command_is_run_again_and_equals_one_that_was_not_stopped(
    folder, capsys
):
    assert run(*WALK, "--out", "whole") == 0
    shutil.copytree("whole", "stopped")
    for number in (1, 4, 5):
        os.unlink(f"stopped/frame{number:05d}.png")
    capsys.readouterr()
    assert run(*WALK, "--out", "stopped") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "wrote stopped: 7 frames, 1 s, 4 of them were there"
    assert digests(folder / "stopped") == digests(folder / "whole") and len(digests(folder / "whole")) == 8


def test_frames_that_are_there_are_not_drawn_again(folder, monkeypatch):
    assert run(*WALK, "--out", "whole") == 0
    monkeypatch.setattr("interp.rendering.Renderer.images", lambda *arguments, **options: pytest.fail("drawn again"))
    assert run(*WALK, "--out", "whole") == 0


@pytest.mark.parametrize(
    "change", [("--seeds", "--psi 0.5 --seeds"), ("1..5", "1..6"), ("--fps 7", "--fps 8"), ("swap=4", "swap=8")]
)
def test_frames_of_other_settings_are_kept_unless_they_may_be_replaced(folder, capsys, change):
    assert run(*WALK, "--out", "frames") == 0
    before = digests(folder / "frames")
    other = " ".join(WALK).replace(*change).split()
    assert run(*other, "--out", "frames") == 2
    shown = capsys.readouterr().err
    assert "holds images made with" in shown and "--overwrite" in shown and digests(folder / "frames") == before
    assert run(*other, "--out", "frames", "--overwrite") == 0
    assert digests(folder / "frames") != before


def test_edits_of_another_file_of_the_same_name_are_other_settings(folder):
    typed = (*WALK, "--edit", "sefa0=-2..2", "--directions", "d.npz", "--out", "frames")
    assert run(*typed) == 0
    directionfile.write("d.npz", finding.sefa(tiny_model(5, img_resolution=8), 2), overwrite=True)
    assert run(*typed) == 2


def test_every_frame_says_what_made_it(folder):
    assert run(*WALK, "--psi", "0.2..1", "--out", "frames") == 0
    note = images.made_by("frames/frame00003.png")
    assert note["psi"] == "0.2..1" and note["frames"] == 7 and note["image"] == "frame00003.png"
    assert [model["path"] for model in note["models"]] == [BASE, TRANSFER]


def test_a_folder_of_frames_is_joined_to_a_film_at_its_rate_or_another(folder, capsys):
    assert run(*WALK, "--out", "frames") == 0
    assert run("--frames", "frames", "--out", "film.gif") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "wrote film.gif: 7 frames, 1 s"
    assert run("--frames", "frames", "--fps", "14", "--out", "fast.webp") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "wrote fast.webp: 7 frames, 0.5 s"
    assert len(frames("film.gif")) == 7 and frames("film.gif")[0].shape == (16, 32, 3)
    with Image.open("film.gif") as picture:
        assert b"models" in picture.info["comment"]


@pytest.mark.parametrize("kind", ["missing", "foreign", "hostile", "none"])
def test_a_folder_that_holds_no_whole_film_is_not_joined(folder, capsys, kind):
    assert run(*WALK, "--out", "frames") == 0
    if kind == "missing":
        os.unlink("frames/frame00002.png")
    if kind == "foreign":
        os.unlink("frames/manifest.json")
    if kind == "hostile":
        (folder / "frames" / "manifest.json").write_text(json.dumps({"frames": 10**12, "fps": 1}))
    capsys.readouterr()
    assert run("--frames", "gone" if kind == "none" else "frames", "--out", "film.gif") == 2
    shown = capsys.readouterr().err
    assert shown.startswith("error: ") and shown.count("\n") == 1 and not (folder / "film.gif").exists()


@pytest.mark.parametrize("path", ["circle", "noise"])
def test_a_path_that_goes_round_closes_without_being_asked_to(folder, path):
    typed = (*PAIR, "--seeds", "3", "--path", path, "--schedule", "swap=4", "--seconds", "3", "--fps", "8")
    assert run(*typed, "--size", "16", "--out", "round") == 0
    found = [frame.astype(int) for _, frame in filming.filmed("round").draw(range(24))]
    steps = [np.abs(one - two).mean() for one, two in zip(found, [*found[1:], found[0]], strict=True)]
    assert steps[-1] <= max(steps[:-1]) and max(steps) > 0


def test_everything_that_moves_moves_at_once(folder):
    typed = (*PAIR, "--seeds", "1,2", "--path", "noise", "--diameter", "2", "--psi", "0.2..1", "--swap", "2..8")
    typed += ("--edit", "sefa0=-3..3:0-1", "--edit", "sefa1=1", "--directions", "d.npz", "--mix", "3:2-3")
    assert run(*typed, *SHORT, "--audio", save("s.wav", burst()), "--audio-to", "edit", "--out", "all.webp") == 0
    assert len(frames("all.webp")) == 7


def test_a_film_is_as_long_as_its_sound(folder, capsys):
    typed = (*PAIR, "--seeds", "1", "--alpha", "0..1", "--fps", "6", "--size", "16")
    assert run(*typed, "--audio", save("s.wav", burst()), "--out", "loud") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "wrote loud: 12 frames, 2 s"
    still, loud = (images.read(f"loud/frame{i:05d}.png").astype(int) for i in (0, 6))
    assert np.abs(still - loud).mean() > 1


def test_a_spline_leads_through_ws_of_files(folder):
    ws = np.random.RandomState(0).standard_normal((3, 4, 16)).astype(np.float32)
    np.save("w.npy", ws)
    typed = (*PAIR, "--w", "w.npy", "--walk", "--path", "spline", "--schedule", "swap=4", *SHORT)
    assert run(*typed, "--out", "spline") == 0
    straight = [word for word in typed if word not in ("--path", "spline")]
    assert run(*straight, "--out", "linear") == 0
    for number in (0, 3, 6):  # both pass the three at these
        one, two = (images.read(f"{each}/frame{number:05d}.png") for each in ("spline", "linear"))
        np.testing.assert_array_equal(one, two)


@pytest.mark.skipif(not importlib.util.find_spec("av"), reason="needs PyAV (the extra video)")
@pytest.mark.parametrize(("suffix", "kinds"), [(".mp4", ["h264", "aac"]), (".webm", ["vp9", "opus"])])
def test_a_video_carries_its_sound(folder, suffix, kinds):
    av = importlib.import_module("av")
    typed = (*PAIR, "--seeds", "1", "--alpha", "0..1", "--fps", "6", "--size", "64")
    assert run(*typed, "--audio", save("s.wav", burst()), "--out", f"x{suffix}") == 0
    with av.open(f"x{suffix}") as container:
        assert [stream.codec_context.name for stream in container.streams] == kinds
        assert container.duration / 1e6 == pytest.approx(2, abs=0.1)


@pytest.mark.skipif(not importlib.util.find_spec("av"), reason="needs PyAV (the extra video)")
def test_what_is_no_sound_is_not_carried_and_leaves_no_video(folder, capsys):
    assert run(*WALK, "--out", "frames") == 0
    capsys.readouterr()
    assert run("--frames", "frames", "--out", "silent.mp4") == 0
    for file in ("d.npz", "silent.mp4"):
        assert run("--frames", "frames", "--audio", file, "--out", "x.mp4") == 2
        shown = capsys.readouterr().err
        assert shown == f"error: {file}: is no sound that PyAV can read — save it as a 16-bit WAV\n"
        assert not (folder / "x.mp4").exists()
    assert run("--frames", "frames", "--audio", save("s.wav", burst()), "--out", "x.mp4") == 0


@pytest.mark.skipif(not importlib.util.find_spec("av"), reason="needs PyAV (the extra video)")
@pytest.mark.parametrize(("at", "value"), [(22, 0), (22, 1000), (22, 65535), (34, 0), (34, 40), (24, 0)])
def test_a_sound_of_a_strange_header_is_refused(folder, at, value):
    frames = [np.zeros((16, 16, 3), np.uint8)] * 3
    whole = bytearray((folder / save("s.wav", burst())).read_bytes())
    whole[at : at + 2] = value.to_bytes(2, "little")
    (folder / "s.wav").write_bytes(whole)
    with open("x.mp4", "wb") as file, pytest.raises(InputError, match="is no sound that PyAV can read"):
        video.write(file, iter(frames), suffix=".mp4", fps=6, note="", sound="s.wav")


@pytest.mark.parametrize(
    ("said", "unsaid"),
    [(("--psi", "0.70"), ()), (("--seconds", "1.0"), ()), (("--path", "linear"), ()), (("--fps", "07"), ())],
)
def test_a_default_that_is_said_is_no_other_setting(folder, said, unsaid):
    assert run(*WALK, *unsaid, "--out", "frames") == 0
    typed = list(WALK)
    if said[0] in typed:
        typed[typed.index(said[0]) + 1] = said[1]
    else:
        typed += said
    assert run(*typed, "--out", "frames") == 0


def test_a_frame_without_contents_is_made_again_and_a_damaged_one_is_told(folder, capsys):
    assert run(*WALK, "--out", "frames") == 0
    before, frame = digests(folder / "frames"), folder / "frames" / "frame00002.png"
    whole = frame.read_bytes()
    for damaged in (b"", whole[:100]):
        frame.write_bytes(damaged)
        capsys.readouterr()
        assert run("--frames", "frames", "--out", "film.gif") == 2
        assert "frame00002.png" in (shown := capsys.readouterr().err) and shown.endswith(
            "remove it, and make the frames again\n"
        )
    frame.write_bytes(b"")
    assert run(*WALK, "--out", "frames") == 0
    assert digests(folder / "frames") == before


def test_outputs_that_carry_no_sound_refuse_one_and_a_carried_one_must_be_there(folder, capsys):
    assert run(*WALK, "--out", "frames") == 0
    (folder / "k.yaml").write_text("frames: [{time: 0, seeds: 1, schedule: swap=4}, {time: 1, seeds: 2}]")
    for made in (("--frames", "frames"), (*PAIR, "--keyframes", "k.yaml")):
        capsys.readouterr()
        assert run(*made, "--audio", "nope.wav", "--out", "x.webp") == 2
        assert "x.webp: .webp carries no sound — leave --audio out" in capsys.readouterr().err
        assert run(*made, "--audio", "nope.wav", "--out", "x.mp4") == 2
        told = "nope.wav: no such file" if importlib.util.find_spec("av") else "needs PyAV"
        assert told in capsys.readouterr().err
    assert run(*PAIR, "--keyframes", "k.yaml", "--audio", "nope.wav", "--out", "other") == 2
    assert not (folder / "other").exists() and not (folder / "x.webp").exists()


@pytest.mark.parametrize(
    ("timing", "message"),
    [
        ("--seconds 3600 --fps 10 --size 512", "36000 frames are too many for .gif"),
        ("--seconds 1 --fps 51 --size 16", "a GIF shows no more than 50 frames a second, not 51"),
    ],
)
def test_what_a_gif_cannot_hold_is_refused_before_anything_is_drawn(folder, capsys, monkeypatch, timing, message):
    monkeypatch.setattr("interp.rendering.Renderer.images", lambda *arguments, **options: pytest.fail("drawn"))
    assert run(*PAIR, "--schedule", "swap=4", *timing.split(), "--out", "x.gif") == 2
    assert re.search(message, capsys.readouterr().err) and not (folder / "x.gif").exists()


BAD = {
    "--path slerp leads through z": ("--w", "w.npy", "--path", "slerp"),
    "--path noise begins and ends at one seed": ("--seeds", "1..5", "--path", "noise"),
    "--path spline: nothing walks": ("--path", "spline"),
    "--diameter 2: must be a finite number from 0.01 to 1": ("--path", "circle", "--diameter", "2"),
    "--psi 0..x: not a span": ("--psi", "0..x"),
    "--edit 3..x: not a span": ("--edit", "sefa0=3..x", "--directions", "d.npz"),
    "--edit sefa9: no such direction": ("--edit", "sefa9=1..2", "--directions", "d.npz"),
    "--mix: the model has no layer 9": ("--mix", "7:9"),
    "--mix 7,8: more than one seed": ("--mix", "7,8"),
    "gone.wav: no such file": ("--audio", "gone.wav", "--seeds", "1..2", "--audio-to", "speed"),
    "gone.yaml: no such file": ("--keyframes", "gone.yaml"),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_ends_with_2_one_line_and_no_film(folder, capsys, message):
    before = set(folder.iterdir())
    rule = () if "gone.yaml" in message else ("--schedule", "swap=4", *SHORT)
    assert run(*PAIR, *rule, *BAD[message], "--out", "x.gif") == 2
    shown = capsys.readouterr().err
    assert shown.startswith(f"error: {message}") and shown.count("\n") == 1
    assert set(folder.iterdir()) == before
