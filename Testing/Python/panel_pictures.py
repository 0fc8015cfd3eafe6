"""Pictures of the panel at two widths: ``python panel_pictures.py FOLDER``.

The panel is the real one, on a project of the tiny cohort with an annotated round behind it; the
Segment Editor's place is held by a frame.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from activeseg.files import write_json
from activeseg.keys import SliceKey
from activeseg.project import Project
from panel_bench import Bench, ask
from rounds_by_hand import batch, suggestion
from tiny_cohort import answer, new_project, write_tiny_cohort

WIDTHS = (380, 640)


def estimated(project: Project, number: int, minutes: float, dice: float, reach: float) -> None:
    """Leave the estimate of a round."""
    gain = {"dice": 0.021, "low": 0.008, "high": 0.035}
    write_json(
        project.round(number).make().estimate,
        {
            "round": number,
            "estimated_dice": dice,
            "low": dice - reach,
            "high": min(1.0, dice + reach),
            "minutes": minutes,
            "next_minutes": 10.0,
            "next_gain": gain,
        },
    )


def worked_project(folder: Path) -> Project:
    """A project in its fourth round, with answers of two people."""
    cohort = write_tiny_cohort(folder / "cohort", 6)
    project = new_project(folder / "Liver and spleen", cohort, strategy="auto")
    ask(project, "v00/axial/002", "v01/axial/003", "v02/axial/004")
    answer(project, "grace", 95.0)
    for number, minutes, dice, reach in (
        (1, 4.8, 0.62, 0.14),
        (2, 14.0, 0.74, 0.10),
        (3, 24.5, 0.81, 0.07),
    ):
        estimated(project, number, minutes, dice, reach)
    reasons = (
        "the border of the liver is uncertain",
        "liver and spleen are hard to tell apart here",
        "unlike every slice that was annotated",
        "drawn by chance, to check the estimate",
        "the spleen appears for the first time",
        "the border of the spleen is uncertain",
    )
    asked = [
        suggestion(
            SliceKey.parse(f"v0{rank % 6}/axial/00{1 + rank}"),
            rank,
            dice=0.62 + 0.05 * rank,
            reason=reason,
            entropy=0.31 - 0.03 * rank,
            minutes=0.7 + 0.3 * rank,
            audit=rank == 4,
        )
        for rank, reason in enumerate(reasons, start=1)
    ]
    project.round(3).write_batch(batch(3, asked, budget_minutes=10.0, strategy="auto"))
    return project


def render(folder: Path) -> None:
    """Write ``panel_<width>.png`` for each width."""
    root = Path(__file__).resolve().parents[2]
    with pytest.MonkeyPatch.context() as monkeypatch, TemporaryDirectory() as scratch:
        bench = Bench(monkeypatch, root)
        project = worked_project(Path(scratch))
        bench.panel.enter()
        bench.open(project, "ada")
        bench.click("nextButton")
        for seconds in range(48):
            bench.now = float(seconds)
            bench.session.clock.touch()
        bench.click("acceptButton")
        project.claim(asked_key(project, 4), "grace")
        for seconds in range(48, 75):
            bench.now = float(seconds)
            bench.session.clock.touch()
        bench.panel._box.show("Training", 140, 300, 95.0)
        bench.panel.refresh()
        for width in WIDTHS:
            picture(bench, width, folder / f"panel_{width}.png")
        bench.close()


def picture(bench: Bench, width: int, file: Path) -> None:
    """Write what the panel looks like at a width."""
    window = bench.ui.ActiveSegPanel
    window.show()
    for _ in range(2):
        hint = window.property("sizeHint").height()
        # Taller than the least: a scroll bar in the table needs its room.
        window.setFixedSize(width, max(hint, window.layout().totalHeightForWidth(width)) + 16)
        window.grab()  # lays everything out
        bench.panel.tick()  # the plot follows the width that it was given
    window.grab().save(str(file))


def asked_key(project: Project, rank: int):
    """The slice at a place of the latest batch."""
    return project.latest_batch().suggestions[rank - 1].key


if __name__ == "__main__":
    render(Path(sys.argv[1]))
