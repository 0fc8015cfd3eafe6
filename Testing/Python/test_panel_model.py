"""A model to start from, in the real panel: the form's rows, the consent, devices and tuning."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

pytest.importorskip("slicer", reason="needs slicer-core", exc_type=ImportError)
pytest.importorskip("PySide6.QtWidgets", reason="needs PySide6", exc_type=ImportError)

from activeseg.project import Project
from activeseg.project.start import Start
from panel_bench import Bench, ask, panel_bench  # noqa: F401
from qt_shim import Dialogs
from tiny_bundle import POINTWISE, change, pointwise, write_bundle, write_torchscript
from tiny_cohort import new_project, write_tiny_cohort

ROWS = ("modelEdit", "modelButton", "mapLabel", "mapEdit", "trustCheck")
BUILT_IN, BUNDLE, FILE = range(3)
ALL, DECODER = range(2)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_tiny_cohort(tmp_path_factory.mktemp("scans") / "cohort", 2)


@pytest.fixture
def bundle(tmp_path):
    """A bundle that tells the tiny cohort's organs apart, and calls them as the cohort does."""
    return write_bundle(tmp_path / "bundle", pointwise(), POINTWISE)


@pytest.fixture
def code(tmp_path):
    """What makes a file TorchScript; there is nothing in it to run."""
    return archive(tmp_path / "model.ts", "model/constants.pkl", "model/code/__torch__.py")


@pytest.fixture
def checkpoint(tmp_path):
    return archive(tmp_path / "model.pt", "model/data.pkl", "model/data/0")


def archive(file: Path, *names: str) -> Path:
    with zipfile.ZipFile(file, "w") as made:
        for name in names:
            made.writestr(name, "")
    return file


class Recorded:
    """In place of a process: writes the command down and is done, the project not made."""

    def __init__(self):
        self.commands = []

    def __call__(self, command, folder):
        self.commands.append(list(command)[3:])
        return self

    def output(self):
        return iter(())

    def messages(self):
        return iter(["not made"])

    def wait(self):
        return 2

    def end(self):
        """There is nothing to end."""


@pytest.fixture
def engine(bench):
    made = bench.panel.computing._worker._launcher = Recorded()
    return made


def fill(bench: Bench, cohort: Path, kind: int, path: object = "") -> None:
    """Fill in the form."""
    bench.click("newButton")
    bench.ui.cohortEdit.setText(str(cohort))
    bench.ui.folderEdit.setText(str(cohort.parent / "new"))
    bench.ui.modelKind.setCurrentIndex(kind)
    bench.ui.modelEdit.setText(str(path))


def created(bench: Bench, engine: Recorded) -> list[str]:
    """Press the button; the words that follow the scans' and the planes'."""
    bench.click("createButton")
    bench.finish()
    (command,) = engine.commands
    assert command[0] == "init"
    return command[command.index("--model") : command.index("--strategy")]


def shown(bench: Bench) -> list[str]:
    return [name for name in ROWS if bench.shown(name)]


