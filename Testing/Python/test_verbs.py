"""train, score, suggest, round, predict: what they leave in the project and what they refuse."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from activeseg.cli import main
from activeseg.cohort import Cohort, Structure, read_image_file, take_slice
from activeseg.cost import STANDARD
from activeseg.errors import CohortError, ModelError, ProjectError
from activeseg.keys import Plane, SliceKey
from activeseg.minutes import MinutesModel, Work
from activeseg.model import propagation as propagation_module
from activeseg.model.fusion import Fusion
from activeseg.model.inference import SliceModel
from activeseg.model.network import build, load
from activeseg.model.stored import likeliest
from activeseg.model.training import Recipe, Trained
from activeseg.progress import Silent
from activeseg.project import (
    Project,
    RoundFiles,
    annotate,
    learning,
    project_status,
    scoring,
    what_was_shown,
)
from activeseg.project.estimating import estimate_slices
from activeseg.project.model_name import check_model
from activeseg.project.offer import offered
from activeseg.project.predicting import predict
from activeseg.project.predictions import Prediction, is_predicted, read_prediction
from activeseg.project.scans import read_scan
from activeseg.project.scoring import Scoring
from activeseg.project.verbs import run_round, run_score, run_suggest, run_train
from activeseg.quality import EVIDENCE
from activeseg.sampling import STRATEGIES, strategy
from rounds_by_hand import read_scores, row_numbers, scores
from tiny_cohort import answer, copied, new_project, write_tiny_cohort

SILENT = Silent()
RECIPE = Recipe(steps=3, batch=4)
SCORING = Scoring(passes=2)
# By hand: half of the slices show each structure, a disc a fifth as wide as the 20 x 18 mm.
BLANK_S = 10 + 2 * 0.5 * (4 + math.pi * 0.2 * math.sqrt(20 * 18) / 4)
FIELDS = {
    *("key", "volume", "plane", "index", "rank"),
    *("value", "minutes", "expected_dice", "entropy", "reason", "how"),
    *("minutes_low", "minutes_high", "dice_low", "dice_high", "audit", "work"),
}


def suggest(project, minutes=4.0, strategy=None):
    return run_suggest(project, minutes, strategy, SILENT)


def keys_of(batch):
    return [suggestion.key for suggestion in batch.suggestions]


def rows_of(files):
    """The scores of a round by slice; of each a dictionary."""
    table = read_scores(files)
    columns = table.scores.arrays()
    return {
        key: SimpleNamespace(**{name: column[row] for name, column in columns.items()})
        for key, row in row_numbers(table).items()
    }


def same_scores(files, others):
    """In any order: `round` scores what can win first, `score` in the cohort's order."""
    ours, theirs = rows_of(files), rows_of(others)
    assert set(ours) == set(theirs)
    for key, columns in ours.items():
        for name, value in vars(columns).items():
            np.testing.assert_array_equal(value, getattr(theirs[key], name), err_msg=name)


def one_line(caught):
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_tiny_cohort(tmp_path_factory.mktemp("cohort") / "cohort")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory, cohort):
    """Nothing done yet."""
    return new_project(tmp_path_factory.mktemp("fresh") / "project", cohort)


@pytest.fixture(scope="module")
def answered(tmp_path_factory, fresh):
    """Round 0 is asked and answered; nobody measured the time, so minutes stay the prior's."""
    project = copied(fresh, tmp_path_factory.mktemp("answered") / "project")
    suggest(project)
    answer(project, seconds=0.0)
    return project


@pytest.fixture(scope="module")
def scored(tmp_path_factory, answered):
    """Trained and scored in round 1, which has no batch yet."""
    project = copied(answered, tmp_path_factory.mktemp("scored") / "project")
    run_train(project, RECIPE, SILENT)
    run_score(project, SCORING, SILENT)
    return project


@pytest.fixture(scope="module")
def whole(tmp_path_factory, scored):
    """Round 1 is complete."""
    project = copied(scored, tmp_path_factory.mktemp("whole") / "project")
    suggest(project)
    return project


# The first batch


