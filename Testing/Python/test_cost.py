"""The simulated clinician's seconds, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from activeseg import cost
from activeseg.contour import components, contour_mm
from activeseg.cost import (
    FAST,
    SLOW,
    STANDARD,
    TIME_MODELS,
    Answer,
    answer_seconds,
    correct_seconds,
    draw_seconds,
    expected_answers,
    prior_answer,
)

SQUARE_MM = (1.0, 1.0)
CORNER = math.hypot(0.5, 0.5)
MASKS = hnp.arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 6)))


def label(*boxes: tuple[int, int, int, int, int], size: int = 12) -> np.ndarray:
    """Boxes of (value, top, left, height, width) on an empty slice."""
    found = np.zeros((size, size), dtype=np.uint8)
    for value, top, left, height, width in boxes:
        found[top : top + height, left : left + width] = value
    return found


def expected_answer(
    samples: np.ndarray, proposal: np.ndarray, structures: list[int], spacing: tuple[float, float]
) -> Answer:
    """The expected answer to one slice."""
    return expected_answers(samples[:, None], proposal[None], structures, spacing, STANDARD)[0]


def test_single_pixel_is_a_diamond() -> None:
    mask = label((1, 5, 5, 1, 1)) == 1
    assert contour_mm(mask, (2.0, 0.5)) == pytest.approx(4 * math.hypot(1.0, 0.25))


def test_rectangle_has_straight_sides_and_cut_corners() -> None:
    mask = label((1, 2, 3, 4, 6)) == 1
    sides = 2 * 3 * 2.0 + 2 * 5 * 0.5
    assert contour_mm(mask, (2.0, 0.5)) == pytest.approx(sides + 4 * math.hypot(1.0, 0.25))


def test_diagonal_pair_is_two_diamonds() -> None:
    mask = np.eye(2, dtype=bool)
    assert contour_mm(mask, SQUARE_MM) == pytest.approx(8 * CORNER)
    assert contour_mm(mask[::-1], SQUARE_MM) == pytest.approx(8 * CORNER)


def test_hole_adds_its_own_contour() -> None:
    ring = np.ones((3, 3), dtype=bool)
    ring[1, 1] = False
    assert contour_mm(ring, SQUARE_MM) == pytest.approx((8 + 4 * CORNER) + 4 * CORNER)


def test_mask_on_the_border_is_closed() -> None:
    assert contour_mm(np.ones((2, 3), dtype=bool), SQUARE_MM) == pytest.approx(6 + 4 * CORNER)


def test_contour_of_a_stack_is_that_of_each() -> None:
    rng = np.random.default_rng(0)
    stack = rng.random((2, 3, 7, 5)) < 0.5
    each = [[float(contour_mm(mask, (1.0, 2.0))) for mask in row] for row in stack]
    np.testing.assert_allclose(contour_mm(stack, (1.0, 2.0)), each)


@settings(deadline=None)
@given(MASKS)
def test_contour_does_not_care_about_orientation(mask: np.ndarray) -> None:
    length = contour_mm(mask, (2.0, 0.5))
    assert contour_mm(mask[::-1, ::-1], (2.0, 0.5)) == pytest.approx(length)
    assert contour_mm(mask.T, (0.5, 2.0)) == pytest.approx(length)
    assert (length > 0) == mask.any()


def test_components_touch_over_corners_but_not_over_slices() -> None:
    assert components(np.eye(3, dtype=bool)) == 1
    apart = np.array([[1, 0, 1], [1, 0, 0], [1, 0, 1]], dtype=bool)
    assert components(apart) == 3
    assert components(apart, min_pixels=3) == 1
    assert components(np.ones((4, 2, 2), dtype=bool)).tolist() == [1, 1, 1, 1]
    assert components(np.zeros((2, 2), dtype=bool)) == 0


def test_draw_counts_components_and_contour_of_each_structure() -> None:
    wanted = label((1, 0, 0, 3, 3), (1, 6, 6, 3, 3), (2, 0, 6, 1, 1))
    square = 8 + 4 * CORNER
    one = 2 * 4 + 2 * square / 4
    two = 4 + 4 * CORNER / 4
    assert draw_seconds(wanted, [1, 2], SQUARE_MM, STANDARD) == pytest.approx(one + two)
    assert draw_seconds(wanted, [2], SQUARE_MM, STANDARD) == pytest.approx(two)
    assert draw_seconds(wanted, [3], SQUARE_MM, STANDARD) == 0


def test_correct_traces_the_difference_at_twice_the_speed() -> None:
    shown, wanted = label((1, 2, 2, 4, 4)), label((1, 2, 2, 4, 5))
    column = 6 + 4 * CORNER
    assert correct_seconds(shown, wanted, [1], SQUARE_MM, STANDARD) == pytest.approx(3 + column / 8)
    assert correct_seconds(shown, shown, [1], SQUARE_MM, STANDARD) == 0


@pytest.mark.parametrize(("wrong", "click"), [(2, 0), (3, 3)])
def test_two_wrong_pixels_are_no_click_but_their_contour_counts(wrong: int, click: int) -> None:
    shown, wanted = label((1, 2, 2, 4, 4)), label((1, 2, 2, 4, 4), (1, 6, 2, 1, wrong))
    contour = 2 * (wrong - 1) + 4 * CORNER
    assert correct_seconds(shown, wanted, [1], SQUARE_MM, STANDARD) == pytest.approx(
        click + contour / 8
    )


def test_wrong_structure_is_wrong_in_both() -> None:
    shown, wanted = label((1, 2, 2, 2, 2)), label((2, 2, 2, 2, 2))
    each = 3 + (4 + 4 * CORNER) / 8
    assert correct_seconds(shown, wanted, [1, 2], SQUARE_MM, STANDARD) == pytest.approx(2 * each)


@pytest.mark.parametrize(
    ("name", "overhead", "first", "speed"),
    [("standard", 10, 15, 4), ("slow", 20, 30, 2), ("fast", 5, 8, 8)],
)
def test_the_three_clinicians(name: str, overhead: float, first: float, speed: float) -> None:
    wanted = label((1, 2, 2, 3, 3))
    drawn = 4 + (8 + 4 * CORNER) / speed
    model = TIME_MODELS[name]
    later = answer_seconds(None, wanted, [1], SQUARE_MM, model, first_of_volume=False)
    opening = answer_seconds(None, wanted, [1], SQUARE_MM, model, first_of_volume=True)
    assert later.seconds == pytest.approx(overhead + drawn)
    assert opening.seconds == pytest.approx(overhead + first + drawn)
    assert (later.how, later.correct_s) == ("draw", None)


def test_cheaper_way_is_taken() -> None:
    wanted = label((1, 2, 2, 6, 6))
    near, far = label((1, 2, 2, 6, 5)), label((1, 0, 0, 1, 12), (1, 11, 0, 1, 12))
    corrected = answer_seconds(near, wanted, [1], SQUARE_MM, STANDARD, first_of_volume=False)
    redrawn = answer_seconds(far, wanted, [1], SQUARE_MM, STANDARD, first_of_volume=False)
    assert corrected.how == "correct"
    assert corrected.seconds == pytest.approx(10 + 3 + (10 + 4 * CORNER) / 8)
    assert redrawn.how == "draw"
    assert redrawn.seconds == pytest.approx(10 + 4 + (20 + 4 * CORNER) / 4)


def test_nothing_to_do_costs_the_overhead() -> None:
    empty, full = label(), label((1, 2, 2, 3, 3))
    for shown, wanted, how in [
        (None, empty, "confirm"),
        (empty, empty, "confirm"),
        (full, full, "confirm"),
        (full, empty, "draw"),
    ]:
        answer = answer_seconds(shown, wanted, [1], SQUARE_MM, SLOW, first_of_volume=False)
        assert (answer.seconds, answer.how) == (20, how)


def test_an_empty_proposal_is_a_blank_canvas() -> None:
    wanted = label((1, 2, 2, 3, 3))
    shown = answer_seconds(label(), wanted, [1], SQUARE_MM, FAST, first_of_volume=True)
    blank = answer_seconds(None, wanted, [1], SQUARE_MM, FAST, first_of_volume=True)
    assert shown == blank


def test_expected_correction_is_the_mean_over_the_samples() -> None:
    proposal = label((1, 2, 2, 4, 4))
    samples = np.stack([proposal, label((1, 2, 2, 4, 5)), label((1, 2, 2, 4, 6))])
    one, two = 3 + (6 + 4 * CORNER) / 8, 3 + (8 + 4 * CORNER) / 8
    answer = expected_answer(samples, proposal, [1], SQUARE_MM)
    assert answer.correct_s == pytest.approx((one + two) / 3)
    assert answer.draw_s == pytest.approx(4 + (12 + 4 * CORNER) / 4)
    assert answer.seconds == pytest.approx(10 + (one + two) / 3)
    assert answer.how == "correct"


def test_expected_answers_of_an_empty_proposal_is_drawing_the_samples() -> None:
    samples = np.stack([label(), label((1, 2, 2, 1, 1))])
    answer = expected_answer(samples, label(), [1], SQUARE_MM)
    assert answer.seconds == pytest.approx(10 + (4 + CORNER) / 2)
    assert (answer.how, answer.correct_s) == ("draw", None)
    nothing = expected_answer(samples[:1], label(), [1], SQUARE_MM)
    assert (nothing.seconds, nothing.how) == (10, "confirm")


@settings(deadline=None)
@given(st.data())
def test_answers_together_are_the_answers_one_by_one(data: st.DataObject) -> None:
    passes, slices = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 4))
    values = st.sampled_from([0, 0, 1, 2])
    samples = data.draw(hnp.arrays(np.uint8, (passes, slices, 6, 7), elements=values))
    proposals = data.draw(hnp.arrays(np.uint8, (slices, 6, 7), elements=values))
    proposals[0] = 0
    together = expected_answers(samples, proposals, [1, 2], (2.0, 0.5), STANDARD)
    for number, found in enumerate(together):
        alone = expected_answer(samples[:, number], proposals[number], [1, 2], (2.0, 0.5))
        assert found.how == alone.how
        assert found.seconds == pytest.approx(alone.seconds)
        assert found.contour_mm == pytest.approx(alone.contour_mm)
        if proposals[number].any():
            shown = proposals[number]
            drawn = draw_seconds(shown, [1, 2], (2.0, 0.5), STANDARD)
            wrong = correct_seconds(shown, samples[:, number], [1, 2], (2.0, 0.5), STANDARD)
            assert (alone.draw_s, alone.correct_s) == (pytest.approx(drawn), pytest.approx(wrong))


def test_slices_looked_at_in_boxes_of_their_own_say_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    draw = np.random.default_rng(7)
    samples = draw.integers(0, 3, (3, 9, 6, 7)).astype(np.uint8) * (draw.random((9, 6, 7)) < 0.2)
    samples[:, 4] = 0
    proposals = np.roll(samples[0], 1, axis=2)
    together = expected_answers(samples, proposals, [1, 2], (2.0, 0.5), STANDARD)
    for pixels in (1, 40, 200):
        monkeypatch.setattr(cost, "LARGE", pixels)
        apart = expected_answers(samples, proposals, [1, 2], (2.0, 0.5), STANDARD)
        assert [each.how for each in apart] == [each.how for each in together]
        for one, other in zip(apart, together, strict=True):
            assert one.seconds == pytest.approx(other.seconds)
            assert one.contour_mm == pytest.approx(other.contour_mm)


def test_contour_is_that_of_what_would_be_drawn() -> None:
    shown, wanted = label((1, 2, 2, 4, 4)), label((1, 2, 2, 4, 5), (2, 8, 8, 1, 1))
    one_pixel = 4 * CORNER
    answer = answer_seconds(shown, wanted, [1, 2], SQUARE_MM, STANDARD, first_of_volume=True)
    assert answer.contour_mm == pytest.approx(14 + 4 * CORNER + one_pixel)
    # What is expected is the proposal; on a blank canvas the mean of the samples.
    samples = np.stack([wanted, label()])
    expected = expected_answer(samples, shown, [1, 2], SQUARE_MM)
    assert expected.contour_mm == pytest.approx(12 + 4 * CORNER)
    blank = expected_answer(samples, label(), [1, 2], SQUARE_MM)
    assert blank.contour_mm == pytest.approx(answer.contour_mm / 2)


def test_drawn_is_a_blank_canvas_or_the_cheaper_way() -> None:
    wanted = label((1, 2, 2, 6, 6))
    far = label((1, 0, 0, 1, 12), (1, 11, 0, 1, 12))
    for shown, drawn in [(None, True), (label(), True), (far, True), (wanted, False)]:
        answer = answer_seconds(shown, wanted, [1], SQUARE_MM, STANDARD, first_of_volume=False)
        assert answer.drawn is drawn
    nothing = answer_seconds(None, label(), [1], SQUARE_MM, STANDARD, first_of_volume=False)
    assert (nothing.drawn, nothing.how, nothing.contour_mm) == (True, "confirm", 0)


@settings(deadline=None)
@given(hnp.arrays(np.uint8, (4, 5, 6), elements=st.integers(0, 2)))
def test_expectation_over_one_sample_is_the_correction_into_it(labels: np.ndarray) -> None:
    proposal, samples = labels[0], labels[1:]
    each = [correct_seconds(proposal, s, [1, 2], (1.0, 3.0), STANDARD) for s in samples]
    together = correct_seconds(proposal, samples, [1, 2], (1.0, 3.0), STANDARD)
    assert together == pytest.approx(np.mean(each))
    drawn = [draw_seconds(s, [1, 2], (1.0, 3.0), STANDARD) for s in samples]
    assert draw_seconds(samples, [1, 2], (1.0, 3.0), STANDARD) == pytest.approx(np.mean(drawn))


def test_prior_before_any_model() -> None:
    # A disc a fifth as wide as a slice of 50 x 200 mm (100 mm in the geometric mean).
    contour = math.pi * 20
    assert prior_answer([None], (50, 200), 80, STANDARD).seconds == pytest.approx(
        10 + 0.5 * (4 + contour / 4)
    )
    answer = prior_answer([None, None], (100, 100), 80, FAST)
    assert answer.seconds == pytest.approx(5 + 4 + contour / 8)
    assert (answer.how, answer.drawn, answer.correct_s) == ("draw", True, None)
    assert answer.contour_mm == pytest.approx(contour)


def test_prior_of_a_structure_of_a_known_size() -> None:
    # A ball of 40 mm in 160 mm is on a quarter of the slices, 10 pi mm wide there in the mean.
    answer = prior_answer([40.0], (300, 300), 160, STANDARD)
    assert answer.contour_mm == pytest.approx(0.25 * math.pi * 10 * math.pi)
    assert answer.seconds == pytest.approx(10 + 0.25 * 4 + answer.contour_mm / 4)
    both = prior_answer([40.0, None], (100, 100), 160, STANDARD)
    assert both.contour_mm == pytest.approx(answer.contour_mm + 0.5 * math.pi * 20)
    larger = prior_answer([400.0], (300, 300), 160, STANDARD)
    assert larger.contour_mm == pytest.approx(math.pi * 100 * math.pi)
