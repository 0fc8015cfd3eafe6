"""The simulated loop: the split, the measures by hand, evaluation, and one arm from end to end."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from activeseg.cohort import Cohort, Geometry, Structure, open_cohort
from activeseg.cohort.images import write_image, write_label
from activeseg.errors import CohortError
from activeseg.keys import Plane, SliceKey
from activeseg.loop import full
from activeseg.loop.answers import LoggedAnswer
from activeseg.loop.arm import ArmPlan, ArmRun, run_arm
from activeseg.loop.evaluation import evaluate
from activeseg.loop.full import full_minutes, run_full
from activeseg.loop.measures import (
    area_under_curve,
    coverage,
    judged_volumes,
    minutes_to,
    seed_record,
    slice_spearman,
    volume_mae,
    without_patients,
)
from activeseg.loop.split import only, split
from activeseg.model.training import Recipe
from activeseg.progress import Silent
from activeseg.project import Project
from activeseg.project.predictions import Prediction
from activeseg.project.scoring import Scoring
from activeseg.quality import dice, hd95_mm
from activeseg.sources import code_version
from rounds_by_hand import scores
from small_cohort import IDENTITY, small_cohort
from tiny_cohort import SEES_BOTH, ThresholdModel, write_tiny_cohort

SILENT = Silent()
ROOT = Path("nowhere")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return open_cohort(write_tiny_cohort(tmp_path_factory.mktemp("cohort") / "cohort"))


# Split


def labelled(count, unlabelled=0):
    (volume, *_) = small_cohort(ROOT).volumes
    volumes = tuple(
        replace(volume, id=f"v{n:02d}", label=ROOT / f"v{n:02d}.nrrd") for n in range(count)
    )
    without = tuple(replace(volume, id=f"u{n}") for n in range(unlabelled))
    return Cohort(ROOT, (*volumes, *without), (Structure("liver", 1),))


@pytest.mark.parametrize(
    ("volumes", "pool", "test", "sizes"),
    [
        (10, None, None, (6, 4)),  # 60 %, the rest
        (6, None, None, (4, 2)),
        (2, None, None, (1, 1)),
        (10, 3, None, (3, 7)),
        (10, None, 2, (6, 2)),
        (10, 5, 5, (5, 5)),
    ],
)
def test_split_sizes(volumes, pool, test, sizes):
    pooled, tested = split(labelled(volumes, unlabelled=3), 0, pool, test)
    assert (len(pooled), len(tested)) == sizes
    assert set(pooled).isdisjoint(tested)
    assert {name[0] for name in pooled + tested} == {"v"}  # only what is labelled
    assert list(pooled) == sorted(set(pooled))
    assert list(tested) == sorted(set(tested))


def test_the_seed_decides_the_split():
    cohort = labelled(12)
    splits = [split(cohort, seed, None, None) for seed in range(6)]
    assert splits == [split(cohort, seed, None, None) for seed in range(6)]
    assert len(set(splits)) == 6
    backwards = Cohort(cohort.root, cohort.volumes[::-1], cohort.structures)
    assert split(backwards, 3, None, None) == splits[3]


@pytest.mark.parametrize(("volumes", "pool", "test"), [(1, None, None), (5, 4, 2), (5, 5, None)])
def test_too_few_labelled_volumes(volumes, pool, test):
    with pytest.raises(CohortError, match=f"{volumes} volumes have a reference label; .*") as no:
        split(labelled(volumes, unlabelled=9), 0, pool, test)
    assert "\n" not in str(no.value)


def test_only_some_volumes(cohort):
    some = only(cohort, ("v02", "v00"))
    assert [volume.id for volume in some.volumes] == ["v02", "v00"]
    assert (some.root, some.structures) == (cohort.root, cohort.structures)


# Measures


def curve(*points):
    return [{"minutes": minutes, "dice": value} for minutes, value in points]


def test_minutes_to_a_dice_by_hand():
    steps = curve((10.0, 0.4), (20.0, 0.6), (40.0, 0.5), (60.0, 0.9))
    assert minutes_to(steps, 0.3) == 10.0  # the first point reaches it already
    assert minutes_to(steps, 0.4) == 10.0
    assert minutes_to(steps, 0.5) == pytest.approx(15.0)
    assert minutes_to(steps, 0.6) == pytest.approx(20.0)
    # 0.7 is half the way from 0.5 (at 40) to 0.9 (at 60).
    assert minutes_to(steps, 0.7) == pytest.approx(50.0)
    assert minutes_to(steps, 0.9) == pytest.approx(60.0)
    assert minutes_to(steps, 0.91) is None
    assert minutes_to([], 0.5) is None
    slow = [point | {"minutes_slow": 2 * point["minutes"]} for point in steps]
    assert minutes_to(slow, 0.7, "minutes_slow") == pytest.approx(100.0)


def test_a_summary_leaves_the_patients_out():
    points = [{"round": 0, "dice": 0.5, "patients": {"v00": {"dice": 0.5}}}]
    assert without_patients(points) == [{"round": 0, "dice": 0.5}]
    assert "patients" in points[0]


def test_area_under_the_curve_by_hand():
    # Halves of the log axis: 10 to 20 to 40; means 0.5 and 0.7.
    assert area_under_curve(curve((10, 0.4), (20, 0.6), (40, 0.8))) == pytest.approx(0.6)
    # From 10 to 20 is a quarter of the way from 10 to 160.
    assert area_under_curve(curve((10, 0.4), (20, 0.8), (160, 0.8))) == pytest.approx(
        0.25 * 0.6 + 0.75 * 0.8
    )
    assert area_under_curve(curve((10, 0.4))) is None
    assert area_under_curve(curve((10, 0.4), (10, 0.8))) is None


def test_full_minutes_by_hand(tmp_path):
    """Every slice of the acquisition plane, drawn from nothing."""
    geometry = Geometry((12, 10, 5), (1.0, 2.0, 5.0), (0.0, 0.0, 0.0), IDENTITY)
    label = np.zeros(geometry.shape, np.uint8)
    label[1, 2:6, 3:9] = 1  # rows of 2 mm, columns of 1 mm
    label[3, 2:6, 3:9] = 1
    label[3, 7:9, 3:5] = 2
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    for volume in "ab":
        write_image(tmp_path / f"images/{volume}.nrrd", label.astype(np.int16), geometry)
        write_label(tmp_path / f"labels/{volume}.nrrd", label, geometry)
    found = open_cohort(tmp_path)
    corners = 4 * math.hypot(0.5, 1.0)
    liver = 2 * 3 * 2.0 + 2 * 5 * 1.0 + corners
    spleen = 2 * 1 * 2.0 + 2 * 1 * 1.0 + corners
    one = 15 + 5 * 10 + (4 + liver / 4) * 2 + (4 + spleen / 4)
    assert full_minutes(found, ["a"], SILENT) == pytest.approx(one / 60)
    assert full_minutes(found, ["a", "b"], SILENT) == pytest.approx(2 * one / 60)


def answer_of(expected_minutes, seconds):
    key = SliceKey("v00", Plane.AXIAL, 0)
    timed = {"standard": seconds}
    return LoggedAnswer(key, 0, 1, "draw", True, False, timed, {}, 5, expected_minutes, None, None)


def test_a_seeds_record(tmp_path):
    project = Project.create(
        tmp_path / "p", small_cohort(tmp_path / "c"), "auto", "random", 0, "unet25d"
    )
    points = curve((10, 0.4), (20, 0.6), (40, 0.8))
    # Expected 60 s that took 50 (20 % too much), expected 30 s that took 40 (25 % too little).
    run = ArmRun(points, [answer_of(1.0, 50.0), answer_of(0.5, 40.0)])
    record = seed_record(3, run, project, 0.8)
    assert record == {
        "seed": 3,
        "curve": points,
        "m90": pytest.approx(20 + 20 * (0.72 - 0.6) / 0.2),
        "m95": pytest.approx(20 + 20 * (0.76 - 0.6) / 0.2),
        "m98": pytest.approx(20 + 20 * (0.784 - 0.6) / 0.2),
        "aubc": pytest.approx(0.6),
        "volume_mae": None,
        "slice_spearman": None,
        "coverage90": None,
        "minutes_mape": pytest.approx((0.2 + 0.25) / 2),
    }
    bare = seed_record(0, ArmRun(points[:1], []), project, None)
    assert [bare[name] for name in ("m90", "m95", "m98", "aubc", "minutes_mape")] == [None] * 5


def test_error_and_coverage_of_the_volume_estimates_by_hand(cohort, tmp_path):
    project = Project.create(tmp_path / "p", cohort, "axial", "random", 0, "unet25d")
    assert judged_volumes(project) == []
    assert volume_mae([]) is None
    assert coverage([]) is None
    files = project.round(1).make()
    estimate = {
        "estimated_dice": 0.5,
        "volumes": {"v00": 0.9, "v01": 0.7, "v02": None, "v03": 0.2},
        # To 1 exactly, which is in it; round a half; beside it by little.
        "intervals": {"v00": [0.8, 1.0], "v01": [0.45, 0.95], "v02": None, "v03": [0.01, 0.4]},
    }
    (files.folder / "estimate.json").write_text(json.dumps(estimate))
    truth = {name: cohort.read_label(name) for name in ("v00", "v01", "v03")}
    shown = {
        "v00": truth["v00"],  # both structures right: Dice 1
        "v01": np.where(truth["v01"] == 1, 1, 0),  # the spleen missed: Dice (1 + 0) / 2
        "v03": np.zeros_like(truth["v03"]),  # both missed: Dice 0
    }
    for name, labels in shown.items():
        entropy = np.zeros(labels.shape, np.float32)
        Prediction(labels.astype(np.uint8), entropy, scores("axial", [0])).write(files, name, "")
    judged = judged_volumes(project)
    assert [(each.estimate, each.true) for each in judged] == [(0.9, 1.0), (0.7, 0.5), (0.2, 0.0)]
    assert volume_mae(judged) == pytest.approx((0.1 + 0.2 + 0.2) / 3)
    assert coverage(judged) == pytest.approx(2 / 3)
    record = seed_record(0, ArmRun(curve((10, 0.4)), []), project, None)
    assert record["coverage90"] == coverage(judged)
    assert record["volume_mae"] == volume_mae(judged)


def test_ranks_of_the_shown_proposals_by_hand(cohort, tmp_path):
    project = Project.create(tmp_path / "p", cohort, "axial", "random", 0, "unet25d")
    keys = [SliceKey("v00", Plane.AXIAL, index) for index in range(6)]
    blank = np.zeros((20, 18), np.uint8)

    def shown_of(expected, found):
        return {"round": 1, "expected_dice": expected, "dice": found, "audit": False}

    def accept(key, expected, found):
        project.accept(key, blank, "ada", 1.0, shown_of(expected, found))

    project.accept(keys[0], blank, "ada")  # not asked for
    accept(keys[1], 0.9, None)  # shown blank
    accept(keys[2], 0.2, {"liver": 0.3, "spleen": None})
    assert slice_spearman(project) is None  # one pair has no ranks
    project.accept(keys[0], blank, "ada", 1.0, shown_of(None, {"liver": 0.1}))  # nothing expected
    assert slice_spearman(project) is None
    accept(keys[3], 0.5, {"liver": 0.8, "spleen": 0.6})
    accept(keys[4], 0.7, {"liver": 0.5, "spleen": 0.5})
    accept(keys[5], 0.8, {"liver": None, "spleen": None})  # nothing to judge
    # Ranks 1 2 3 against 1 3 2: 1 - 6 x 2 / (3 x 8).
    assert slice_spearman(project) == pytest.approx(0.5)


# Evaluation


def test_a_perfect_model_is_measured_as_perfect(cohort):
    quality = evaluate(ThresholdModel(*SEES_BOTH), cohort, "all", SILENT)
    assert quality.dice == 1.0
    assert quality.hd95_mm == 0.0
    assert quality.structures == {"liver": 1.0, "spleen": 1.0}
    assert quality.dice_p5 == 1.0
    each = {"dice": 1.0, "hd95": 0.0, "structures": {"liver": 1.0, "spleen": 1.0}}
    assert quality.patients_json() == dict.fromkeys(("v00", "v01", "v02", "v03"), each)


def test_what_a_model_misses_costs_the_diagonal(cohort):
    """It takes the spleen for liver: the first organ has false voxels, the second is missed."""
    quality = evaluate(ThresholdModel(85.0, 5000.0), only(cohort, ["v01", "v03"]), "axial", SILENT)
    labels = [cohort.read_label(name) for name in ("v01", "v03")]
    liver = np.mean([dice((label > 0).astype(np.uint8), label, 1) for label in labels])
    assert 0.5 < liver < 1
    assert quality.structures == {"liver": pytest.approx(liver), "spleen": 0.0}
    assert quality.dice == pytest.approx(liver / 2)
    # For the missed spleen the diagonal of 8 slices of 3 mm with 20 x 18 pixels of 1 mm.
    geometries = [cohort.volume(name).geometry for name in ("v01", "v03")]
    far = [
        hd95_mm(label > 0, label == 1, geometry.spacing[::-1])
        for label, geometry in zip(labels, geometries, strict=True)
    ]
    assert quality.hd95_mm == pytest.approx((np.mean(far) + math.hypot(24, 20, 18)) / 2)


def test_what_neither_has_counts_for_nothing(tmp_path):
    write_tiny_cohort(tmp_path / "c", volumes=2)
    found = open_cohort(tmp_path / "c")
    label = found.read_label("v01")
    image = found.read_image("v01")
    lacking = np.where(label == 4, 0, label).astype(np.uint8)
    geometry = found.volume("v01").geometry
    write_label(tmp_path / "c/labels/v01.nrrd", lacking, geometry)
    dark = np.where(label == 4, 40, image).astype(np.int16)
    write_image(tmp_path / "c/images/v01.nrrd", dark, geometry)
    quality = evaluate(ThresholdModel(85.0, 175.0), found, "auto", SILENT)
    assert quality.dice == 1.0
    alone = evaluate(ThresholdModel(85.0, 175.0), only(found, ["v01"]), "auto", SILENT)
    assert alone.structures == {"liver": 1.0, "spleen": None}
    assert alone.dice == 1.0
    lacking_one = {"dice": 1.0, "hd95": 0.0, "structures": {"liver": 1.0, "spleen": None}}
    assert alone.patients_json() == {"v01": lacking_one}
    # No structure at all: there is no Dice to speak of, and no NaN is passed off as one.
    write_label(tmp_path / "c/labels/v01.nrrd", np.zeros_like(lacking), geometry)
    with pytest.raises(CohortError, match="the 1 test volumes show no structure") as caught:
        evaluate(ThresholdModel(5000.0, 6000.0), only(found, ["v01"]), "auto", SILENT)
    assert "\n" not in str(caught.value)


# An arm


def plan_of(cohort, folder, **changes):
    options = {
        "folder": folder,
        "records": folder.with_name("records"),
        "cohort": cohort,
        "pool": ("v00", "v01", "v02"),
        "test": ("v03",),
        "strategy": "entropy-band",
        "minutes": (3.0, 3.0),
        "plane_policy": "auto",
        "seed": 2,
        "recipe": Recipe(steps=2, batch=2),
        "scoring": Scoring(passes=1),
    }
    return ArmPlan(**(options | changes))


def test_an_arm_from_end_to_end(cohort, tmp_path):
    run = run_arm(plan_of(cohort, tmp_path / "p"), SILENT)
    project = Project.open(tmp_path / "p")
    assert [volume.id for volume in project.cohort.volumes] == ["v00", "v01", "v02"]
    assert [point["round"] for point in run.curve] == [0, 1]
    first, last = run.curve
    assert set(first) == {
        *("round", "minutes", "slices", "dice", "estimated_dice", "hd95"),
        *("structures", "minutes_slow", "minutes_fast", "dice_p5", "patients"),
        *("parts", "foreground_voxels", "computing_s", "made_by"),
    }
    assert [each["code"] for each in first["made_by"]] == [code_version()]
    # The first point is the model from round 0's answers alone, the last from all.
    asked = len(project.round(0).read_batch().suggestions)
    assert (first["slices"], last["slices"]) == (asked, len(run.answered))
    assert last["slices"] == len(project.annotations()) > first["slices"] > 0
    for point in run.curve:
        spent = [each.seconds for each in run.answered[: point["slices"]]]
        assert point["minutes"] == pytest.approx(sum(s["standard"] for s in spent) / 60)
        assert point["minutes_slow"] == pytest.approx(sum(s["slow"] for s in spent) / 60)
        assert point["minutes_fast"] == pytest.approx(sum(s["fast"] for s in spent) / 60)
        assert 0 <= point["dice"] <= 1
        assert 0 <= point["hd95"] <= math.hypot(24, 20, 18) + 1e-9
    assert [files.number for files in project.rounds()] == [0, 1, 2]
    estimates = [project.round(number).read_estimate()["estimated_dice"] for number in (1, 2)]
    assert [point["estimated_dice"] for point in run.curve] == estimates
    assert {annotation.author for annotation in project.all_annotations()} == {"oracle"}


def test_the_whole_labelled_pool(cohort, tmp_path, monkeypatch):
    """Every slice of every asked plane of the pool, and none of the test volumes, is learned."""
    seen = []
    real = full.train

    def train(slices, *rest):
        seen.append(len(slices))
        return real(slices, *rest)

    monkeypatch.setattr(full, "train", train)
    quality = run_full(plan_of(cohort, tmp_path / "p", plane_policy="all"), SILENT)
    assert seen == [3 * (8 + 20 + 18)]
    assert set(quality.structures) == {"liver", "spleen"}
    assert not (tmp_path / "p").exists()