def test_the_first_batch_is_one_shot_and_within_the_budget(fresh, tmp_path):
    project = copied(fresh, tmp_path / "p")
    batch = suggest(project, 4.0)
    assert (batch.round, batch.strategy, batch.seed) == (0, "one-shot", 5)
    assert [s.rank for s in batch.suggestions] == list(range(1, len(batch.suggestions) + 1))
    assert len(set(keys_of(batch))) == len(batch.suggestions) > 1
    assert sum(s.minutes for s in batch.suggestions) <= 4.0
    seen = set()
    for each in batch.suggestions:
        first = 0.0 if each.key.volume in seen else 15.0
        assert each.minutes == pytest.approx((BLANK_S + first) / 60)
        seen.add(each.key.volume)
        assert each.expected_dice is None
        assert each.entropy is None
        assert (each.dice_low, each.dice_high) == (None, None)
        assert (each.how, each.audit) == ("draw", False)
        assert each.minutes_low < each.minutes < each.minutes_high
        assert each.work == {
            "prior_s": pytest.approx(BLANK_S + first),
            "contour_mm": pytest.approx(4 * (BLANK_S - 10 - 4)),
            "drawn": True,
            "first": first > 0,
            "expected_dice": None,
        }
        assert each.key.plane is Plane.AXIAL  # slices are thick: only the acquisition plane
        assert 0 <= each.key.index < 8
        assert each.reason
        assert project.proposal(each.key) is None
    # What fits is asked for: less than the cheapest slice is left.
    assert 4.0 * 60 - sum(60 * s.minutes for s in batch.suggestions) < BLANK_S
    kept = json.loads((project.folder / "rounds/000/batch.json").read_text())
    named = {"round", "strategy", "seed", "budget_minutes", "time", "suggestions"}
    assert set(kept) == named | {"author", "note", "former"}
    assert kept["author"] is None  # nobody has answered yet
    assert all(set(entry) == FIELDS for entry in kept["suggestions"])
    assert [entry["key"] for entry in kept["suggestions"]] == [str(k) for k in keys_of(batch)]
    assert kept["suggestions"][0]["key"] == "{volume}/{plane}/{index:03d}".format(
        **kept["suggestions"][0]
    )
    assert project.open_suggestions() == list(batch.suggestions)


def test_the_seed_decides_the_first_batch(cohort, fresh, tmp_path):
    once = suggest(copied(fresh, tmp_path / "once"))
    again = copied(fresh, tmp_path / "again")
    assert suggest(again).suggestions == once.suggestions
    assert suggest(again).suggestions == once.suggestions  # and a second call in one project
    other = suggest(new_project(tmp_path / "other", cohort, seed=6))
    assert set(keys_of(other)) != set(keys_of(once))


@pytest.mark.parametrize("name", ["random", "strided"])
def test_baselines_need_no_model(fresh, tmp_path, name):
    project = copied(fresh, tmp_path / "p")
    batch = suggest(project, 4.0, name)
    assert (batch.round, batch.strategy) == (0, name)
    assert len(batch.suggestions) > 1
    assert sum(s.minutes for s in batch.suggestions) <= 4.0
    assert suggest(copied(fresh, tmp_path / "q"), 4.0, name).suggestions == batch.suggestions
    answer(project)
    later = suggest(project, 4.0, name)
    assert set(keys_of(later)).isdisjoint(keys_of(batch))


def test_a_project_made_for_random_slices_asks_for_random_slices(cohort, tmp_path):
    assert suggest(new_project(tmp_path / "p", cohort, strategy="random")).strategy == "random"


def test_in_all_planes_the_pool_is_every_slice(cohort, tmp_path):
    project = new_project(tmp_path / "p", cohort, plane_policy="all")
    batch = suggest(project, 1e4, "random")
    assert len(batch.suggestions) == 4 * (8 + 20 + 18)
    assert {key.plane for key in keys_of(batch)} == set(Plane)
    # The body touches neither the left nor the right side of the image.
    first = suggest(project, 1e4)
    assert len(first.suggestions) == 4 * (8 + 20 + 14)
    assert first.note == "left out: 16 slices without body"


def test_what_suggest_refuses(fresh, answered, tmp_path):
    project = copied(fresh, tmp_path / "fresh")
    with pytest.raises(ProjectError, match=r"no slice fits 0\.1 minutes; .* about 0\.5:") as caught:
        suggest(project, 0.1)
    one_line(caught)
    with pytest.raises(ProjectError, match="no strategy 'clever'; choose one of auto"):
        suggest(project, 4.0, "clever")
    for minutes in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ProjectError, match=r"a budget of .* minutes; give more than 0"):
            suggest(project, minutes)
    assert project.rounds() == ()
    project = copied(answered, tmp_path / "answered")
    with pytest.raises(ProjectError, match=r"are annotated but .* run 'activeseg round'") as caught:
        suggest(project)
    one_line(caught)
    assert project.latest_batch() == answered.latest_batch()


def test_a_finished_cohort_has_nothing_left_to_ask(fresh, tmp_path):
    project = copied(fresh, tmp_path / "p")
    suggest(project, 1e4)
    answer(project)
    assert project_status(project)["annotated_slices"] == 32
    with pytest.raises(ProjectError, match="every slice is annotated, skipped or claimed"):
        suggest(project, 4.0, "random")


