import numpy as np
import pytest

from stylegan_jax.pictures.naming import Pictures
from stylegan_jax.sampler.batching import Batching
from stylegan_jax.sampler.jobs import Job

NOWHERE = Pictures(9000, str, 1, "")


def of(batch: int) -> Batching:
    return Batching(batch=batch, devices=())


def test_an_image_has_one_place_in_its_batch_whatever_else_is_made():
    asked: list[int] = []

    def render(numbers, _):
        asked.extend(numbers)
        yield np.array(asked)

    made = list(Job(NOWHERE, render).images([1, 2, 3, 9, 16], of(4)))  # pyright: ignore
    assert [(index, int(image)) for index, image in made] == [(i, i) for i in (1, 2, 3, 9, 16)]
    assert [asked[place] % 4 for place in (1, 2, 3, 5, 8)] == [1, 2, 3, 1, 0] and len(asked) == 9


def test_a_w_has_one_place_in_its_batch_whatever_part_makes_it():
    asked: list[range] = []

    def ws(numbers, _):
        asked.append(numbers)
        return np.array(numbers)

    made = np.concatenate(list(Job(NOWHERE, lambda *_: iter(()), ws=ws).pieces_of_ws(range(5, 9000), of(3))))
    np.testing.assert_array_equal(made, np.arange(5, 9000))
    assert asked[0].start == 3 and all(piece.start % 3 == 0 for piece in asked) and len(asked) > 1


@pytest.mark.parametrize(("cells", "columns", "blanks", "shape"), [(5, None, 0, (4, 6)), (5, 3, 1, (4, 6))])
def test_a_sheet_shows_the_cells_in_order_with_blanks_before_them(cells, columns, blanks, shape):
    job = Job(NOWHERE, lambda *_: iter(()), cells=range(cells), columns=columns, blanks=blanks)
    sheet = job.sheet(lambda index: np.full((2, 2, 1), index + 1, np.uint8))
    assert sheet.shape[:2] == shape
    first = sheet[::2, ::2].ravel()[: blanks + cells]
    np.testing.assert_array_equal(first, [*[0] * blanks, *range(1, cells + 1)])
