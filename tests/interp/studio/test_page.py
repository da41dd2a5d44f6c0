"""The page in a real browser: what a person does with mouse and keyboard, and what they see then."""

import json
import os
import re
import shutil
import subprocess
import sys
from urllib.parse import unquote

import numpy as np
import pytest

from interp.studio.state import from_json
from stylegan_jax.pictures import images
from tests.golden_data import ROOT

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None and "CI" not in os.environ, reason="needs Chromium (apt install chromium)"),
]
READ = """canvas => {
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  return [canvas.width, canvas.height, ...copy.getImageData(0, 0, canvas.width, canvas.height).data];
}"""
ALPHAS = "els => els.map(el => Number(el.getAttribute('aria-valuenow')))"


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def studio(folder, tmp_path_factory):
    """The address of a studio with the models a and b, and the folder it runs in."""
    place = tmp_path_factory.mktemp("studio")
    words = [sys.executable, "-m", "interp.studio", *(str(folder / f"{name}.safetensors") for name in "ab")]
    process = subprocess.Popen(
        [*words, "--directions", str(folder / "found.npz"), "--no-browser", "--port", "0"],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    yield re.findall(r"http\S+", line)[0], place
    process.terminate()
    assert "Traceback" not in process.stdout.read()
    process.wait(10)
    process.stdout.close()


@pytest.fixture
def page(browser, studio):
    """The page, with its first picture; nothing may be complained of in its console."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    page = context.new_page()
    said = []
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(studio[0])
    page.wait_for_selector("#parents figure:nth-child(2) canvas")
    yield page
    context.close()
    assert [line for line in said if "(Bad Request)" not in line] == []  # of what the page itself says in words


def settled(page):
    """Waits until the picture is that of the state."""
    page.wait_for_timeout(50)
    page.wait_for_selector("body[data-shows='the state']")


def state_in(page):
    """What the address holds."""
    return from_json(json.loads(unquote(page.url.partition("#")[2])))


def pixels(page, selector="#blend canvas"):
    """What a canvas shows, RGB."""
    rows = page.eval_on_selector(selector, READ)
    width, height, *values = rows
    return np.array(values, np.uint8).reshape(height, width, 4)[..., :3]


def drag(page, index, alpha):
    """Moves the handle of a resolution by the mouse, in small steps."""
    box = page.locator("#curve").bounding_box()
    handle = page.locator(f'#curve [data-index="{index}"]').bounding_box()
    x, y = handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, box["y"] + 12 + (1 - alpha) * (190 - 12 - 24), steps=12)
    page.mouse.up()


def test_dragging_a_handle_shows_the_blend_of_that_recipe(page, painter):
    before = pixels(page)
    drag(page, 1, 0.4)
    settled(page)
    state = state_in(page)
    assert state.recipe.models[1].schedule == "alpha=4=1 8=0.4 16=0"
    expected = painter.frame(state, ["blend"]).pictures["blend"][0]
    found = pixels(page)
    assert np.abs(found.astype(int) - expected).max() <= 1 and np.abs(found.astype(int) - before).max() > 8
    assert page.input_value("#command").endswith("b.safetensors --alpha '4=1 8=0.4 16=0' --seeds 0")


def test_a_reload_shows_the_same(page):
    drag(page, 2, 0.7)
    page.click("text=dice")
    settled(page)
    before, state = pixels(page), state_in(page)
    page.reload()
    page.wait_for_selector("#parents figure:nth-child(2) canvas")
    settled(page)
    np.testing.assert_array_equal(pixels(page), before)
    assert state_in(page) == state


def test_the_keyboard_does_what_the_mouse_does(page):
    page.focus('#curve [data-index="2"]')
    for _ in range(3):
        page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Home")
    settled(page)
    assert page.eval_on_selector_all("#curve .handle", ALPHAS) == [1, 0, 0.15]
    page.keyboard.press("Control+z")
    settled(page)
    assert page.eval_on_selector_all("#curve .handle", ALPHAS) == [1, 1, 0.15]
    page.keyboard.press("Control+Shift+z")
    page.keyboard.press("i")
    settled(page)
    assert page.eval_on_selector_all("#curve .handle", ALPHAS) == [0, 1, 0.85]


def test_a_preset_a_text_and_undo_move_the_handles(page):
    page.click("button:has-text('halfway')")
    settled(page)
    assert page.eval_on_selector_all("#curve .handle", ALPHAS) == [0.5, 0.5, 0.5]
    page.fill("#schedule", "linear=4-16")
    page.press("#schedule", "Enter")
    settled(page)
    assert page.eval_on_selector_all("#curve .handle", ALPHAS) == [1, 0.5, 0]
    page.click("#undo")
    page.click("#undo")
    settled(page)
    assert page.eval_on_selector_all("#curve .handle", ALPHAS) == [1, 1, 0]


def test_a_schedule_that_is_none_is_said_and_the_page_goes_on(page):
    page.fill("#schedule", "swap=24")
    page.press("#schedule", "Enter")
    page.wait_for_selector("#trouble:not([hidden])")
    assert "24: not a resolution of this model" in page.text_content("#trouble")
    page.click("#undo")
    settled(page)
    assert page.is_hidden("#trouble")


def test_sixteen_seeds_and_one_of_them(page):
    page.click("#grid")
    settled(page)
    assert page.locator("#blend canvas").count() == 16
    page.locator("#blend canvas").nth(5).click()
    settled(page)
    assert page.input_value("#seeds") == "5" and page.locator("#blend canvas").count() == 1


def test_the_pad_walks_between_three_seeds(page, painter):
    page.click("text=between three seeds")
    settled(page)
    page.locator("#pad").scroll_into_view_if_needed()
    box = page.locator("#pad").bounding_box()
    page.mouse.move(box["x"] + 3, box["y"] + box["height"] - 3)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 4, steps=8)
    page.mouse.up()
    settled(page)
    state = state_in(page)
    assert state.pad is not None and abs(state.pad.x - 0.5) < 0.02 and abs(state.pad.y - 0.75) < 0.02
    expected = painter.frame(state, ["blend"]).pictures["blend"][0]
    assert np.abs(pixels(page).astype(int) - expected).max() <= 1


def test_a_slider_goes_along_a_direction(page, painter):
    before = pixels(page)
    page.click("text=directions")
    page.locator("#edits input").nth(1).fill("2.5")
    settled(page)
    state = state_in(page)
    assert state.recipe.edits == ("sefa1=2.5",) and state.recipe.directions == ("found.npz",)
    expected = painter.frame(state, ["blend"]).pictures["blend"][0]
    found = pixels(page)
    assert np.abs(found.astype(int) - expected).max() <= 1 and (found != before).any()


def test_a_saved_picture_brings_its_state_back(page, studio):
    drag(page, 1, 0.25)
    settled(page)
    state, shown = state_in(page), pixels(page)
    page.click("[data-save=picture]")
    page.wait_for_selector("#saved a")
    path = studio[1] / page.text_content("#saved a")
    np.testing.assert_array_equal(images.read(path), shown)
    page.click("button:has-text('gentle')")
    page.click("text=dice")
    settled(page)
    page.set_input_files("#open", path)
    settled(page)
    assert state_in(page) == state
    np.testing.assert_array_equal(pixels(page), shown)


def test_what_is_dropped_onto_the_page_is_loaded(page, folder):
    data = (folder / "c.safetensors").read_bytes()
    transfer = page.evaluate_handle(
        """bytes => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(bytes)], "c.safetensors"));
          return transfer;
        }""",
        list(data),
    )
    page.dispatch_event("body", "dragenter", {"dataTransfer": transfer})
    assert page.is_visible("#drop")
    page.dispatch_event("body", "drop", {"dataTransfer": transfer})
    page.wait_for_selector("text=transfer: c.safetensors")
    settled(page)
    assert page.is_hidden("#drop")
    assert state_in(page).recipe.models[1].path == "c.safetensors"


def test_a_file_that_is_nothing_is_said(page, tmp_path):
    (tmp_path / "toon.pkl").write_bytes(b"nothing of the kind")
    page.set_input_files("#open", tmp_path / "toon.pkl")
    page.wait_for_selector("#trouble:not([hidden])")
    assert page.text_content("#trouble").startswith("toon.pkl: ")


def test_two_that_were_kept_make_a_film(page, studio):
    page.click("#keep")
    page.click("button:has-text('halfway')")
    settled(page)
    page.click("#keep")
    page.fill("#seconds", "1")
    page.click("#film")
    page.wait_for_selector("#saved a[download*=film]", timeout=60_000)
    assert (studio[1] / page.text_content("#saved a")).stat().st_size > 0
    page.click("#keyframes")
    page.wait_for_selector("#saved a[download*=keyframes]")
    assert "alpha=0.5" in (studio[1] / page.text_content("#saved a")).read_text()


def test_holding_compares_with_what_was_kept(page):
    page.click("#keep")
    kept = pixels(page)
    page.click("button:has-text('halfway')")
    settled(page)
    shown = pixels(page)
    assert (shown != kept).any()
    page.keyboard.down("b")
    np.testing.assert_array_equal(pixels(page), kept)
    page.keyboard.up("b")
    np.testing.assert_array_equal(pixels(page), shown)


def test_a_mask_is_set_by_a_box_and_sliders_and_the_address_holds_it(page, painter):
    before = pixels(page)
    page.click("summary:text-is('mask')")
    page.check("#masked")
    settled(page)
    assert state_in(page).recipe.mask == "ellipse" and (pixels(page) != before).any()
    page.locator("#mask input").nth(4).fill("0")
    settled(page)
    state = state_in(page)
    assert state.recipe.mask == "ellipse=0.5,0.46,0.34,0.42:soft=0"
    np.testing.assert_array_equal(pixels(page), painter.frame(state, ["blend"]).pictures["blend"][0])
    page.uncheck("#masked")
    settled(page)
    np.testing.assert_array_equal(pixels(page), before)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1200])
def test_the_page_fits_and_can_be_used_by_everybody(page, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    page.click("#keep")
    for summary in page.locator("summary").all():
        summary.click()
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page).response["violations"]
    assert [(each["id"], [node["html"][:90] for node in each["nodes"]][:3]) for each in found] == []


def test_an_address_without_the_token_is_told_so(browser, studio):
    page = browser.new_page()
    assert page.goto(studio[0].partition("?")[0]).status == 403
    assert "of another run" in page.text_content("body")
    page.close()