# Training


def test_train_leaves_a_model_a_log_and_what_it_learned_from(scored, answered):
    (first, files) = scored.rounds()
    assert (first.number, files.number) == (0, 1)
    checkpoint = torch.load(files.model, weights_only=True)
    facts = checkpoint["facts"]
    annotations = answered.annotations()
    assert facts["annotations"] == {str(k): a.sha256 for k, a in annotations.items()}
    assert len(facts["annotations"]) > 1
    assert (facts["round"], facts["steps"]) == (1, 3)
    network, config, _ = load(files.model)
    assert config.structures == (1, 4)
    assert (config.modality, config.image_channels, config.pixel_mm) == ("ct", 2, 1.0)
    assert all(torch.isfinite(value).all() for value in network.state_dict().values())
    log = [json.loads(line) for line in files.log.read_text().splitlines()]
    assert [record["step"] for record in log if "loss" in record] == [2, 3]
    assert [record["step"] for record in log if "volume_loss" in record] == [2]
    assert int(network.volume_steps) == 2
    assert all(set(record) in ({"step", "loss"}, {"step", "volume_loss"}) for record in log)
    assert all(math.isfinite(value) for record in log for value in record.values())


def test_training_needs_annotations(fresh, tmp_path):
    project = copied(fresh, tmp_path / "p")
    with pytest.raises(ProjectError, match="nothing is annotated yet; run 'activeseg suggest'"):
        run_train(project, RECIPE, SILENT)
    suggest(project)
    with pytest.raises(ProjectError, match="nothing is annotated yet") as caught:
        run_round(project, 4.0, None, RECIPE, SCORING, SILENT)
    one_line(caught)
    assert not project.round(1).folder.exists()


def test_an_annotation_of_a_plane_that_is_not_asked_for_is_learned_from(answered, tmp_path):
    project = copied(answered, tmp_path / "p")
    key = SliceKey("v02", Plane.CORONAL, 9)
    label = project.cohort.read_label("v02")
    geometry = project.cohort.volume("v02").geometry
    project.accept(key, take_slice(label, geometry, key.plane, key.index), "ada")
    files = run_train(project, RECIPE, SILENT)
    assert str(key) in load(files.model)[2]["annotations"]


def test_whole_rounds_repeat_with_the_seed(cohort, whole, tmp_path):
    def loop(folder, seed):
        project = new_project(folder, cohort, seed=seed)
        suggest(project)
        answer(project, seconds=0.0)
        return project, run_round(project, 4.0, None, RECIPE, SCORING, SILENT)

    def weights(project):
        return load(project.round(1).model)[0].state_dict()

    project, batch = loop(tmp_path / "same", 5)
    before = weights(whole)
    assert all(torch.equal(before[name], value) for name, value in weights(project).items())
    same_scores(project.round(1), whole.round(1))
    assert project.round(1).read_estimate() == whole.round(1).read_estimate()
    assert batch.suggestions == whole.latest_batch().suggestions
    for key in keys_of(batch):
        np.testing.assert_array_equal(project.proposal(key), whole.proposal(key))

    other, other_batch = loop(tmp_path / "other", 6)
    assert any(not torch.equal(before[name], value) for name, value in weights(other).items())
    assert keys_of(other_batch) != keys_of(batch)


@pytest.mark.parametrize(("propagation", "most"), [(True, 100), (True, 1), (False, 100)])
def test_few_slices_say_what_holds_beside_them(tmp_path, monkeypatch, propagation, most):
    monkeypatch.setattr(propagation_module, "MOST_SLICES", most)
    project = new_project(tmp_path / "p", write_tiny_cohort(tmp_path / "cohort", volumes=2))
    learned = []

    def train(slices, config, *others):
        learned.extend(slices)
        return Trained(build(config), ())

    monkeypatch.setattr(learning, "train", train)
    for volume in project.cohort.volumes:
        mask = take_slice(project.cohort.read_label(volume.id), volume.geometry, Plane.AXIAL, 4)
        project.accept(SliceKey(volume.id, Plane.AXIAL, 4), mask, "ada")
    run_train(project, replace(RECIPE, propagation=propagation), SILENT)
    assert [len(each.beside) for each in learned] == [2 * (propagation and most > 1)] * 2


