import io
import struct
import zlib

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from stylegan_jax.errors import InputError
from stylegan_jax.pictures import images
from tests.golden_data import load_npz

NOISE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


@pytest.mark.parametrize("as_array", [np.asarray, jnp.asarray])
def test_pixels_are_scaled_clipped_and_truncated_as_in_the_official_program(as_array):
    values = as_array(np.array([-2, -1.004, -1, 0, 0.0038, 0.0040, 0.9961, 1, 2], np.float32).reshape(1, 3, 3, 1))
    assert np.asarray(images.to_uint8(values)).ravel().tolist() == [0, 0, 0, 128, 128, 128, 255, 255, 255]


def test_pixels_of_a_golden_image_equal_the_official_ones():
    stored = load_npz("gen/s09_base64.gold.npz")
    ours = images.to_uint8(stored["img_psi07"].transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(ours, stored["uint8_psi07_nhwc"])


def test_training_images_span_minus_one_to_one():
    assert images.to_float(np.array([[[0], [255]]], np.uint8)).ravel().tolist() == [-1, 1]


def test_a_grid_tiles_row_by_row_and_leaves_missing_images_black():
    five = np.arange(1, 6, dtype=np.uint8).reshape(5, 1, 1, 1)
    assert images.grid(five)[..., 0].tolist() == [[1, 2, 3], [4, 5, 0]]
    assert images.grid(five, columns=5)[..., 0].tolist() == [[1, 2, 3, 4, 5]]


def test_a_grid_beyond_the_size_of_an_image_file_is_an_input_error():
    wide = np.broadcast_to(np.uint8(0), (70, 1, 1024, 3))
    with pytest.raises(InputError, match="71680×1 pixels is too large"):
        images.grid(wide, columns=70)


@pytest.mark.parametrize(("size", "shown"), [(512, 256), (256, 256), (200, 200), (64, 128), (4, 128)])
def test_a_sheet_shrinks_large_images_and_enlarges_small_ones(size, shown):
    row = np.full((3, size, size, 3), 77, np.uint8)
    made = images.sheet([row, row], column_labels=["a", "b", "c"])
    assert made.shape == (32 + 2 * (shown + 4), 4 + 3 * (shown + 4), 3)
    assert np.all(made[40 : 40 + shown // 2, 10 : shown // 2] == 77)


def test_a_sheet_enlarges_small_images_smoothly():
    edge = np.zeros((1, 16, 16, 3), np.uint8)
    edge[:, :, 8:] = 255
    cell = images.sheet([edge])[20, 4:-4, 0]
    assert len(np.unique(cell)) > 10  # repeated pixels would leave two levels


def test_a_sheet_shows_title_and_labels_in_its_margins():
    row = np.zeros((2, 128, 128, 1), np.uint8)
    rows, columns = ["base ffhq.pkl", "α = 0.5 × é"], ["seed 0", "seed 1"]
    made = images.sheet([row, row], title="ffhq — toon", row_labels=rows, column_labels=columns)
    left = made.shape[1] - 2 * 132
    dark = made.mean(-1) < 128
    assert dark[:36].any() and dark[40:60, left:].any(), "title and column labels"
    assert dark[60:192, :left].any() and dark[192:, :left].any(), "row labels"


def test_a_png_carries_what_made_it(tmp_path):
    made_by = {"seed": 7, "recipe": {"α": 0.5}}
    images.write_png(tmp_path / "a.png", NOISE, made_by, level=1)
    assert images.made_by(tmp_path / "a.png") == made_by
    np.testing.assert_array_equal(images.read(tmp_path / "a.png"), NOISE)
    with pytest.raises(InputError, match="exists — pass --overwrite"):
        images.write_png(tmp_path / "a.png", NOISE)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_grey_colour_and_alpha_survive_a_png(tmp_path, channels):
    pixels = np.random.default_rng(channels).integers(0, 256, (5, 6, channels), np.uint8)
    images.write_png(tmp_path / "a.png", pixels)
    assert images.made_by(tmp_path / "a.png") == {}
    np.testing.assert_array_equal(images.read(tmp_path / "a.png", channels), pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, orientation):
    upright = Image.fromarray(NOISE)
    turns = Image.Transpose
    undo = {
        2: turns.FLIP_LEFT_RIGHT,
        3: turns.ROTATE_180,
        4: turns.FLIP_TOP_BOTTOM,
        5: turns.TRANSPOSE,
        6: turns.ROTATE_90,
        7: turns.TRANSVERSE,
        8: turns.ROTATE_270,
    }
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(images.read(tmp_path / "a.png"), NOISE)


def test_opaque_pixels_are_those_of_the_file(tmp_path):
    Image.fromarray(NOISE).convert("RGBA").save(tmp_path / "a.png")
    np.testing.assert_array_equal(images.read(tmp_path / "a.png"), NOISE)


def test_sixteen_bit_values_are_scaled_not_clipped(tmp_path):
    values = np.array([[0, 128, 257, 32768, 65535]], np.uint16)
    for name in ("a.png", "a.tiff", "a.pgm"):
        Image.fromarray(values).save(tmp_path / name)
        assert images.read(tmp_path / name)[0, :, 1].tolist() == [0, 0, 1, 128, 255], name


def test_values_beyond_16_bits_and_floats_are_refused(tmp_path):
    for values in (np.array([[0, 1 << 20]], np.int32), np.array([[0.5]], np.float32)):
        Image.fromarray(values).save(tmp_path / "a.tiff")
        with pytest.raises(InputError, match="neither 8 nor 16 bits"):
            images.read(tmp_path / "a.tiff")


def test_odd_colour_modes_become_rgb_with_transparency_turned_white(tmp_path):
    red, clear = (200, 10, 20), (0, 0, 0, 0)
    rgba = Image.new("RGBA", (2, 1), (*red, 255))
    rgba.putpixel((1, 0), clear)
    palette = Image.new("P", (2, 1))
    palette.putpalette([*red, 9, 9, 9])
    palette.putpixel((1, 0), 1)
    cases = {"rgba.png": (rgba, {}), "palette.png": (palette, {"transparency": 1})}
    for name, (picture, options) in cases.items():
        picture.save(tmp_path / name, **options)
        assert images.read(tmp_path / name).tolist() == [[[*red], [255, 255, 255]]], name
    for mode, colour, shown in [("LA", (90, 255), 90), ("1", 1, 255), ("L", 90, 90)]:
        Image.new(mode, (1, 1), colour).save(tmp_path / "a.png")
        assert images.read(tmp_path / "a.png").tolist() == [[[shown] * 3]], mode
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=100)
    assert images.read(tmp_path / "a.jpg")[4, 4, 0] > 240 and images.read(tmp_path / "a.jpg")[4, 4, 1] < 15


def test_the_first_frame_of_an_animation_is_read(tmp_path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert images.read(tmp_path / "a.gif")[0, 0].tolist() == [255, 0, 0]


def _bomb() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def _saved(form: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(NOISE).save(file, form)
    return file.getvalue()


BAD = {
    "nothing": b"",
    "text": b"not an image",
    "a truncated JPEG": _saved("JPEG")[:-200],
    "a truncated PNG": _saved("PNG")[:-200],
    "a PNG with a wrong checksum": _saved("PNG")[:20] + b"\xff" + _saved("PNG")[21:],
    "a bomb": _bomb(),
    "PostScript": _saved("EPS"),
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_read_is_an_input_error_that_names_the_file(tmp_path, case):
    (tmp_path / "bad.png").write_bytes(BAD[case])
    with pytest.raises(InputError, match=r"bad\.png: .+ — "):
        images.read(tmp_path / "bad.png")


def _scanned(times: int) -> bytes:
    """A progressive JPEG of twelve megapixels that repeats one of its scans."""
    file = io.BytesIO()
    Image.new("L", (4000, 3000), 90).save(file, "JPEG", progressive=True, quality=30)
    data = file.getvalue()
    start = data.rindex(b"\xff\xda")
    return data[:-2] + data[start:-2] * times + data[-2:]


def test_a_jpeg_of_scans_without_end_is_refused_before_it_is_decoded(tmp_path):
    (tmp_path / "a.jpg").write_bytes(_scanned(1000))
    for source in (tmp_path / "a.jpg", io.BytesIO(_scanned(1000))):
        with pytest.raises(InputError, match=r"has more than 1000 scans of its 4000×3000 pixels"):
            images.read(source)


def _in_pieces(form: str) -> bytes:
    """A picture that says the same nothing ten thousand times."""
    data = _saved(form)
    if form == "JPEG":
        return data[:2] + b"\xff" * 10_000 + data[2:]
    if form == "PNG":
        nothing = bytes(4) + b"prVt" + zlib.crc32(b"prVt").to_bytes(4)
        return data[:33] + nothing * 10_000 + data[33:]
    return data[:3] + b"#" + b"a" * 10_000 + b"\n" + data[3:]


@pytest.mark.parametrize("form", ["JPEG", "PNG", "PPM"])
def test_a_picture_in_pieces_without_end_is_refused(tmp_path, monkeypatch, form):
    (tmp_path / "a.png").write_bytes(_in_pieces(form))
    sources = tmp_path / "a.png", io.BytesIO(_in_pieces(form))
    for source in sources:
        np.testing.assert_array_equal(images.read(source), images.read(io.BytesIO(_saved(form))))
    monkeypatch.setattr(images, "_MOST_READS", 5_000)
    for source in sources:
        with pytest.raises(InputError, match="is made of more than 5000 pieces") as refused:
            images.read(source)
        assert refused.value.file == source
    if form == "PNG":
        with pytest.raises(InputError, match=r"a\.png: is made of more than 5000 pieces"):
            images.made_by(tmp_path / "a.png")


def test_a_jpeg_of_notes_without_end_is_refused(monkeypatch):
    note = b"Exif\0\0" + bytes(60_000)
    data = _saved("JPEG")
    data = data[:2] + (b"\xff\xe1" + struct.pack(">H", len(note) + 2) + note) * 50 + data[2:]
    np.testing.assert_array_equal(images.read(io.BytesIO(data)), images.read(io.BytesIO(_saved("JPEG"))))
    monkeypatch.setattr(images, "_LONGEST_HEADER", 2 << 20)
    with pytest.raises(InputError, match="begins with more than 2 MiB of notes"):
        images.read(io.BytesIO(data))


def test_a_jpeg_of_more_scans_than_programs_write_is_read(tmp_path):
    np.testing.assert_array_equal(images.read(io.BytesIO(_scanned(30)), 1), images.read(io.BytesIO(_scanned(0)), 1))


def test_a_missing_file_and_a_folder_are_input_errors(tmp_path):
    for path in (tmp_path / "absent.png", tmp_path):
        with pytest.raises(InputError):
            images.read(path)


def test_a_foreign_note_is_no_error(tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "a cat")
    Image.fromarray(NOISE).save(tmp_path / "a.png", pnginfo=info)
    assert images.made_by(tmp_path / "a.png") == {}
