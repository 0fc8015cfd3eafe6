"""The table of suggestions in the real panel: columns, sorting, filters, double click."""

from __future__ import annotations

import pytest

pytest.importorskip("slicer", reason="needs slicer-core", exc_type=ImportError)
pytest.importorskip("PySide6.QtWidgets", reason="needs PySide6", exc_type=ImportError)

from PySide6 import QtCore

from activeseg.keys import SliceKey
from activeseg.project import skip
from panel_bench import Bench, own_copy, panel_bench  # noqa: F401
from rounds_by_hand import batch, suggestion
from tiny_cohort import new_project, write_tiny_cohort


def asked():
    """Four suggestions that no two columns sort alike."""
    facts = (
        ("v01/axial/002", 0.9, 0.10, 2.0, "the border of the liver"),
        ("v00/coronal/011", None, None, 10.0, "no model yet"),
        ("v00/axial/005", 0.5, 0.30, 0.5, "the border of the spleen"),
        ("v01/sagittal/007", 0.75, 0.05, 1.25, "drawn by chance"),
    )
    return [
        suggestion(SliceKey.parse(key), rank, dice, entropy=entropy, minutes=minutes, reason=why)
        for rank, (key, dice, entropy, minutes, why) in enumerate(facts, start=1)
    ]


@pytest.fixture(scope="module")
def untouched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    cohort = write_tiny_cohort(folder / "cohort", 2)
    project = new_project(folder / "one", cohort, plane_policy="all")
    project.round(0).write_batch(batch(0, asked()))
    return project


@pytest.fixture
def opened(bench, project):
    bench.open(project)
    return bench


def ranks(bench: Bench) -> str:
    return "".join(line[0] for line in bench.table())


def sort(bench: Bench, column: int, descending: bool = False) -> None:
    """As a click on the column's header does."""
    order = QtCore.Qt.DescendingOrder if descending else QtCore.Qt.AscendingOrder
    bench.ui.suggestionTable.horizontalHeader().setSortIndicator(column, order)


def double_click(bench: Bench, line: int) -> None:
    view = bench.ui.suggestionTable
    index = view.model().index(line, 2)
    view.setCurrentIndex(index)
    view.doubleClicked.emit(index)


def test_what_the_columns_say(opened):
    model = opened.ui.suggestionTable.model()
    names = [model.headerData(k, QtCore.Qt.Horizontal) for k in range(model.columnCount())]
    assert names == ["#", "Volume", "Plane", "Slice", "Dice", "Entropy", "Min", "Reason", "State"]
    assert opened.table()[:2] == [
        ["1", "v01", "axial", "2", "0.90", "0.10", "2.0", "the border of the liver", "open"],
        ["2", "v00", "coronal", "11", "–", "–", "10.0", "no model yet", "open"],
    ]


def test_the_state_is_seen_in_a_narrow_panel(opened):
    assert opened.ui.suggestionTable.horizontalHeader().visualIndex(8) == 1


@pytest.mark.parametrize(
    ("column", "ascending"),
    [(0, "1234"), (1, "2314"), (3, "1342"), (4, "2341"), (5, "2413"), (6, "3412"), (7, "4213")],
)
def test_columns_sort_by_value_not_by_text(opened, column, ascending):
    sort(opened, column)
    assert ranks(opened) == ascending
    sort(opened, column, descending=True)
    volumes = [line[1] for line in opened.table()]
    assert (
        volumes == sorted(volumes, reverse=True)
        if column == 1
        else (ranks(opened) == ascending[::-1])
    )


def test_sorting_stays_when_the_rows_change(opened, project):
    sort(opened, 6)
    skip(project, SliceKey.parse("v00/axial/005"), "grace")
    opened.panel.refresh()
    assert ranks(opened) == "3412"
    assert opened.table()[0][8] == "skipped"


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("border", "13"),
        ("BORDER spleen", "3"),
        ("v00", "23"),
        ("sagittal", "4"),
        ("v00 liver", ""),
        ("  ", "1234"),
    ],
)
def test_the_filter_wants_all_words(opened, words, found):
    opened.ui.filterEdit.setText(words)
    assert ranks(opened) == found


def test_the_filter_by_state(opened, project):
    skip(project, SliceKey.parse("v00/axial/005"), "grace")
    assert project.claim(SliceKey.parse("v01/sagittal/007"), "grace")
    opened.click("nextButton")
    opened.click("acceptButton")
    found = {}
    for choice in range(5):
        opened.ui.stateFilter.setCurrentIndex(choice)
        found[opened.ui.stateFilter.property("currentText")] = ranks(opened)
    assert found == {
        "To do": "2",
        "All": "1234",
        "Accepted": "1",
        "Skipped": "3",
        "With others": "4",
    }


def test_a_double_click_opens_that_slice_however_it_is_sorted(opened):
    sort(opened, 6)
    double_click(opened, 0)
    assert str(opened.session.current.key) == "v00/axial/005"
    assert opened.table()[0][8] == "now"
    double_click(opened, 3)
    assert str(opened.session.current.key) == "v00/coronal/011"


def test_an_answered_slice_can_be_revised(opened, project):
    double_click(opened, 0)
    opened.click("acceptButton")
    double_click(opened, 0)
    assert opened.text("sliceLabel") == "v01"
    opened.click("emptyButton")
    assert len(project.history(SliceKey.parse("v01/axial/002"))) == 2


def test_the_slice_on_the_desk_is_selected(opened):
    double_click(opened, 2)
    sort(opened, 6, descending=True)
    opened.ui.filterEdit.setText("border")
    line = opened.ui.suggestionTable.currentIndex().row()
    assert opened.table()[line][0] == "3"


def test_cells_say_the_whole_reason(opened):
    model = opened.ui.suggestionTable.model()
    tip = model.data(model.index(0, 0), QtCore.Qt.ToolTipRole)
    assert tip == "v01/axial/002: the border of the liver"


def test_an_audit_is_listed_without_the_estimate_until_it_is_answered(opened, project):
    """What it is to check must not lead the hand."""
    from dataclasses import replace

    opened.ui.retrainCheck.setChecked(False)
    project.round(1).write_batch(batch(1, [replace(asked()[0], audit=True)]))
    opened.panel.refresh()
    assert opened.table()[0][4:6] == ["–", "–"]
    opened.click("nextButton")
    assert opened.table()[0][4:6] == ["–", "–"]
    opened.click("acceptButton")
    assert opened.table()[0][4:6] == ["0.90", "0.10"]