def test_every_annotated_slice_is_learned_from(tmp_path, monkeypatch):
    project = new_project(tmp_path / "p", write_tiny_cohort(tmp_path / "cohort", volumes=20))
    read, keys, learned = learning.annotated_slices, {}, []

    def annotated_slices(*args):
        found = read(*args)
        keys.update({id(each): key for key, each in found.items()})
        return found

    def train(slices, config, recipe, seed, *others):
        learned.extend(keys[id(each)] for each in slices)
        return Trained(build(config), ())

    monkeypatch.setattr(learning, "annotated_slices", annotated_slices)
    monkeypatch.setattr(learning, "train", train)
    for volume in project.cohort.volumes:
        label = project.cohort.read_label(volume.id)
        for index in (3, 6):
            mask = take_slice(label, volume.geometry, Plane.AXIAL, index)
            project.accept(SliceKey(volume.id, Plane.AXIAL, index), mask, "ada")
    run_train(project, RECIPE, SILENT)
    assert len(learned) == 2 * 20
    assert learned == sorted(project.annotations())


# Start weights


def test_training_can_start_from_a_checkpoint(cohort, answered, scored, tmp_path):
    start = scored.round(1).model
    annotations = answered.annotations()
    project = new_project(tmp_path / "p", cohort, model=check_model(str(start)), seed=11)
    assert project.model == str(start)
    for key, annotation in annotations.items():
        project.accept(key, answered.read_annotation(annotation), "ada")
    still = Recipe(steps=1, batch=2, learning_rate=1e-9, block_rate=1e-9, weight_decay=0.0)
    begun = load(run_train(project, still, SILENT).model)[0]
    for name, weight in load(start)[0].named_parameters():
        torch.testing.assert_close(begun.get_parameter(name), weight, rtol=0, atol=1e-6)


def test_a_later_round_goes_on_from_the_model_before(cohort, scored, tmp_path):
    project = copied(scored, tmp_path / "p")
    before = load(project.round(1).model)[0]
    suggest(project, 3.0, "random")
    still = Recipe(steps=3, batch=2, learning_rate=1e-9, block_rate=1e-9, weight_decay=0.0)
    files = run_train(project, still, SILENT)
    assert files.number == 2
    network, _, facts = load(files.model)
    assert facts["steps"] == 3
    for name, weight in before.named_parameters():
        torch.testing.assert_close(network.get_parameter(name), weight, rtol=0, atol=1e-6)


def test_a_project_of_an_earlier_version_trains_from_fresh_weights(scored, tmp_path):
    """Its network was another: nothing to go on from, and no reason to stop a clinician."""
    project = copied(scored, tmp_path / "p")
    model = project.round(1).model
    kept = torch.load(model, weights_only=True)
    del kept["generation"]  # as it was written before there was one
    torch.save(kept, model)
    with pytest.raises(ModelError, match=r"earlier version .* 'activeseg round' trains a new one"):
        run_score(project, SCORING, SILENT)
    suggest(project, 3.0, "random")
    files = run_train(project, RECIPE, SILENT)
    assert files.number == 2
    assert load(files.model)[2]["steps"] == RECIPE.steps


def test_a_round_that_is_trained_again_does_not_go_on_from_itself(scored, tmp_path):
    project = copied(scored, tmp_path / "p")
    first = load(project.round(1).model)[0].state_dict()
    assert run_train(project, RECIPE, SILENT).number == 1
    again = load(project.round(1).model)[0].state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_a_checkpoint_for_other_structures_is_refused(cohort, fresh, scored, tmp_path):
    found = fresh.cohort
    model = str(scored.round(1).model)
    for structures in ((Structure("liver", 1),), (Structure("liver", 1), Structure("spleen", 2))):
        few = Cohort(found.root, found.volumes, structures)
        folder = tmp_path / f"p{structures[-1].value}"
        project = Project.create(folder, few, "axial", "random", 0, model)
        project.accept(SliceKey("v00", Plane.AXIAL, 0), np.zeros((20, 18), np.uint8), "ada")
        with pytest.raises(ModelError, match=r"made for structures \(1, 4\), this project") as no:
            run_train(project, RECIPE, SILENT)
        one_line(no)
        assert not project.round(1).folder.exists()


def test_names_of_models():
    assert check_model("unet25d") == "unet25d"
    with pytest.raises(ModelError, match=r"no model 'unet3d'; expected unet25d or the path") as no:
        check_model("unet3d")
    one_line(no)


def test_start_weights_that_are_gone_are_told(answered, tmp_path):
    cohort = answered.cohort
    gone = tmp_path / "gone.pt"
    project = Project.create(tmp_path / "p", cohort, "auto", "random", 0, str(gone))
    project.accept(SliceKey("v00", Plane.AXIAL, 0), np.zeros((20, 18), np.uint8), "ada")
    with pytest.raises(ModelError, match=r"gone\.pt: no such checkpoint") as no:
        run_train(project, RECIPE, SILENT)
    one_line(no)


# Scoring


