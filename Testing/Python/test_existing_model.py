"""Projects that start from a model that exists: from `init --model` to its tuned checkpoint."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from torch import nn

from activeseg.cli import main
from activeseg.cohort import take_slice
from activeseg.errors import ModelError, ProjectError
from activeseg.keys import Plane, SliceKey
from activeseg.model.network import load, load_tuned, pick_device
from activeseg.model.training import Recipe
from activeseg.model.tuning import Tuning, tune
from activeseg.progress import Silent
from activeseg.project import Project
from activeseg.project import learning as learning_module
from activeseg.project.beginning import begin
from activeseg.project.lessons import taught_volumes
from activeseg.project.model_name import check_model
from activeseg.project.predicting import latest_model, predict
from activeseg.project.scans import scan_for
from activeseg.project.scoring import Scoring
from activeseg.project.start import Start
from activeseg.project.verbs import run_round, run_score, run_suggest, run_train
from rounds_by_hand import read_scores
from tiny_bundle import (
    EDGES_HU,
    POINTWISE,
    UNET,
    change,
    pointwise,
    unet,
    write_bundle,
    write_torchscript,
)
from tiny_cohort import answer, copied, new_project, write_tiny_cohort

SILENT = Silent()
RECIPE = Recipe(steps=3, batch=2)
SCORING = Scoring(passes=2)
TUNING = Tuning(steps=3, learning_rate=1e-2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("existing")


@pytest.fixture(scope="module")
def cohort(folder):
    return write_tiny_cohort(folder / "cohort")


@pytest.fixture(scope="module")
def knowing(folder):
    """A bundle that knows the tiny cohort, not quite sure of it."""
    return write_bundle(folder / "knowing", pointwise(12.0), POINTWISE, [1.0, 1.0, 2.0])


@pytest.fixture(scope="module")
def learning(folder):
    """A bundle with dropout that has to learn first."""
    return write_bundle(folder / "learning", unet(seed=2), UNET)


def init(project, cohort, model, *more):
    return main(["init", str(project), "--cohort", str(cohort), "--model", str(model), *more])


def refused(capsys, code, *parts):
    """Exit 2 and one line that says it."""
    said = capsys.readouterr().err
    assert code == 2
    assert said.count("\n") == 1, said
    for part in parts:
        assert part in said


@pytest.fixture(scope="module")
def begun(folder, cohort, knowing):
    """A project of the knowing bundle; nothing done yet."""
    assert init(folder / "begun", cohort, knowing, "--progress", "none") == 0
    return Project.open(folder / "begun")


@pytest.fixture(scope="module")
def suggested(folder, begun):
    """Its first batch is there."""
    project = copied(begun, folder / "suggested")
    run_suggest(project, 6.0, None, SILENT)
    return project


@pytest.fixture(scope="module")
def trained(folder, cohort):
    """A checkpoint of our own."""
    project = new_project(folder / "trained", cohort)
    run_suggest(project, 4.0, None, SILENT)
    answer(project)
    run_train(project, RECIPE, SILENT)
    return project.round(1).model


class TestInit:
    def test_the_project_keeps_mapping_paths_checksums_and_trust(self, begun, knowing):
        said = json.loads((begun.folder / "project.json").read_text())["start"]
        assert said["kind"] == "bundle"
        assert said["path"] == str(knowing)
        assert said["channels"] == {"liver": 1, "spleen": 2}
        assert said["trusted"] is False
        names = ["configs/metadata.json", "configs/inference.json", "models/model.pt"]
        assert list(said["files"]) == names
        assert all(len(digest) == 64 for digest in said["files"].values())
        assert begun.start == Start.from_json(said)
        assert begun.model == str(knowing)

    def test_it_says_which_output_is_what(self, cohort, knowing, tmp_path, capsys):
        assert init(tmp_path / "p", cohort, knowing, "--map", "spleen=2,liver=1") == 0
        assert "liver is output 1, spleen is output 2" in capsys.readouterr().out
        assert main(["status", str(tmp_path / "p")]) == 0
        assert f"{knowing}, as it came" in capsys.readouterr().out

    def test_a_project_of_before_has_no_start(self, cohort, tmp_path):
        project = new_project(tmp_path / "p", cohort)
        file = project.folder / "project.json"
        said = json.loads(file.read_text())
        assert said.pop("start") is None
        file.write_text(json.dumps(said))
        assert Project.open(project.folder).start is None

    @pytest.mark.parametrize(
        ("more", "part"),
        [
            (("--map", "liver=1,spleen=3"), "no output 3 for spleen; its outputs are 0 background"),
            (("--map", "liver=1"), "which output is spleen?"),
            (("--map", "liver=2,spleen=1"), "the model itself calls output 1 so"),
            (("--map", "liver=1,spleen=2,gut=3"), "--map names 'gut'"),
            (("--structures", "liver,kidney"), "which output is kidney?"),
        ],
    )
    def test_a_mapping_that_does_not_fit_is_refused(
        self, cohort, knowing, tmp_path, capsys, more, part
    ):
        if "--structures" in more:  # a cohort that nobody has labelled
            cohort = shutil.copytree(cohort / "images", tmp_path / "cohort")
        refused(capsys, init(tmp_path / "p", cohort, knowing, *more), part)
        assert not (tmp_path / "p").exists()

    def test_words_that_are_no_mapping_are_refused(self, cohort, knowing, tmp_path, capsys):
        for text in ("liver", "liver=", "=1", "liver=1,liver=2", "liver=-1"):
            with pytest.raises(SystemExit) as ended:
                init(tmp_path / "p", cohort, knowing, "--map", text)
            refused(capsys, ended.value.code, "argument --map")

    def test_mapping_and_trust_belong_to_somebody_elses_model(self, cohort, tmp_path, capsys):
        for more in (("--map", "liver=1"), ("--trust-code",)):
            code = init(tmp_path / "p", cohort, "unet25d", *more)
            refused(capsys, code, "are for a --model of somebody else's")

    def test_what_is_no_model_is_refused(self, cohort, tmp_path, capsys):
        refused(capsys, init(tmp_path / "p", cohort, tmp_path / "no"), "no model '", "MONAI bundle")
        (tmp_path / "empty").mkdir()
        code = init(tmp_path / "p", cohort, tmp_path / "empty")
        refused(capsys, code, "no MONAI bundle; it has no configs/metadata.json")

    def test_a_model_for_other_scans_is_refused(self, cohort, knowing, tmp_path, capsys):
        shutil.copytree(knowing, tmp_path / "b")
        place = "network_data_format/inputs/image/modality"
        change(tmp_path / "b/configs/metadata.json", place, "MR")
        code = init(tmp_path / "p", cohort, tmp_path / "b")
        refused(capsys, code, "made for MR, this cohort is CT")

    def test_torchscript_needs_trust(self, cohort, tmp_path, capsys):
        file = write_torchscript(tmp_path / "net.ts", pointwise())
        code = init(tmp_path / "p", cohort, file)
        refused(capsys, code, "net.ts: a TorchScript file, which is code; give --trust-code")
        assert init(tmp_path / "p", cohort, file, "--trust-code") == 0
        start = Project.open(tmp_path / "p").start
        assert (start.kind, start.trusted, list(start.files)) == (
            "torchscript",
            True,
            ["net.ts", "net.json"],
        )

    def test_a_model_that_changed_since_is_refused(self, begun, knowing, tmp_path):
        shutil.copytree(knowing, tmp_path / "b")
        start = begin(str(tmp_path / "b"), begun.cohort, "auto", {}, trusted=False)
        project = Project.create(
            tmp_path / "p", begun.cohort, "auto", "auto", 0, str(tmp_path / "b"), start
        )
        torch.save(nn.Conv3d(1, 3, 1).state_dict(), tmp_path / "b/models/model.pt")
        with pytest.raises(ModelError, match=r"models/model.pt: was changed since the project"):
            run_suggest(project, 6.0, None, SILENT)
        shutil.rmtree(tmp_path / "b")
        with pytest.raises(ModelError, match=r"cannot be read .*restore it"):
            run_score(project, SCORING, SILENT)
        assert project.rounds() == ()


class TestFirstBatch:
    def test_it_shows_what_the_model_proposes(self, suggested):
        batch = suggested.latest_batch()
        assert (batch.round, batch.strategy) == (0, "auto")
        assert batch.note == "sampled by test-time augmentation, as the model has no dropout"
        assert suggested.round(0).read_estimate()["note"] == batch.note
        assert not suggested.round(0).model.exists()
        shows = 0
        for each in batch.suggestions:
            assert each.expected_dice is not None
            mask = suggested.proposal(each.key)
            if each.audit:
                continue
            geometry = suggested.cohort.volume(each.key.volume).geometry
            image = suggested.cohort.read_image(each.key.volume)
            cut = np.take(image, each.key.index, geometry.array_axis(each.key.plane))
            right = np.array([0, 1, 4])[np.digitize(cut, EDGES_HU)] == mask
            assert right.mean() > 0.9  # the model's voxels are not the volume's
            shows += bool(mask.any())
        assert shows > 0

    def test_a_second_call_does_not_score_again(self, suggested, tmp_path):
        project = copied(suggested, tmp_path / "p")
        before = project.round(0).scores.stat().st_mtime_ns
        run_suggest(project, 6.0, "clue", SILENT)
        assert project.latest_batch().strategy == "clue"
        assert project.round(0).scores.stat().st_mtime_ns == before

    @pytest.mark.parametrize("strategy", ["clue", "energy", "entropy-band", "clasp", "one-shot"])
    def test_any_strategy_chooses(self, suggested, tmp_path, strategy):
        project = copied(suggested, tmp_path / "p")
        batch = run_suggest(project, 6.0, strategy, SILENT)
        assert batch.strategy == strategy
        assert sum(each.minutes for each in batch.suggestions) <= 6.0

    def test_energy_finds_the_volume_of_another_kind(self, folder, cohort, tmp_path):
        """One volume is brighter than anything; a network that never saw such has less to say."""
        network = nn.Conv3d(1, 3, 1)
        with torch.no_grad():
            network.weight.copy_(torch.tensor([-4.0, -3.0, -2.0]).reshape(3, 1, 1, 1, 1))
            network.bias.copy_(torch.tensor([4.0, 2.0, 1.0]))
        bundle = write_bundle(tmp_path / "b", network, POINTWISE)
        cohort = shutil.copytree(cohort, tmp_path / "cohort")
        from activeseg.cohort import open_cohort
        from activeseg.cohort.images import write_image

        opened = open_cohort(cohort)
        shifted = opened.volume("v02")
        image = opened.read_image("v02") + 150
        write_image(cohort / "images/v02.nrrd", image, shifted.geometry)
        assert init(tmp_path / "p", cohort, bundle) == 0
        project = Project.open(tmp_path / "p")
        batch = run_suggest(project, 1.0, "energy", SILENT)
        assert max(batch.suggestions, key=lambda each: each.value).key.volume == "v02"
        table = read_scores(project.round(0))
        mean = {
            volume: np.nanmean(table.scores.energy[table.volume == volume])
            for volume in ("v00", "v01", "v02", "v03")
        }
        assert max(mean, key=mean.__getitem__) == "v02"

    def test_a_model_of_probabilities_has_no_energy(self, cohort, tmp_path):
        network = nn.Sequential(pointwise(12.0), nn.Softmax(dim=1))
        file = write_torchscript(tmp_path / "net.ts", network)
        assert init(tmp_path / "p", cohort, file, "--trust-code") == 0
        project = Project.open(tmp_path / "p")
        with pytest.raises(ProjectError, match="has no energy; choose with --strategy clue"):
            run_suggest(project, 6.0, "energy", SILENT)
        assert run_suggest(project, 6.0, "clue", SILENT).suggestions

    def test_scores_of_a_view_of_the_whole_volume(self, suggested):
        scores = read_scores(suggested.round(0)).scores
        views = scores.evidence[:, :, 1]
        assert np.isnan(views).all()  # nothing to compare with
        assert not any("view" in words for words in scores.doubt)
        assert np.isfinite(scores.energy).any()

    def test_predict_works_at_once(self, begun, tmp_path):
        predict(begun, "v01", tmp_path / "mask.nrrd")
        from activeseg.cohort import read_image_file

        found, geometry = read_image_file(tmp_path / "mask.nrrd")
        assert geometry.shape == begun.cohort.volume("v01").geometry.shape
        assert set(np.unique(found)) == {0, 1, 4}

    def test_dropout_is_used_where_there_is_some(self, cohort, learning, tmp_path):
        assert init(tmp_path / "p", cohort, learning) == 0
        project = Project.open(tmp_path / "p")
        files = run_score(project, SCORING, SILENT)
        assert files.read_estimate()["note"] == ""
        other = run_score(project, Scoring(samples="snapshots", passes=2), SILENT)
        assert other.read_estimate()["note"].endswith("no members kept from its training")


class TestRound:
    def test_the_whole_loop(self, cohort, learning, tmp_path, capsys):
        """init, suggest, annotate, round: the tuned model is another, and reloads the same."""
        folder = tmp_path / "p"
        assert init(folder, cohort, learning, "--json") == 0
        capsys.readouterr()
        assert main(["suggest", str(folder), "--minutes", "5", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["suggestions"][0]["expected_dice"] is not None
        project = Project.open(folder)
        untuned = latest_model(project)
        scan = scan_for(untuned, project.cohort, "v00", "auto")
        before = untuned.probabilities(scan)
        answer(project)
        words = ["round", str(folder), "--minutes", "5", "--steps", "4", "--device", "cpu"]
        assert main([*words, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["round"] == 1
        weights, facts = load_tuned(project.round(1).model)
        assert facts["source"] == str(learning)
        assert (facts["steps"], facts["part"]) == (4, "all")
        assert set(facts["annotations"]) == {str(key) for key in project.annotations()}
        assert set(weights) == set(unet().state_dict())
        tuned = latest_model(project)
        after = tuned.probabilities(scan)
        assert not np.allclose(before, after)
        np.testing.assert_array_equal(after, latest_model(project).probabilities(scan))
        assert main(["status", str(folder)]) == 0
        assert "trained in round 1" in capsys.readouterr().out
        with pytest.raises(ModelError, match=r"tuned from .*start from that model"):
            load(project.round(1).model)

    def test_each_round_goes_on_from_the_model_of_the_one_before(self, suggested, tmp_path):
        project = copied(suggested, tmp_path / "p")
        answer(project)
        first = run_round(project, 1.5, "random", RECIPE, SCORING, SILENT, tuning=TUNING)
        learned, _ = load_tuned(project.round(first.round).model)
        assert not torch.equal(learned["weight"], pointwise(12.0).weight)
        answer(project)
        still = Tuning(steps=1, learning_rate=1e-12, weight_decay=0.0)
        files = run_train(project, RECIPE, SILENT, still)
        assert files.number == first.round + 1
        weights, _ = load_tuned(files.model)
        torch.testing.assert_close(weights["weight"], learned["weight"])

    def test_the_decoder_alone(self, cohort, learning, tmp_path):
        assert init(tmp_path / "p", cohort, learning) == 0
        project = Project.open(tmp_path / "p")
        run_suggest(project, 5.0, "random", SILENT)
        answer(project)
        tuning = Tuning(steps=2, part="decoder")
        weights, facts = load_tuned(run_train(project, RECIPE, SILENT, tuning).model)
        assert facts["part"] == "decoder"
        for name, value in unet(seed=2).named_parameters():
            assert torch.equal(weights[name], value) != name.startswith("model.2."), name

    def test_torchscript_is_tuned_and_reloaded(self, cohort, tmp_path, capsys):
        file = write_torchscript(tmp_path / "net.ts", unet(seed=2, dropout=0.0))
        folder = tmp_path / "p"
        assert init(folder, cohort, file, "--trust-code") == 0
        assert main(["suggest", str(folder), "--minutes", "5"]) == 0
        assert "test-time augmentation" in capsys.readouterr().out
        project = Project.open(folder)
        answer(project)
        run_round(project, 5.0, None, RECIPE, SCORING, SILENT, tuning=TUNING)
        assert not torch.equal(
            latest_model(project).network.state_dict()["model.0.conv.unit0.conv.weight"],
            unet(seed=2).state_dict()["model.0.conv.unit0.conv.weight"],
        )
        code = main(["train", str(folder), "--tune", "decoder", "--steps", "1"])
        refused(capsys, code, "does not show what runs after what; train with --tune all")

    def test_every_annotated_slice_is_learned_from(self, learning, tmp_path, monkeypatch):
        cohort = write_tiny_cohort(tmp_path / "cohort", volumes=10)
        assert init(tmp_path / "p", cohort, learning) == 0
        project = Project.open(tmp_path / "p")
        for volume in project.cohort.volumes:
            label = project.cohort.read_label(volume.id)
            for index in (3, 6):
                mask = take_slice(label, volume.geometry, Plane.AXIAL, index)
                project.accept(SliceKey(volume.id, Plane.AXIAL, index), mask, "ada")
        taught, learned = {}, []

        def read(*args):
            taught.update(taught_volumes(*args))
            return taught

        def learn(model, volumes, *rest):
            learned.extend(volumes)
            return tune(model, volumes, *rest)

        monkeypatch.setattr(learning_module, "taught_volumes", read)
        monkeypatch.setattr(learning_module, "tune", learn)
        run_train(project, RECIPE, SILENT, TUNING)
        assert [id(each) for each in learned] == [id(taught[f"v{n:02}"]) for n in range(10)]
        assert [len(each.lessons) for each in learned] == [2] * 10


class TestCheckpoint:
    def test_our_own_speaks_in_round_0_too(self, cohort, trained, tmp_path, capsys):
        assert init(tmp_path / "p", cohort, trained) == 0
        project = Project.open(tmp_path / "p")
        assert (project.start.kind, project.start.foreign) == ("checkpoint", False)
        batch = run_suggest(project, 4.0, None, SILENT)
        assert (batch.round, batch.note) == (0, "")
        assert all(each.expected_dice is not None for each in batch.suggestions)
        answer(project)
        tuned = run_train(project, RECIPE, SILENT, Tuning(part="decoder"))
        before, after = (load(path)[0].state_dict() for path in (trained, tuned.model))
        same = {name for name, value in before.items() if torch.equal(after[name], value)}
        assert "unet.model.0.conv.unit0.conv.weight" in same
        assert "unet.model.2.0.conv.weight" not in same
        refused(
            capsys,
            init(tmp_path / "q", cohort, trained, "--map", "liver=1"),
            "--map is for a MONAI bundle or a TorchScript file",
        )

    def test_one_for_other_structures_is_refused(self, trained, tmp_path, capsys):
        cohort = write_tiny_cohort(tmp_path / "cohort")
        described = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "liver": 1}}
        shutil.rmtree(cohort / "labels")
        (cohort / "dataset.json").write_text(json.dumps(described))
        said = "made for structures (1, 4), this project has (1,)"
        refused(capsys, init(tmp_path / "p", cohort, trained), said)
        assert not (tmp_path / "p").exists()

    @pytest.mark.parametrize("name", ["scan", "text"])
    def test_what_is_no_model_is_refused_and_not_to_be_deleted(
        self, name, cohort, tmp_path, capsys
    ):
        text = tmp_path / "notes.txt"
        text.write_text("no model")
        file = {"scan": next((cohort / "images").iterdir()), "text": text}[name]
        code = init(tmp_path / "p", cohort, file)
        said = capsys.readouterr().err
        assert code == 2
        assert said.count("\n") == 1
        assert f"{file}: not a readable checkpoint; name the model.pt of a project's round" in said
        assert "delete" not in said
        assert not (tmp_path / "p").exists()

    def test_a_part_of_fresh_weights_is_refused(self, cohort, tmp_path, capsys):
        project = new_project(tmp_path / "p", cohort)
        run_suggest(project, 4.0, None, SILENT)
        answer(project)
        code = main(["train", str(project.folder), "--tune", "decoder"])
        refused(capsys, code, "this project trains from fresh weights")


class TestDevice:
    @pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
    def test_one_that_is_not_there_is_told_in_one_line(self, suggested, tmp_path, capsys):
        project = copied(suggested, tmp_path / "p")
        answer(project)
        where = str(project.folder)
        for words in (
            ["train", where],
            ["score", where],
            ["suggest", where, "--minutes", "5"],
            ["round", where, "--minutes", "5"],
            ["predict", where, "v00", "-o", str(tmp_path / "mask.nrrd")],
        ):
            code = main([*words, "--device", "cuda"])
            refused(capsys, code, "torch sees no CUDA device here; give --device cpu, or auto")
        assert not project.round(1).folder.exists()

    def test_names(self, monkeypatch):
        assert pick_device("cpu") == torch.device("cpu")
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        assert pick_device("auto") == pick_device("cuda") == torch.device("cuda")
        assert pick_device("cpu") == torch.device("cpu")
        with pytest.raises(ModelError, match="no device 'tpu'; expected auto, cpu, cuda"):
            pick_device("tpu")


def test_names_of_models_that_exist(knowing):
    assert check_model(str(knowing)) == str(knowing)