class TestForm:
    def test_the_built_in_network_needs_nothing(self, bench, engine, cohort):
        fill(bench, cohort, BUILT_IN, "/left/over.pt")
        bench.ui.mapEdit.setText("liver=1")
        bench.ui.trustCheck.setChecked(True)
        assert shown(bench) == []
        assert created(bench, engine) == ["--model", "unet25d"]

    def test_the_kinds_are_named(self, bench):
        kinds = [bench.ui.modelKind.itemText(line) for line in range(3)]
        assert kinds == ["Built-in network", "MONAI bundle", "TorchScript or checkpoint file"]

    def test_a_bundle_is_chosen_as_a_folder(self, bench, engine, cohort, bundle, monkeypatch):
        fill(bench, cohort, BUNDLE)
        assert shown(bench) == list(ROWS)
        monkeypatch.setattr(Dialogs, "folder", str(bundle))
        bench.click("modelButton")
        assert bench.text("modelEdit") == str(bundle)
        assert created(bench, engine) == ["--model", str(bundle)]

    def test_mapping_and_consent_of_a_bundle(self, bench, engine, cohort, bundle):
        fill(bench, cohort, BUNDLE, bundle)
        assert bench.ui.mapEdit.property("placeholderText") == "liver=1,spleen=3"
        bench.ui.mapEdit.setText(" liver=1, spleen=2 ")
        bench.ui.trustCheck.click()
        words = ["--model", str(bundle), "--map", "liver=1, spleen=2", "--trust-code"]
        assert created(bench, engine) == words

    @pytest.mark.parametrize("pair", [False, True])
    def test_a_torchscript_file(self, bench, engine, cohort, code, monkeypatch, pair):
        """Chosen in a dialog that answers with a name (PythonQt), or a name and its kind."""
        fill(bench, cohort, FILE)
        assert shown(bench) == ["modelEdit", "modelButton"]
        monkeypatch.setattr(Dialogs, "file", (str(code), "Models") if pair else str(code))
        bench.click("modelButton")
        assert shown(bench) == list(ROWS)
        bench.ui.mapEdit.setText("liver=1")
        bench.ui.trustCheck.click()
        assert created(bench, engine) == [
            "--model", str(code), "--map", "liver=1", "--trust-code"
        ]  # fmt: skip

    def test_a_checkpoint_has_no_outputs_to_name_and_runs_nothing(
        self, bench, engine, cohort, checkpoint
    ):
        fill(bench, cohort, BUNDLE, checkpoint)
        bench.ui.mapEdit.setText("liver=1")
        bench.ui.modelKind.setCurrentIndex(FILE)
        assert shown(bench) == ["modelEdit", "modelButton"]
        assert created(bench, engine) == ["--model", str(checkpoint)]

    def test_a_bundle_that_is_given_as_a_file_is_one_all_the_same(self, bench, cohort, bundle):
        fill(bench, cohort, FILE, bundle)
        assert shown(bench) == list(ROWS)

    def test_a_closed_dialog_changes_nothing(self, bench, cohort, code, monkeypatch):
        fill(bench, cohort, FILE, code)
        monkeypatch.setattr(Dialogs, "file", ("", ""))
        bench.click("modelButton")
        assert bench.text("modelEdit") == str(code)

    def test_a_relative_path_is_meant_from_here(self, bench, engine, cohort, bundle, monkeypatch):
        """The engine runs in another folder."""
        monkeypatch.chdir(bundle.parent)
        fill(bench, cohort, BUNDLE, bundle.name)
        assert created(bench, engine) == ["--model", str(bundle)]

    @pytest.mark.parametrize("kind", [BUNDLE, FILE])
    def test_no_model_is_chosen(self, bench, engine, cohort, kind):
        fill(bench, cohort, kind, " ")
        bench.click("createButton")
        assert bench.text("messageLabel") == "Choose the model first, or the built-in network."
        assert engine.commands == []

    def test_the_command_line_takes_these_words(self, bench, engine, cohort, code):
        from activeseg.cli.parser import build_parser

        fill(bench, cohort, FILE, code)
        bench.ui.mapEdit.setText("liver=1, spleen = 3")
        bench.ui.trustCheck.click()
        created(bench, engine)
        found = build_parser().parse_args(engine.commands[0])
        assert (found.model, found.trust_code) == (str(code), True)
        assert found.map == {"liver": 1, "spleen": 3}


class TestConsent:
    def test_nothing_is_trusted_unasked(self, bench, cohort, code):
        fill(bench, cohort, FILE, code)
        assert not bench.ui.trustCheck.property("checked")

    def test_it_is_given_to_one_model(self, bench, cohort, code, bundle):
        fill(bench, cohort, FILE, code)
        for change_model in (
            lambda: bench.ui.modelEdit.setText(str(bundle)),
            lambda: bench.ui.modelKind.setCurrentIndex(BUNDLE),
            lambda: bench.panel._new.close(),
        ):
            bench.ui.trustCheck.setChecked(True)
            change_model()
            assert not bench.ui.trustCheck.property("checked")

    def test_a_scene_cannot_give_it(self, bench, cohort, code):
        """A scene is handed on; whoever loads it has not read the model's code."""
        fill(bench, cohort, FILE, code)
        bench.ui.trustCheck.click()
        scene = bench.mrml.scene
        node = bench.widget.logic.getParameterNode()
        kept = {node.GetParameter(name) for name in node.GetParameterNames()}
        assert str(code) in kept
        scene.StartState(scene.ImportState)
        scene.EndState(scene.ImportState)
        assert bench.text("modelEdit") == str(code)
        assert not bench.ui.trustCheck.property("checked")
        bench.ui.trustCheck.click()
        assert {node.GetParameter(name) for name in node.GetParameterNames()} == kept


def test_the_choices_are_saved_with_the_scene(bench, cohort, bundle):
    fill(bench, cohort, BUNDLE, bundle)
    bench.ui.mapEdit.setText("liver=1")
    bench.ui.deviceCombo.setCurrentIndex(2)
    bench.ui.tuneCombo.setCurrentIndex(DECODER)
    node = bench.widget.logic.getParameterNode()
    names = ("model_kind", "model_path", "model_map", "device", "tune")
    saved = [node.GetParameter(name) for name in names]
    assert saved == ["bundle", str(bundle), "liver=1", "cuda", "decoder"]
    bench.mrml.scene.Clear(True)  # the singletons too
    assert shown(bench) == []
    assert bench.ui.modelKind.itemText(BUNDLE) == "MONAI bundle"
    scene = bench.mrml.scene
    scene.StartState(scene.ImportState)
    node = bench.widget.logic.getParameterNode()
    for name, value in zip(names, saved, strict=True):
        node.SetParameter(name, value)
    scene.EndState(scene.ImportState)
    assert bench.ui.modelKind.property("currentText") == "MONAI bundle"
    assert [bench.text("modelEdit"), bench.text("mapEdit")] == saved[1:3]
    assert bench.ui.deviceCombo.property("currentText") == "cuda"
    assert bench.ui.tuneCombo.property("currentText") == "decoder"
    assert shown(bench) == list(ROWS)