def test_every_slice_of_the_asked_planes_is_scored(scored):
    files = scored.round(1)
    rows = rows_of(files)
    volumes = scored.cohort.volumes
    assert [key for key in rows if key.volume == "v00"]
    assert len(read_scores(files).volume) == len(rows)
    assert sorted(rows) == [
        SliceKey(volume.id, Plane.AXIAL, index) for volume in volumes for index in range(8)
    ]
    for row in rows.values():
        most = math.log(3) + 1e-6
        assert 0 <= row.band_entropy <= most
        assert 0 <= row.uncertainty <= row.band_entropy
        assert 0 <= row.whole_entropy <= most
        assert 0 <= row.epistemic <= row.whole_entropy + 1e-6
        assert row.class_entropy.shape == row.size.shape == row.shows.shape == (2,)
        assert (row.class_entropy.sum() <= row.whole_entropy + 1e-6) & (row.size >= 0).all()
        assert row.evidence.shape == (2, len(EVIDENCE) - 1)
        known = row.evidence[~np.isnan(row.evidence)]
        assert ((known >= 0) & (known <= 1 + 1e-9)).all()
        assert math.isfinite(row.contour_mm)
        assert row.seconds >= STANDARD.overhead_s
        assert row.how in ("draw", "correct", "confirm")
        assert (row.how == "confirm") == (row.seconds == STANDARD.overhead_s)
        assert row.seconds <= row.blank_seconds + 1e-9  # correcting is chosen where it is cheaper
        assert row.drawn or row.how != "draw"
    assert any(row.uncertainty > 0 for row in rows.values())
    found = estimate_slices(scored, files, read_scores(files))
    assert ((found.low >= 0) & (found.low <= found.dice)).all()
    assert ((found.dice <= found.high) & (found.high <= 1)).all()
    assert (found.gain >= 0).all()


def test_all_planes_are_scored_where_all_are_asked_for(answered, tmp_path):
    cohort = Cohort(answered.cohort.root, answered.cohort.volumes[2:], answered.structures)
    project = Project.create(tmp_path / "p", cohort, "all", "entropy-band", 5, "unet25d")
    for key, annotation in answered.annotations().items():
        if key.volume in ("v02", "v03"):
            project.accept(key, answered.read_annotation(annotation), "ada")
    project.accept(SliceKey("v02", Plane.AXIAL, 0), np.zeros((20, 18), np.uint8), "ada")
    run_train(project, Recipe(steps=1, batch=2), SILENT)
    files = run_score(project, SCORING, SILENT)
    expected = {
        SliceKey(volume, plane, index)
        for volume in ("v02", "v03")
        for plane, count in zip(Plane, (8, 20, 18), strict=True)
        for index in range(count)
    }
    assert set(rows_of(files)) == expected
    assert len(read_scores(files).volume) == len(expected)


def test_the_estimate_is_about_volumes_and_structures(scored):
    estimate = scored.round(1).read_estimate()
    assert set(estimate["structures"]) == {"liver", "spleen"}
    assert set(estimate["volumes"]) == {"v00", "v01", "v02", "v03"}
    known = [value for value in estimate["structures"].values() if value is not None]
    assert known
    assert all(0 <= value <= 1 for value in known)
    assert estimate["estimated_dice"] == pytest.approx(np.mean(known))
    assert (estimate["judged"], estimate["audited"]) == (0, 0)  # nothing was proposed yet
    assert estimate["low"] <= estimate["estimated_dice"] <= estimate["high"]
    for volume, value in estimate["volumes"].items():
        interval = estimate["intervals"][volume]
        assert (value is None) == (interval is None)
        assert value is None or 0 <= interval[0] <= value <= interval[1] <= 1
    found = project_status(scored)
    assert found["estimated_dice"] == estimate["estimated_dice"]
    assert found["estimated_dice_interval"] == [estimate["low"], estimate["high"]]


def test_judged_proposals_are_counted_in_the_next_estimate(whole, tmp_path, capsys):
    project = copied(whole, tmp_path / "p")
    answer(project, seconds=60.0)
    earlier = ", of the model of round 1\n"
    assert main(["status", str(project.folder)]) == 0
    assert earlier not in capsys.readouterr().out
    shown = [a.shown for a in project.all_annotations() if a.shown and a.shown["dice"]]
    assert shown
    assert all(each["round"] == 1 for each in shown)
    before = project.round(1).read_estimate()
    run_train(project, RECIPE, SILENT)
    assert main(["status", str(project.folder)]) == 0
    assert earlier in capsys.readouterr().out  # the new model has not been scored yet
    estimate = run_score(project, SCORING, SILENT).read_estimate()
    assert project_status(project)["estimated_round"] == 2
    assert (before["judged"], before["minutes"], before["next_gain"]) == (0, 0, None)
    assert (estimate["round"], estimate["judged"]) == (2, len(shown))
    assert estimate["audited"] == 0  # entropy-band draws none by chance
    assert estimate["minutes"] == pytest.approx(len(shown))
    gain = estimate["next_gain"]
    assert 0 <= gain["low"] <= gain["dice"] <= gain["high"]
    assert project_status(project)["next_gain"] == gain


