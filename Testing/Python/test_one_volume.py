"""Scores of one volume by hand: a model that says exactly what it was told."""

from __future__ import annotations

import math

import numpy as np
import pytest

from activeseg.cohort import open_cohort
from activeseg.cost import STANDARD
from activeseg.keys import Plane
from activeseg.model import Scan, SegmentationModel, View
from activeseg.project.one_volume import SOURCES, Scoring, score_scan
from activeseg.project.scans import read_scan
from activeseg.quality import EVIDENCE
from tiny_cohort import SEES_BOTH, ThresholdModel, new_project, write_tiny_cohort

NAMES = ("liver", "spleen")
SHAPE = (6, 7, 8)
PLANES = (Plane.AXIAL, Plane.CORONAL, Plane.SAGITTAL)
SCAN = Scan(np.zeros((1, *SHAPE), np.float32), (2.0, 1.0, 1.0), PLANES)
CORNERS = 4 * math.sqrt(0.5)
"""What the cut corners of a rectangle's contour add, in mm, where pixels are 1 x 1 mm."""


def labels(*parts):
    found = np.zeros(SHAPE, np.uint8)
    for where, channel in parts:
        found[where] = channel
    return found


def certain(label):
    return np.moveaxis(np.eye(3, dtype=np.float32)[label], -1, 0)


class Told(SegmentationModel):
    """Label maps for each view, sample and side output; of any other box their part."""

    def __init__(self, views, samples, sides=(), beside=None):
        self._views, self._samples, self._sides = views, samples, sides
        self._beside = beside
        self.asked = []

    def views(self, scan, passes=0, seed=0):
        for plane in scan.planes:
            yield View(plane, certain(self._views[plane]), scan.box, sides=self._sides)
        if self._beside is not None:
            yield View(None, certain(self._beside), scan.box, beside=True)

    def probabilities(self, scan):
        return np.mean([view.softmax for view in self.views(scan)], axis=0)

    def _sampled(self, source, box, count):
        self.asked.append((source, count))
        for each in self._samples[:count]:
            yield certain(each)[(slice(None), *box)]

    def samples(self, scan, passes, seed, box):
        return self._sampled("dropout", box, passes)

    def augmented(self, scan, passes, seed, box):
        return self._sampled("augmented", box, passes)

    def snapshots(self, scan, box):
        return self._sampled("snapshots", box, None)


# The liver: 3 x 3 pixels of axial slice 1. The coronal view lacks its last column, the second
# sample its last row; a side output has a column too many. The second sample alone sees a spleen
# of 3 x 3 pixels in axial slice 3.
LIVER = (np.s_[1, 2:5, 2:5], 1)
NARROW = (np.s_[1, 2:5, 2:4], 1)
SHORT = (np.s_[1, 2:4, 2:5], 1)
WIDE = (np.s_[1, 2:5, 1:5], 1)
SPLEEN = (np.s_[3, 2:5, 2:5], 2)
VIEWS = {
    Plane.AXIAL: labels(LIVER),
    Plane.CORONAL: labels(NARROW),
    Plane.SAGITTAL: labels(LIVER),
}
SAMPLES = (labels(LIVER), labels(SHORT, SPLEEN))


@pytest.fixture(scope="module")
def prediction():
    model = Told(VIEWS, SAMPLES, sides=[labels(WIDE)])
    scoring = Scoring(passes=2, band_pixels=0.0)
    return score_scan(model, 1.0, SCAN, NAMES, scoring, seed=0)


def rows(prediction, plane):
    """The columns of one plane's slices, in the order of their index."""
    found = prediction.scores.plane == plane.value
    assert prediction.scores.index[found].tolist() == list(range(SHAPE[PLANES.index(plane)]))
    return {name: column[found] for name, column in prediction.scores.arrays().items()}


def evidence(prediction, plane, structure):
    columns = rows(prediction, plane)["evidence"][:, NAMES.index(structure)].T
    return dict(zip(EVIDENCE[:-1], columns, strict=True))


NAN = math.nan


def same(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-6)  # NaN where NaN is expected


def test_each_slice_of_each_plane_has_a_row(prediction):
    assert len(prediction.scores.index) == sum(SHAPE)
    for plane in PLANES:
        rows(prediction, plane)
    np.testing.assert_array_equal(prediction.labels, VIEWS[Plane.AXIAL])  # two of three views


