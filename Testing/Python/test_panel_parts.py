"""Parts of the panel by themselves: plot, words, parameters, packages, the ``.ui`` and the shim."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest.importorskip("slicer", reason="needs slicer-core", exc_type=ImportError)
pytest.importorskip("PySide6.QtWidgets", reason="needs PySide6", exc_type=ImportError)

from PySide6 import QtGui

import qt_shim
from activeseg.errors import Cancelled, ModelError
from activeseg.keys import SliceKey
from activeseg_slicer.flow import Estimate, EstimatePoint, Gain, Row, State
from panel_bench import panel_bench  # noqa: F401
from rounds_by_hand import suggestion

ROOT = Path(__file__).resolve().parents[2]
PANEL = ROOT / "ActiveSeg" / "Widgets" / "activeseg_slicer" / "panel"
UI = ROOT / "ActiveSeg" / "Resources" / "UI" / "ActiveSeg.ui"


def points(*facts: tuple[float, float, float, float]) -> tuple[EstimatePoint, ...]:
    return tuple(EstimatePoint(*fact) for fact in facts)


def brightness(colour: QtGui.QColor) -> float:
    """Relative luminance, as the guidelines for accessible web content define it."""
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (colour.redF(), colour.greenF(), colour.blueF())
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.usefixtures("bench")
class TestLooks:
    @pytest.mark.parametrize("window", ["#f0f0f0", "#323232"])
    def test_words_can_be_read_in_a_light_and_a_dark_application(self, window):
        from activeseg_slicer.panel.looks import looks_of

        label = qt_shim.qt.QLabel()
        palette = QtGui.QPalette()
        palette.setColor(QtGui.QPalette.Window, QtGui.QColor(window))
        label.setPalette(palette)
        looks = looks_of(label)
        assert looks_of(label).words(looks.text) == f"color: {looks.text};"
        for colour, behind in (
            (looks.text, window),
            (looks.wrong, window),
            (looks.text, looks.paper),
        ):
            low, high = sorted(brightness(QtGui.QColor(each)) for each in (colour, behind))
            assert (high + 0.05) / (low + 0.05) >= 4.3, (colour, behind)


@pytest.mark.usefixtures("bench")
class TestPlot:
    @pytest.fixture
    def plot(self):
        from activeseg_slicer.panel.estimate import EstimatePlot

        self.label, self.text = qt_shim.qt.QLabel(), qt_shim.qt.QLabel()
        self.label.resize(300, 150)
        return EstimatePlot(self.label, self.text)

    def image(self) -> QtGui.QImage:
        return self.label.property("pixmap").toImage()

    def marks(self) -> list[tuple[int, int]]:
        """Centres of the dots: seven by seven pixels of the line's colour."""
        image = self.image()
        line = QtGui.QColor(47, 111, 176)

        def is_line(x: int, y: int) -> bool:
            return image.pixelColor(x, y) == line

        return [
            (x, y)
            for x in range(3, image.width() - 3)
            for y in range(3, image.height() - 3)
            if all(is_line(x + dx, y + dy) for dx in (-3, 3) for dy in (-3, 3))
        ]

    def test_dots_lie_where_minutes_and_dice_say(self, plot):
        plot.show(Estimate(points((10, 0.6, 0.5, 0.7), (20, 0.8, 0.75, 0.85)), None))
        (x1, y1), (x2, y2) = self.marks()
        # 22 minutes on 300 - 54 pixels from 40 on; 0.4 to 1.0 on 150 - 46 pixels from below.
        assert (x1, x2) == (40 + round(246 * 10 / 22), 40 + round(246 * 20 / 22))
        assert (y1, y2) == (128 - round(104 * 0.2 / 0.6), 128 - round(104 * 0.4 / 0.6))

    def test_the_interval_is_a_band(self, plot):
        plot.show(Estimate(points((10, 0.6, 0.5, 0.7), (20, 0.8, 0.7, 0.9)), None))
        band = QtGui.QColor(205, 222, 240)
        image = self.image()
        middle = [y for y in range(150) if image.pixelColor(208, y) == band]
        assert middle[0] == pytest.approx(128 - 104 * 0.4 / 0.6, abs=3)
        assert middle[-1] == pytest.approx(128 - 104 * 0.2 / 0.6, abs=3)

    def test_one_round_is_shown_too(self, plot):
        plot.show(Estimate(points((10, 0.6, 0.5, 0.7)), None))
        assert len(self.marks()) == 1

    def test_before_any_model_it_says_so(self, plot):
        plot.show(Estimate((), None))
        assert self.marks() == []
        assert self.text.property("text").startswith("The quality is estimated once")

    def test_it_follows_the_width(self, plot):
        plot.show(Estimate((), None))
        assert self.image().width() == 300
        self.label.resize(500, 150)
        plot.fit()
        assert self.image().width() == 500

    @pytest.mark.parametrize(
        ("gain", "said"),
        [
            (None, "in 9 of 10 cases)."),
            (Gain(10, 0.021, 0.008, 0.035), "10 more minutes: +0.021 (0.008 to 0.035)."),
            (Gain(10, 0.001, 0.0, 0.004), "You can stop: 10 more minutes"),
        ],
    )
    def test_advice(self, gain, said):
        from activeseg_slicer.panel.estimate import advice

        text = advice(Estimate(points((10, 0.6, 0.5, 0.7)), gain))
        assert text.startswith("Estimated Dice 0.60 (0.50–0.70")
        assert said in text