def said_by(model, project, volume):
    """The channel of each voxel, canonical."""
    scan = read_scan(project, volume)
    assert len(scan.planes) == 1  # of several the plain mean would not do
    fusion = Fusion()
    fusion.add(model.probabilities(scan))
    *_, whole = model.views(scan)
    assert whole.plane is None
    found = np.zeros((len(whole.softmax), *scan.shape), np.float32)
    found[0] = 1
    found[(slice(None), *whole.box)] = whole.softmax
    fusion.add(found, beside=True)
    settled = model.settled(fusion.softmax(), scan)
    return likeliest(settled, model.handicaps(settled))


def test_predictions_are_the_models_masks_in_the_files_own_axes(scored):
    files = scored.round(1)
    model = SliceModel.from_checkpoint(files.model)
    for volume in scored.cohort.volumes:
        channels = said_by(model, scored, volume.id)
        values = np.array([0, 1, 4], np.uint8)[channels]
        kept = read_prediction(files, volume.id)
        np.testing.assert_array_equal(kept.labels, volume.geometry.from_canonical(values))
        assert kept.entropy.shape == volume.geometry.shape
        # In half precision before it was written.
        assert 0 <= kept.entropy.min() <= kept.entropy.max() <= math.log(3) * (1 + 2**-11)


def test_scoring_is_taken_up_where_it_was_killed(scored, tmp_path, monkeypatch):
    project = copied(scored, tmp_path / "p")
    files = project.round(1)
    calls = spy_on_scoring(monkeypatch)
    files.scores.unlink()
    (files.folder / "predictions/v02.npz").unlink()
    run_score(project, SCORING, SILENT)
    assert len(calls) == 1
    same_scores(files, scored.round(1))  # the rest as it was, the lost one as before
    files.scores.unlink()
    run_score(project, SCORING, SILENT)
    assert len(calls) == 1
    # Scored otherwise than asked for: all anew.
    run_score(project, replace(SCORING, samples="augmented"), SILENT)
    assert len(calls) == 1 + 4
    assert {call[4].samples for call in calls[1:]} == {"augmented"}


def spy_on_scoring(monkeypatch):
    calls = []
    real = scoring.score_scan

    def score_scan(*args):
        calls.append(args)
        return real(*args)

    monkeypatch.setattr(scoring, "score_scan", score_scan)
    return calls


def test_a_new_model_makes_old_predictions_worthless(whole, tmp_path, monkeypatch):
    project = copied(whole, tmp_path / "p")
    files = project.round(1)
    files.batch.unlink()  # as if round 1 had been killed before its batch
    run_train(project, Recipe(steps=2, batch=2), SILENT)
    assert set(files.existing()) == {"model.pt", "log.jsonl"}
    with pytest.raises(ProjectError, match="run 'activeseg round'"):
        suggest(project)  # what the former model thought is not used
    calls = spy_on_scoring(monkeypatch)
    run_score(project, SCORING, SILENT)
    assert len(calls) == 4
    model = SliceModel.from_checkpoint(files.model)
    labels = said_by(model, project, "v00")
    np.testing.assert_array_equal(
        read_prediction(files, "v00").labels, np.array([0, 1, 4], np.uint8)[labels]
    )


def test_what_needs_a_model_says_so(answered, tmp_path):
    project = copied(answered, tmp_path / "p")
    for verb in (
        lambda: run_score(project, SCORING, SILENT),
        lambda: predict(project, "v00", tmp_path / "out.nrrd"),
    ):
        with pytest.raises(
            ProjectError, match=r"no model yet; annotate .* 'activeseg train'"
        ) as no:
            verb()
        one_line(no)


@pytest.mark.parametrize("keep", [0, 1000])
def test_a_damaged_prediction_is_told_in_one_line(scored, tmp_path, keep):
    project = copied(scored, tmp_path / "p")
    file = project.round(1).folder / "predictions/v01.npz"
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(ProjectError, match=r"v01\.npz: damaged") as caught:
        run_score(project, SCORING, SILENT)
    one_line(caught)
    scores = project.round(1).scores
    scores.write_bytes(scores.read_bytes()[:keep])
    with pytest.raises(ProjectError, match=r"scores\.parquet: damaged") as caught:
        suggest(project)
    one_line(caught)