def test_size_is_predicted_plus_expected_pixels(prediction):
    found = rows(prediction, Plane.AXIAL)
    # The liver: 9 predicted; both samples see 6 of them, one the other 3.
    same(found["size"][:, 0], [0, 9 + 6 + 0.5 * 3, 0, 0, 0, 0])
    # The spleen: half of 9 pixels, none predicted; of 4.5 pixels' worth it is probable.
    same(found["size"][:, 1], [0, 0, 0, 4.5, 0, 0])
    assert found["shows"].tolist() == [
        [False, False],
        [True, False],
        [False, False],
        [False, True],
        [False, False],
        [False, False],
    ]
    # From the side each slice shows 1.5 pixels of the spleen: less than 3 is nothing.
    from_the_side = rows(prediction, Plane.CORONAL)
    assert not from_the_side["shows"][:, 1].any()
    assert from_the_side["shows"][:, 0].tolist() == [False, False, True, True, True, False, False]


def test_evidence_of_the_liver_by_hand(prediction):
    found = evidence(prediction, Plane.AXIAL, "liver")
    same(found["iou"], [NAN, 6 / 9, NAN, NAN, NAN, NAN])
    same(found["pairwise"], [NAN, 2 * 6 / (6 + 9), NAN, NAN, NAN, NAN])
    # Axial and sagittal view agree with the proposal, the coronal one has 6 of its 9 pixels.
    same(found["views"], [NAN, (1 + 1 + 2 * 6 / (6 + 9)) / 3, NAN, NAN, NAN, NAN])
    same(found["sides"], [NAN, 2 * 9 / (9 + 12), NAN, NAN, NAN, NAN])
    same(found["soft"], [NAN, 2 * 7.5 / (7.5 + 9), NAN, NAN, NAN, NAN])
    same(found["fill"], [NAN, 1, NAN, NAN, NAN, NAN])
    same(found["neighbours"], [NAN, 0, NAN, NAN, NAN, NAN])


def test_evidence_along_another_axis_by_hand(prediction):
    """Coronal slices 2, 3 and 4 show a row of three pixels; the second sample not that of 4."""
    found = evidence(prediction, Plane.CORONAL, "liver")
    same(found["iou"], [NAN, NAN, 1, 1, 0, NAN, NAN])
    same(found["pairwise"], [NAN, NAN, 1, 1, 0, NAN, NAN])
    same(found["views"], [NAN, NAN, *[(1 + 1 + 2 * 2 / (2 + 3)) / 3] * 3, NAN, NAN])
    same(found["neighbours"], [NAN, NAN, 1 / 2, 1, 1 / 2, NAN, NAN])
    same(found["fill"], [NAN, NAN, 1, 1, 1, NAN, NAN])
    same(found["soft"], [NAN, NAN, 1, 1, 2 * 1.5 / (1.5 + 3), NAN, NAN])


def test_evidence_of_what_only_a_sample_sees(prediction):
    found = evidence(prediction, Plane.AXIAL, "spleen")
    for name, expected in (("iou", 0), ("pairwise", 0), ("soft", 0)):
        same(found[name], [NAN, NAN, NAN, expected, NAN, NAN])
    for name in ("views", "sides", "fill", "neighbours"):  # where nothing is proposed
        assert np.isnan(found[name]).all()


def test_uncertainty_by_hand(prediction):
    found = rows(prediction, Plane.AXIAL)
    ln2 = math.log(2)
    # A reach of 0: the band is the liver's 9 pixels, three of them undecided.
    same(found["band_entropy"], [0, 3 * ln2 / 9, 0, 0, 0, 0])
    # 7.5 pixels are expected in the only slice that has a band: m / (m + 0.1 m).
    same(found["uncertainty"], [0, 3 * ln2 / 9 / 1.1, 0, 0, 0, 0])
    whole = np.array([0, 3 * ln2, 0, 9 * ln2, 0, 0]) / (7 * 8)
    same(found["whole_entropy"], whole)
    # Every sample is certain of itself, so all entropy is their disagreement.
    same(found["epistemic"], whole)
    # Entropy times the structure's probability of one half.
    same(found["class_entropy"][:, 0], np.array([0, 1.5 * ln2, 0, 0, 0, 0]) / (7 * 8))
    same(found["class_entropy"][:, 1], np.array([0, 0, 0, 4.5 * ln2, 0, 0]) / (7 * 8))
    entropy = np.zeros(SHAPE)
    entropy[1, 4, 2:5] = entropy[3, 2:5, 2:5] = ln2
    # Kept in half precision.
    np.testing.assert_allclose(prediction.entropy, entropy, rtol=2**-11)