class TestSettings:
    def project(self, folder: Path, cohort: Path, kind: str | None) -> Project:
        """A project of the built-in network, or of a model that nothing here asks for."""
        path = folder / "model"
        path.touch()
        made = new_project(folder / "project", cohort)
        if kind is not None:
            start = Start(kind, path, {}, {"liver": 1, "spleen": 2}, False)
            change(made.folder / "project.json", "start", start.to_json())
            made = Project.open(made.folder)
        ask(made, "v00/axial/003", "v01/axial/004")
        return made

    def asked(self, bench: Bench, engine: Recorded, project: Project) -> list[list[str]]:
        """The commands of a suggestion, and of a round after an answer."""
        bench.open(project)
        bench.ui.retrainCheck.setChecked(False)
        bench.click("suggestButton")
        bench.finish()
        for button in ("nextButton", "acceptButton", "suggestButton"):
            bench.click(button)
        bench.finish()
        assert [command[0] for command in engine.commands] == ["suggest", "round"]
        return [command[command.index("--author") + 2 :] for command in engine.commands]

    @pytest.mark.parametrize(("line", "device"), [(0, "auto"), (1, "cpu"), (2, "cuda")])
    def test_the_device_reaches_both_commands(self, bench, engine, cohort, tmp_path, line, device):
        bench.ui.deviceCombo.setCurrentIndex(line)
        words = ["--device", device, "--progress", "json"]
        project = self.project(tmp_path, cohort, None)
        assert self.asked(bench, engine, project) == [words, words]

    @pytest.mark.parametrize("kind", ["bundle", "checkpoint"])
    @pytest.mark.parametrize(("line", "part"), [(ALL, "all"), (DECODER, "decoder")])
    def test_what_is_tuned_reaches_the_round(
        self, bench, engine, cohort, tmp_path, kind, line, part
    ):
        bench.ui.tuneCombo.setCurrentIndex(line)
        suggest, learn = self.asked(bench, engine, self.project(tmp_path, cohort, kind))
        assert suggest == ["--device", "auto", "--progress", "json"]
        assert learn == ["--device", "auto", "--tune", part, "--progress", "json"]
        assert bench.shown("tuneLabel")
        assert bench.shown("tuneCombo")

    @pytest.mark.parametrize("kind", [None, "torchscript"])
    def test_where_there_is_no_choice_none_is_offered(self, bench, engine, cohort, tmp_path, kind):
        """Fresh weights are trained as a whole, and so is TorchScript; the engine says so too."""
        bench.ui.tuneCombo.setCurrentIndex(DECODER)
        commands = self.asked(bench, engine, self.project(tmp_path, cohort, kind))
        assert all("--tune" not in command for command in commands)
        assert not bench.shown("tuneLabel")
        assert not bench.shown("tuneCombo")

    def test_it_goes_with_the_project(self, bench, cohort, tmp_path):
        assert not bench.shown("tuneCombo")
        bench.open(self.project(tmp_path, cohort, "bundle"))
        assert bench.shown("tuneCombo")
        bench.panel.release()
        assert not bench.shown("tuneCombo")


class TestWithTheRealEngine:
    def test_a_project_that_starts_from_a_bundle(self, bench, cohort, bundle, tmp_path):
        fill(bench, cohort, BUNDLE, bundle)
        bench.ui.folderEdit.setText(str(tmp_path / "new"))
        bench.ui.mapEdit.setText("liver=1,spleen=2")
        bench.click("createButton")
        bench.finish()
        assert bench.text("messageLabel").startswith("The project is made.")
        start = Project.open(tmp_path / "new").start
        assert (start.kind, start.path, start.trusted) == ("bundle", bundle, False)
        assert start.channels == {"liver": 1, "spleen": 2}
        assert bench.shown("tuneCombo")

    def test_code_that_nobody_trusts_is_refused_in_one_line(self, bench, cohort, code, tmp_path):
        fill(bench, cohort, FILE, code)
        bench.ui.folderEdit.setText(str(tmp_path / "new"))
        bench.click("createButton")
        bench.finish()
        said = bench.text("messageLabel")
        assert said.endswith("give --trust-code if you trust its author")
        assert "\n" not in said
        assert bench.shown("trustCheck")
        assert not (tmp_path / "new" / "project.json").exists()


def test_code_is_told_as_the_engine_tells_it(bench, tmp_path, checkpoint):
    import torch

    from activeseg.model.torchscript import is_torchscript
    from activeseg_slicer.panel.models import is_code

    weights = tmp_path / "weights.ts"
    torch.save(pointwise().state_dict(), weights)
    (tmp_path / "words.ts").write_text("none")
    script = write_torchscript(tmp_path / "script.pt", pointwise())
    others = [weights, checkpoint, tmp_path / "words.ts", tmp_path / "nothing"]
    assert is_code(script)
    assert is_torchscript(script)
    assert not any(map(is_code, [*others, tmp_path, Path("a\0b")]))
    assert not any(map(is_torchscript, others))