# Choosing


def test_what_is_annotated_is_never_asked_for(whole, tmp_path):
    project = copied(whole, tmp_path / "p")
    everything = {SliceKey(f"v{n:02d}", Plane.AXIAL, index) for n in range(4) for index in range(8)}
    answer(project)
    annotated = set(project.annotations())
    assert everything > annotated
    for name in STRATEGIES:
        batch = suggest(project, 1e4, name)
        assert (batch.round, batch.strategy) == (1, name)
        assert len(keys_of(batch)) == len(set(keys_of(batch)))
        assert set(keys_of(batch)) == everything - annotated


def test_a_scored_batch_says_what_the_model_thinks(whole):
    batch = whole.latest_batch()
    assert (batch.round, batch.strategy) == (1, "entropy-band")
    assert (batch.author, batch.note) == ("ada", "")
    rows = rows_of(whole.round(1))
    table = read_scores(whole.round(1))
    found = estimate_slices(whole, whole.round(1), table)
    place = row_numbers(table)
    opened = set()
    for each in batch.suggestions:
        row = rows[each.key]
        first = STANDARD.first_slice_s * (each.key.volume not in opened)
        opened.add(each.key.volume)
        assert each.minutes == pytest.approx((row.seconds + first) / 60)
        assert each.minutes_low < each.minutes < each.minutes_high
        assert each.expected_dice == found.dice[place[each.key]]
        assert (each.dice_low, each.dice_high) == (
            found.low[place[each.key]],
            found.high[place[each.key]],
        )
        assert each.entropy == row.band_entropy
        assert 0 <= each.value <= row.uncertainty
        assert (each.how, each.audit) == (row.how, False)
        assert each.work == {
            "prior_s": pytest.approx(row.seconds + first),
            "contour_mm": row.contour_mm,
            "drawn": row.drawn,
            "first": first > 0,
            "expected_dice": each.expected_dice,
        }
        assert f"expected Dice {each.expected_dice:.2f}" in each.reason
        assert row.doubt in each.reason
    assert sum(each.minutes for each in batch.suggestions) <= 4.0
    assert batch.suggestions
    assert set(keys_of(batch)).isdisjoint(whole.annotations())


def test_expected_minutes_follow_the_logged_ones(whole, tmp_path):
    """Answers that took twice as long as expected: the next are expected to take longer."""
    project = copied(whole, tmp_path / "p")
    asked = project.open_suggestions()
    for each in asked:
        label = project.cohort.volume(each.key.volume).label
        annotate(project, each.key, label, 2 * 60 * each.minutes, "ada")
    batch = run_round(project, 12.0, None, RECIPE, SCORING, SILENT)
    assert batch.author == "ada"
    rows = rows_of(project.round(2))
    learned = MinutesModel.fit(
        Work.from_rows([each.work for each in asked]),
        [120 * each.minutes for each in asked],
        ["ada"] * len(asked),
        "ada",
    )
    opened, openings = set(), set()
    for each in batch.suggestions:
        first = each.key.volume not in opened
        opened.add(each.key.volume)
        prior = rows[each.key].seconds + STANDARD.first_slice_s * first
        assert each.work["prior_s"] == pytest.approx(prior)
        assert 1.1 < 60 * each.minutes / prior < 3
        expected = learned.predict(Work.from_rows([each.work]))
        assert 60 * each.minutes_low == pytest.approx(expected.low[0])
        assert 60 * each.minutes_high == pytest.approx(expected.high[0])
        alone = learned.predict(Work.from_rows([each.work]).as_first(np.array([False])))
        if first:  # the overhead is the same for all
            openings.add(round(60 * each.minutes - alone.seconds[0], 6))
        else:
            assert 60 * each.minutes == pytest.approx(alone.seconds[0])
    (opening,) = openings
    pool = offered(project, project.round(2), strategy("random"), "ada", SILENT).pool
    assert opening == pytest.approx(pool.first_slice_s, abs=1e-5)
    assert opening > STANDARD.first_slice_s


def test_a_model_that_has_not_scored_is_not_passed_over(whole, tmp_path):
    project = copied(whole, tmp_path / "p")
    answer(project)
    run_train(project, RECIPE, SILENT)
    with pytest.raises(ProjectError, match=r"model of round 2 has not .* 'activeseg score'") as no:
        suggest(project)
    one_line(no)
    assert project.latest_batch() == whole.latest_batch()
    suggest(project, 2.0, "random")  # which asks no model