def test_what_arms_of_a_benchmark_rank_by(prediction):
    found = rows(prediction, Plane.AXIAL)
    ln2 = math.log(2)
    # Half of the entropy of an even doubt is the background's.
    whole = np.array([0, 3 * ln2, 0, 9 * ln2, 0, 0]) / (7 * 8)
    same(found["foreground_entropy"], whole / 2)
    # A slice of 7 x 8 pixels is one patch, so that its mean BALD is that of the slice.
    same(found["top_patches"], whole)
    # Classes: background, liver, spleen. The liver's last row and the spleen are even doubts with
    # the background; argmax says background, so that 1 - p and the other's p are half a pixel each.
    expected = np.zeros((6, 3, 3))
    expected[1, 0, :] = [1.5, 1.5, 0]
    expected[3, 0, :] = [4.5, 0, 4.5]
    same(found["gradient"], expected.reshape(6, 9) / (7 * 8))
    # Of a coronal slice, of 6 x 8 pixels, a row of three of the liver is in doubt.
    same(rows(prediction, Plane.CORONAL)["gradient"][4], [3, 1.5, 1.5, 0, 0, 0, 0, 0, 0]
         / np.array(6 * 8))  # fmt: skip


def test_seconds_by_hand(prediction):
    found = rows(prediction, Plane.AXIAL)
    # Correcting: nothing for one sample; a row of 3 pixels for the other, at twice the speed.
    row = 3 + (2 * 2 + CORNERS) / 8
    # Drawing the spleen where one sample of two sees it: 3 x 3 pixels.
    square = 4 + (2 * 4 + CORNERS) / 4
    same(found["seconds"], [10, 10 + row / 2, 10, 10 + square / 2, 10, 10])
    assert found["how"].tolist() == ["confirm", "correct", "confirm", "draw", "confirm", "confirm"]
    assert found["drawn"].tolist() == [True, False, True, True, True, True]
    # Shown blank, the liver's 3 x 3 pixels would be drawn.
    same(found["blank_seconds"], [10, 10 + square, 10, 10 + square / 2, 10, 10])
    outline = 2 * 4 + CORNERS
    same(found["contour_mm"], [0, outline, 0, outline / 2, 0, 0])
    # From the side pixels are 2 x 1 mm: a row of three, once not in the second sample.
    thin = rows(prediction, Plane.CORONAL)
    contour = 2 * 2 + 4 * math.hypot(1.0, 0.5)
    same(thin["contour_mm"][2:5], [contour] * 3)
    # Each sees, in the second sample alone, a row of the spleen to be added.
    added = 3 + contour / 8
    same(thin["seconds"][2:5], [10 + added / 2, 10 + added / 2, 10 + 2 * added / 2])


def test_of_many_samples_those_of_each_plane_count_alike_for_the_seconds():
    # 20 passes are 7, 7 and 6 of the three planes. Those of the last one lack a row.
    def seconds(samples):
        scores = score_scan(
            Told(VIEWS, samples), 1.0, SCAN, NAMES, Scoring("full-dropout", 20), 0
        ).scores
        return scores.seconds[(scores.plane == "axial") & (scores.index == 1)].item()

    short = seconds([labels(SHORT)] * 20) - STANDARD.overhead_s
    last = seconds([labels(LIVER)] * 14 + [labels(SHORT)] * 6) - STANDARD.overhead_s
    assert short > 0
    assert last == pytest.approx(short / 3)


def test_doubts_name_the_view_and_the_border(prediction):
    found = rows(prediction, Plane.AXIAL)["doubt"]
    beside = "nothing proposed, but the next slice shows liver"
    said = "liver: left border disagrees with the coronal view"
    assert found.tolist() == [beside, said, beside, "", "", ""]
    # The coronal view is no second opinion of a coronal slice.
    assert rows(prediction, Plane.CORONAL)["doubt"].tolist() == [
        *("", beside, "", "", "", beside, "")
    ]


def test_in_one_plane_a_sample_is_the_second_opinion():
    scan = Scan(SCAN.channels, SCAN.spacing, (Plane.AXIAL,))
    model = Told(VIEWS, (labels(SHORT), labels(LIVER)))
    found = score_scan(model, 1.0, scan, ("liver", "spleen"), Scoring(passes=2), seed=0)
    assert found.scores.doubt[1] == "liver: back border is uncertain"
    assert set(found.scores.plane) == {"axial"}
    # One view agrees with itself by definition, which is no evidence; nor are sides it lacks.
    of_liver = evidence(found, Plane.AXIAL, "liver")
    assert np.isnan(of_liver["views"]).all()
    assert np.isnan(of_liver["sides"]).all()


