"""Pieces that hold each number of a dataset once, and others."""

import itertools

import pytest

from hpcgen.files.cover import require_cover


def boxes(*axes):
    """Return the boxes between the given ends on each axis."""
    return list(itertools.product(*([slice(*ends) for ends in itertools.pairwise(axis)] for axis in axes)))


@pytest.mark.parametrize("axes", [[(0, 10)], [(0, 4, 8, 10), (0, 7)], [(0, 8, 10), (0, 3, 6, 7), (0, 2)]])
def test_boxes_side_by_side_cover_a_dataset(axes):
    shape = tuple(axis[-1] for axis in axes)
    require_cover("a", shape, (4, 3, 2)[: len(axes)], boxes(*axes)[::-1])


def test_boxes_may_lie_like_bricks():
    require_cover("a", (4, 6), (2, 1), [*boxes((0, 2), (0, 1, 6)), *boxes((2, 4), (0, 3, 5, 6))])


def test_no_box_covers_no_rows():
    require_cover("a", (0, 3), (4, 3), [])


@pytest.mark.parametrize("left_out", range(6))
def test_a_gap_is_refused(left_out):
    held = boxes((0, 4, 8, 10), (0, 3, 7))
    gap = held.pop(left_out)
    place = f"[{gap[0].start}, {gap[1].start}]"
    with pytest.raises(
        ValueError, match="/a: the pieces of all ranks hold the number at .* 0 times"
    ) as caught:
        require_cover("a", (10, 7), (4, 3), held)
    assert place in str(caught.value)


def test_an_overlap_is_refused():
    held = [*boxes((0, 4, 8), (0, 3, 6)), (slice(4, 8), slice(0, 6))]
    with pytest.raises(ValueError, match=r"at \[4, 0\] 2 times"):
        require_cover("a", (8, 6), (4, 3), held)


@pytest.mark.parametrize("rows", [(0, 3, 10), (0, 8, 9), (0, 4, 12), (0, 4, 11, 10)])
def test_a_box_that_cuts_a_block_is_refused(rows):
    with pytest.raises(ValueError, match="does not consist of whole blocks"):
        require_cover("a", (10,), (4,), boxes(rows))