@pytest.mark.usefixtures("bench")
class TestWords:
    def test_times(self):
        from activeseg_slicer.flow import clock_text
        from activeseg_slicer.panel.words import seconds_left

        assert [clock_text(s) for s in (0, 59.9, 60, 3725)] == ["0:00", "0:59", "1:00", "62:05"]
        assert [seconds_left(s) for s in (None, 0.0, 59.2, 60.0, 150.0)] == [
            "",
            "1 s left",
            "59 s left",
            "1 min left",
            "2 min left",
        ]

    def test_the_card_shows_the_engines_sentence_whole(self, bench):
        from activeseg_slicer.panel.card import SliceCard

        sentence = "expected Dice 0.61 (0.45 to 0.77), outline is uncertain; correct, about 0.9 min"
        asked = suggestion(SliceKey.parse("v00/axial/003"), 1, minutes=0.9, reason=sentence)
        SliceCard(bench.ui).show(Row.of(asked.key, asked, State.CURRENT, ""), 1, True)
        assert bench.text("reasonLabel") == f"E{sentence[1:]}."

    def test_the_strategies_are_the_engines(self):
        from activeseg.sampling import DEFAULT_STRATEGY
        from activeseg.sampling.strategies import STRATEGIES
        from activeseg_slicer.panel.parameters import STRATEGIES as OFFERED

        assert list(OFFERED) == list(STRATEGIES)
        assert DEFAULT_STRATEGY == "auto"

    def test_the_built_in_model_is_the_engines(self):
        from activeseg.project.model_name import BUILT_IN
        from activeseg_slicer.panel.parameters import BUILT_IN_MODEL

        assert BUILT_IN_MODEL == BUILT_IN

    def test_devices_and_what_is_tuned_are_the_engines(self):
        from activeseg.model.decoder import PARTS
        from activeseg.model.network import DEVICES
        from activeseg_slicer.panel import parameters

        assert parameters.DEVICES == DEVICES
        assert parameters.PARTS == PARTS

    def test_every_key_is_listed_in_the_help(self):
        from activeseg_slicer.panel.shortcuts import KEYS, help_text

        shown = help_text().replace("→", "Right").replace("←", "Left").replace("Enter", "Return")
        for keys in KEYS.values():
            assert keys[0] in shown


class TestSettings:
    def test_every_parameter_has_a_widget_but_the_colours(self, bench):
        from activeseg_slicer.panel.parameters import Parameters

        text = UI.read_text("utf-8")
        named = set(re.findall(r'"SlicerParameterName"[^>]*><string[^>]*>(\w+)<', text))
        assert named == set(Parameters.__annotations__) - {"colours"}

    def test_each_person_begins_with_a_name(self, bench):
        assert bench.panel.parameters.author != ""