def test_predictions_of_volumes_with_odd_names_have_a_file(tmp_path):
    files = RoundFiles(tmp_path / "001")
    one = np.zeros((1, 1, 1), dtype=np.uint8)
    made = scores("axial", [0], doubt=["upper border is uncertain"])
    Prediction(one, one.astype(np.float32), made).write(files, "a:b?", "sha")
    assert [file.name for file in (tmp_path / "001/predictions").iterdir()] == ["a%3Ab%3F.npz"]
    found = read_prediction(files, "a:b?").scores.arrays()
    assert set(found) == set(made.arrays())
    for name, column in made.arrays().items():
        np.testing.assert_array_equal(found[name], column)
    assert is_predicted(files, "a:b?", "sha")
    assert not is_predicted(files, "a:b?", "another")
    assert not is_predicted(files, "another", "sha")


def test_proposals_are_the_predictions_slices(whole):
    batch = whole.latest_batch()
    for key in keys_of(batch):
        labels = read_prediction(whole.round(1), key.volume).labels
        geometry = whole.cohort.volume(key.volume).geometry
        expected = take_slice(labels, geometry, key.plane, key.index)
        np.testing.assert_array_equal(whole.proposal(key), expected)
        assert whole.proposal(key).dtype == np.uint8


def test_a_batch_can_be_chosen_anew(whole, tmp_path):
    project = copied(whole, tmp_path / "p")
    first = whole.latest_batch()
    assert suggest(project).suggestions == first.suggestions
    smaller = suggest(project, 2.5)
    assert 0 < len(smaller.suggestions) < len(first.suggestions)
    assert project.open_suggestions() == list(smaller.suggestions)
    assert len(project.rounds()) == 2


# One at a time


def test_only_one_works_at_a_time(whole, tmp_path):
    project = copied(whole, tmp_path / "p")
    before = sorted(path.relative_to(project.folder) for path in project.folder.rglob("*"))
    verbs = (
        lambda: run_train(project, RECIPE, SILENT),
        lambda: run_score(project, SCORING, SILENT),
        lambda: suggest(project),
        lambda: run_round(project, 4.0, None, RECIPE, SCORING, SILENT),
    )
    with project.working("train"):
        for verb in verbs:
            with pytest.raises(ProjectError, match=r"another activeseg is at work .*train") as no:
                verb()
            one_line(no)
    after = sorted(path.relative_to(project.folder) for path in project.folder.rglob("*"))
    assert [p for p in after if not p.name.startswith(".")] == [
        p for p in before if not p.name.startswith(".")
    ]
    suggest(project)  # and when it is done the next one may


# Predicting


def test_predict_writes_the_latest_models_mask(whole, tmp_path):
    project = copied(whole, tmp_path / "p")
    project.accept(SliceKey("v00", Plane.AXIAL, 0), np.zeros((20, 18), np.uint8), "ada")
    latest = run_train(project, Recipe(steps=2, batch=2), SILENT)
    assert latest.number == 2
    predict(project, "v01", tmp_path / "v01.nrrd")
    found, geometry = read_image_file(tmp_path / "v01.nrrd")
    wanted = project.cohort.volume("v01").geometry
    assert geometry.mismatch(wanted) is None
    channels = said_by(SliceModel.from_checkpoint(latest.model), project, "v01")
    values = np.array([0, 1, 4], np.uint8)[channels]
    np.testing.assert_array_equal(found, wanted.from_canonical(values))


def test_what_predict_refuses(whole, tmp_path):
    with pytest.raises(CohortError, match="v99: no such volume among the 4") as caught:
        predict(whole, "v99", tmp_path / "out.nrrd")
    one_line(caught)
    for output in (tmp_path / "out.png", tmp_path / "nowhere" / "out.nrrd"):
        with pytest.raises(CohortError, match="cannot be written") as caught:
            predict(whole, "v00", output)
        one_line(caught)
    assert list(tmp_path.iterdir()) == []


def test_a_replaced_batch_still_teaches(scored, tmp_path):
    """An answer to a slice of a former batch of the round is judged like one of the latest."""
    project = copied(scored, tmp_path / "p")
    first = suggest(project, 3.0, "random")
    second = suggest(project, 3.0, "worst-dice")
    gone = [each for each in first.suggestions if each.key not in keys_of(second)]
    assert gone
    assert {each.key for each in second.former} >= {each.key for each in gone}
    assert {each.key for each in second.former}.isdisjoint(keys_of(second))
    assert project.latest_batch() == second
    mask = project.round(second.round).read_proposal(gone[0].key)
    shown = what_was_shown(project, gone[0].key, mask)
    assert (shown["rank"], shown["work"]) == (gone[0].rank, dict(gone[0].work))
    assert set(shown["dice"].values()) <= {1.0, None}
    assert gone[0].key not in {each.key for each in project.open_suggestions()}