def test_only_the_box_round_the_band_is_sampled():
    """Without a margin the box is the liver: the spleen beyond it is never seen."""
    scoring = Scoring(passes=2, band_pixels=0.0, margin=0)
    found = score_scan(Told(VIEWS, SAMPLES), 1.0, SCAN, NAMES, scoring, seed=0)
    axial = rows(found, Plane.AXIAL)
    # Outside, the plain pass counts: of all three views nobody sees anything there.
    same(axial["size"][:, 1], np.zeros(6))
    assert axial["how"].tolist() == ["confirm", "correct", *["confirm"] * 4]
    same(evidence(found, Plane.AXIAL, "liver")["iou"], [NAN, 6 / 9, NAN, NAN, NAN, NAN])
    # A margin of two voxels reaches slice 3.
    scoring = Scoring(passes=2, band_pixels=0.0, margin=2)
    found = score_scan(Told(VIEWS, SAMPLES), 1.0, SCAN, NAMES, scoring, seed=0)
    same(rows(found, Plane.AXIAL)["size"][3, 1], 4.5)


def test_the_samples_come_from_where_the_scoring_says():
    assert SOURCES == ("dropout", "full-dropout", "augmented", "snapshots")
    for source in SOURCES:
        model = Told(VIEWS, SAMPLES)
        found = score_scan(model, 1.0, SCAN, NAMES, Scoring(samples=source, passes=1), seed=0)
        count = None if source == "snapshots" else 1
        # Where the views bring no passes along, all dropout is the same.
        assert model.asked == [(source.removeprefix("full-"), count)]
        # Members of the training run are as many as were kept: here two, which differ.
        expected = 1 if source != "snapshots" else 6 / 9
        same(evidence(found, Plane.AXIAL, "liver")["iou"][1], expected)


def test_another_network_is_one_more_sample_wherever_the_others_come_from():
    for source in SOURCES:
        scoring = Scoring(samples=source, passes=2)
        told = Told(VIEWS, (labels(LIVER), labels(LIVER)), beside=labels(SHORT))
        found = score_scan(told, 1.0, SCAN, NAMES, scoring, seed=0)
        # All passes see the liver, the network beside them lacks a row of it: of its 9 pixels 6.
        same(evidence(found, Plane.AXIAL, "liver")["iou"][1], 6 / 9)
        # Their mean is 2/3 there, of which the entropy is taken (3 pixels of the slice's 56).
        third = -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3))
        same(rows(found, Plane.AXIAL)["whole_entropy"][1], 3 * third / 56)


def test_a_model_without_any_doubt_on_real_files(tmp_path):
    """The tiny cohort's model is certain: it agrees with itself wherever it sees anything."""
    cohort = write_tiny_cohort(tmp_path / "cohort", volumes=1)
    project = new_project(tmp_path / "project", cohort, plane_policy="all")
    scan = read_scan(project, "v00")
    found = score_scan(ThresholdModel(*SEES_BOTH), 1.0, scan, NAMES, Scoring(passes=2), seed=0)
    label = open_cohort(cohort).read_label("v00")
    area = np.array([(label == value).sum(axis=(1, 2)) for value in (1, 4)]).T
    axial = rows_of(found, "axial")
    np.testing.assert_array_equal(axial["shows"], area > 0)
    np.testing.assert_allclose(axial["size"], 2 * area)
    columns = dict(zip(EVIDENCE, np.moveaxis(axial["evidence"], -1, 0), strict=False))
    for name in ("iou", "views", "soft", "pairwise", "sides"):
        np.testing.assert_allclose(columns[name], np.where(area > 0, 1.0, np.nan))
    np.testing.assert_allclose(columns["fill"], np.where(area > 0, area / area.max(axis=0), NAN))
    assert (axial["seconds"] == 10).all()
    assert (axial["how"] == "confirm").all()
    for name in ("uncertainty", "band_entropy", "whole_entropy", "epistemic"):
        assert not axial[name].any()
    # Only beside the organs there is something to say.
    assert {text.partition(",")[0] for text in axial["doubt"]} == {"", "nothing proposed"}


def rows_of(prediction, plane):
    where = prediction.scores.plane == plane
    return {name: column[where] for name, column in prediction.scores.arrays().items()}