@pytest.mark.usefixtures("bench")
class TestInstaller:
    def made(self, tmp_path, *lines: str):
        from activeseg_slicer.panel.installer import Installer

        file = tmp_path / "requirements.txt"
        file.write_text("# why\n" + "\n".join(lines) + "\n")
        return Installer(file)

    def test_versions_are_compared_as_numbers(self, tmp_path):
        installer = self.made(tmp_path, "numpy>=1.9", "numpy>=999.1", "no-such-package>=1")
        assert installer.missing() == ["numpy>=999.1", "no-such-package>=1"]

    def test_the_modules_own_file_is_met_here(self):
        from activeseg_slicer.panel.installer import Installer

        assert Installer(ROOT / "ActiveSeg" / "Resources" / "requirements.txt").missing() == []

    def test_it_asks_for_no_less_than_the_package(self):
        """Every dependency of the engine but Slicer's own and what its verbs do without."""
        declared = (ROOT / "pyproject.toml").read_text("utf-8")
        (block,) = re.findall(r"^dependencies = \[(.*?)^\]", declared, re.MULTILINE | re.DOTALL)
        wanted = set(re.findall(r'"([^"]+)"', block))
        text = (ROOT / "ActiveSeg" / "Resources" / "requirements.txt").read_text("utf-8")
        ours = {line for line in text.splitlines() if not line.startswith("#")}
        from activeseg_slicer.panel.installer import TORCH

        assert TORCH in wanted
        left_out = {re.split(">=", line)[0] for line in wanted - ours - {TORCH}}
        assert ours <= wanted
        assert left_out == {"numpy", "SimpleITK", "matplotlib"}

    def test_nothing_missing_asks_nothing(self, tmp_path, bench):
        self.made(tmp_path, "numpy>=1.9").ensure()
        assert bench.slicer.messages == []

    def test_consent_is_asked_first(self, tmp_path, bench, monkeypatch):
        monkeypatch.setattr(qt_shim.Dialogs, "consent", False)
        with pytest.raises(Cancelled):
            self.made(tmp_path, "no-such-package>=1").ensure()
        assert bench.slicer.installed == []

    def test_what_pip_did_not_bring_is_said(self, tmp_path, bench):
        with pytest.raises(ModelError, match=r"Still missing.*no-such-package"):
            self.made(tmp_path, "no-such-package>=1").ensure()
        assert bench.slicer.installed[0][2:] == ["no-such-package>=1"]

    def test_slicers_own_packages_are_held(self, tmp_path, bench, monkeypatch):
        import slicer.util

        held = []

        def install(arguments):
            held.extend(Path(arguments[1]).read_text().split())

        monkeypatch.setattr(slicer.util, "pip_install", install)
        with pytest.raises(ModelError):
            self.made(tmp_path, "no-such-package>=1").ensure()
        assert [line.split("==")[0] for line in held] == ["numpy", "SimpleITK", "torch"]

    @pytest.mark.parametrize("name", ["slicer.pydeps", "slicer.packaging"])
    def test_slicers_newer_tools_are_taken_under_either_name(
        self, name, tmp_path, bench, monkeypatch
    ):
        calls = []
        tools = qt_shim.module(
            name,
            load_requirements=lambda path: Path(path).read_text().split(),
            pip_ensure=lambda wanted, **options: calls.append((wanted, options)),
        )
        monkeypatch.setitem(__import__("sys").modules, name, tools)
        with pytest.raises(ModelError, match="Still missing"):
            self.made(tmp_path, "no-such-package>=1").ensure()
        ((wanted, options),) = calls
        assert wanted == ["no-such-package>=1"]
        assert options["requester"] == "ActiveSeg"
        assert options["prompt_install"] is False
        assert bench.slicer.installed == []

    def test_torch_comes_through_the_pytorch_extension(self, tmp_path, bench, monkeypatch):
        import activeseg_slicer.panel.installer as installer

        asked = []

        class PyTorchUtilsLogic:
            def installTorch(self, torchVersionRequirement):
                asked.append(torchVersionRequirement)
                monkeypatch.setattr(installer, "_is_met", lambda line: True)
                return object()

        made = qt_shim.module("PyTorchUtils", PyTorchUtilsLogic=PyTorchUtilsLogic)
        monkeypatch.setitem(__import__("sys").modules, "PyTorchUtils", made)
        monkeypatch.setattr(installer, "_is_met", lambda line: "torch" not in line)
        self.made(tmp_path, "numpy>=1.9").ensure()
        assert asked == [">=2.4"]
        assert bench.slicer.installed == []


class TestNeutralCode:
    """What PythonQt and PySide6 take differently, looked for in the source."""

    def test_no_file_of_the_panel_sets_attributes_of_others(self):
        faults = []
        for path in sorted(PANEL.glob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                targets = node.targets if isinstance(node, ast.Assign) else []
                for target in targets:
                    for part in ast.walk(target):
                        if not isinstance(part, ast.Attribute) or not isinstance(
                            part.ctx, ast.Store
                        ):
                            continue
                        owner = ast.unparse(part.value)
                        ours = ("self", "parameters", "given", "self.parameters", "self._meanwhile")
                        if owner not in ours:
                            faults.append(f"{path.name}:{part.lineno}: {ast.unparse(part)}")
        assert faults == []

    def test_only_the_panel_knows_qt(self):
        faults = [
            str(path)
            for path in (PANEL.parent).rglob("*.py")
            if PANEL not in path.parents
            and re.search(r"^\s*(import|from) (qt|ctk)\b", path.read_text("utf-8"), re.MULTILINE)
        ]
        assert faults == []

    def test_every_widget_that_can_be_pressed_or_typed_into_says_what_it_does(self):
        tree = ElementTree.parse(UI)
        faults = [
            widget.get("name")
            for widget in tree.iter("widget")
            if re.fullmatch(
                r"Q(.*Button|.*Edit|ComboBox|CheckBox|.*SpinBox|TableView)", widget.get("class")
            )
            and not any(prop.get("name") == "toolTip" for prop in widget.findall("property"))
            and widget.get("name") != "authorEdit"  # its label does
        ]
        assert faults == []

    def test_every_name_that_the_panel_uses_is_in_the_ui(self, bench):
        used = {
            found
            for path in PANEL.glob("*.py")
            for found in re.findall(r"\b(?:_?ui)\.([a-z]\w+)", path.read_text("utf-8"))
        }
        assert used - set(vars(bench.ui)) == set()


class TestTheShim:
    def test_it_refuses_what_it_does_not_know(self):
        with pytest.raises(AttributeError):
            qt_shim.qt.QSlider()
        with pytest.raises(AttributeError):
            qt_shim.qt.QLineEdit().setTxt("x")

    def test_it_refuses_new_attributes(self):
        button = qt_shim.qt.QPushButton("x")
        with pytest.raises(AttributeError, match="use its setter"):
            button.enabled = False
        with pytest.raises(AttributeError, match="use its setter"):
            button.mine = 1

    def test_it_refuses_properties_as_attributes(self):
        with pytest.raises(AttributeError, match=r"property\('text'\)"):
            qt_shim.qt.QPushButton("x").text()
        assert qt_shim.qt.QPushButton("x").property("text") == "x"

    def test_it_refuses_slots_that_would_take_a_signals_value_for_an_option(self):
        button = qt_shim.qt.QPushButton("x")

        def slot(reason=""):
            raise AssertionError(reason)

        with pytest.raises(TypeError, match="'reason'"):
            button.clicked.connect(slot)
        with pytest.raises(TypeError):
            button.clicked.connect("clicked(bool)", print)

    def test_it_refuses_unknown_widgets_in_the_ui(self, tmp_path):
        ui = tmp_path / "x.ui"
        ui.write_text(
            '<ui version="4.0"><class>F</class><widget class="QWidget" name="F">'
            '<widget class="qMRMLVolumeSelector" name="x"/></widget></ui>'
        )
        with pytest.raises((AttributeError, RuntimeError)):
            qt_shim.load_ui(str(ui))

    def test_the_editor_refuses_unknown_calls(self, bench):
        with pytest.raises(AttributeError):
            bench.ui.editor.setMasterVolumeNode(None)

    def test_parameters_refuse_unknown_names_and_values(self, bench):
        parameters = bench.panel.parameters
        with pytest.raises(AttributeError):
            parameters.budget = 1.0
        with pytest.raises(ValueError, match="none of"):
            parameters.strategy = "best"
        with pytest.raises(ValueError, match="range"):
            parameters.minutes = 0.0
        with pytest.raises(TypeError):
            parameters.minutes = 30
