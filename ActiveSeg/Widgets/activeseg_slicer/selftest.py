"""Checks that the application runs in its own scene: what is painted is what is accepted.

Without torch and without a window: two phantom volumes, a batch of one slice in each plane, and
for each slice lay, paint, accept, and the annotation read back from its file.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import slicer
import slicer.util

from activeseg.cohort import take_slice
from activeseg.keys import Plane, SliceKey
from activeseg.project import Batch, Project, Suggestion, timestamp
from activeseg_slicer.flow import Clock, Session
from activeseg_slicer.scene import SceneDesk
from activeseg_slicer.scene.segments import segment_id
from activeseg_slicer.worker import Outcome, Worker

__all__ = ["check_panel", "check_slices", "engine", "phantom_project", "run"]

_POLL_S = 0.05


def run(tell: Callable[[str], object], desk_for: Callable[[Project], SceneDesk]) -> None:
    """All checks.

    Args:
        tell: Shows a line to the user.
        desk_for: Makes the desk that is checked.

    Raises:
        AssertionError: If a check fails; the message says which.
    """
    with tempfile.TemporaryDirectory() as scratch:
        tell("Making a phantom project")
        project = phantom_project(Path(scratch))
        desk = desk_for(project)
        try:
            check_slices(project, desk, tell)
        finally:
            desk.close()


def engine(*words: str) -> str:
    """Run a command of the engine to its end, across the process border.

    Returns:
        What it printed.

    Raises:
        AssertionError: If it failed.
    """
    ends: list[Outcome] = []
    worker = Worker()
    worker.start(words[0], *words[1:], on_progress=lambda _line: None, on_end=ends.append)
    while worker.running:
        worker.poll()
        time.sleep(_POLL_S)
    assert ends[0].code == 0, f"activeseg {' '.join(words)}: {ends[0].messages}"
    return ends[0].output


def phantom_project(folder: Path) -> Project:
    """A project of two phantom volumes that asks for a slice in each plane of each.

    Raises:
        AssertionError: If the engine cannot make it.
    """
    engine("phantom", str(folder / "cohort"), "--volumes", "2")
    engine("init", str(folder / "project"), "--cohort", str(folder / "cohort"), "--plane", "all")
    project = Project.open(folder / "project")
    keys = [
        SliceKey(volume.id, plane, volume.geometry.slice_count(plane) // 2)
        for volume in project.cohort.volumes
        for plane in Plane
    ]
    asked = tuple(_suggestion(key, rank) for rank, key in enumerate(keys, start=1))
    now = timestamp(datetime.now(timezone.utc))
    project.round(0).write_batch(Batch(0, "self-test", 0, 10.0, now, asked, None, ""))
    return project


def check_slices(project: Project, desk: SceneDesk, tell: Callable[[str], object]) -> None:
    """Paint a pattern on each slice that is asked for, accept it, and compare.

    Args:
        project: A project with a batch.
        desk: The desk to check.
        tell: Shows a line to the user.

    Raises:
        AssertionError: If an annotation is not what was painted, or a voxel beside the slice
            has changed.
    """
    session = Session(project, "self-test", desk, Clock(time.monotonic))
    row = session.next()
    assert row is not None, "nothing was suggested"
    while row is not None:
        key = row.key
        tell(f"Painting {key}")
        before = _labels(project, desk)
        painted = _pattern(project, desk.mask().shape, row.rank)
        desk.fill(painted)
        after = _labels(project, desk)
        geometry = project.cohort.volume(key.volume).geometry
        assert np.array_equal(take_slice(after, geometry, key.plane, key.index), painted), (
            f"{key}: the segmentation does not show what was painted"
        )
        axis = geometry.array_axis(key.plane)
        beside = np.delete(after != before, key.index, axis=axis)
        assert not beside.any(), f"{key}: {beside.sum()} voxels of other slices have changed"
        row = session.accept()
        accepted = project.read_annotation(project.annotations()[key])
        assert np.array_equal(accepted, painted), f"{key}: the annotation is not what was painted"
    assert session.look().answered, "some slices were never laid"
    tell(f"{len(project.annotations())} slices were accepted as they were painted")


def check_panel(panel: Any, project: Project, tell: Callable[[str], object]) -> None:
    """Open a project in the panel, and answer its batch with the buttons.

    Args:
        panel: The module's panel (`activeseg_slicer.panel.panel.Panel`).
        project: A project whose batch nobody has answered.
        tell: Shows a line to the user.

    Raises:
        AssertionError: If a button does not do what it says.
    """
    ui = panel.ui
    ui.retrainCheck.setChecked(False)
    ui.projectEdit.setText(str(project.folder))
    panel.open_project()
    session = panel.work.session
    assert session is not None, ui.messageLabel.property("text")
    tell("Next, painting, Accept")
    ui.nextButton.click()
    assert session.current is not None, ui.messageLabel.property("text")
    key = session.current.key
    painted = _pattern(project, panel.desk.mask().shape, 1)
    panel.desk.fill(painted)
    ui.acceptButton.click()
    accepted = project.read_annotation(project.annotations()[key])
    assert np.array_equal(accepted, painted), f"{key}: the annotation is not what was painted"
    tell("Undo, Nothing here, Skip, Back")
    ui.undoButton.click()
    assert session.current.key == key, "Undo did not lay the slice again"
    assert np.array_equal(panel.desk.mask(), painted), "Undo did not bring the mask back"
    ui.emptyButton.click()
    assert not project.read_annotation(project.annotations()[key]).any(), "it is not empty"
    skipped = session.current.key
    ui.skipButton.click()
    assert skipped in project.skipped(), "Skip did not put the slice aside"
    ui.backButton.click()
    assert session.current.key == skipped, "Back did not lay the slice before"
    panel.release()


def _suggestion(key: SliceKey, rank: int) -> Suggestion:
    """What a model that knows nothing would ask."""
    return Suggestion(
        key=key,
        rank=rank,
        value=1.0,
        minutes=1.0,
        expected_dice=None,
        entropy=None,
        reason="self-test",
        how="draw",
        minutes_low=0.5,
        minutes_high=2.0,
        dice_low=None,
        dice_high=None,
        audit=False,
        work={},
    )


def _pattern(project: Project, shape: tuple[int, ...], seed: int) -> npt.NDArray[np.uint8]:
    """Label values that no flip, swap or shift leaves alike."""
    values = np.array([0, *(structure.value for structure in project.structures)], np.uint8)
    return np.random.default_rng(seed).choice(values, size=shape)


def _labels(project: Project, desk: SceneDesk) -> npt.NDArray[np.uint8]:
    """All voxels ``[k, j, i]`` of the desk's segmentation, read by Slicer's own functions."""
    node: Any = desk.segmentation
    volume = node.GetNodeReference(
        slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    )
    whole: npt.NDArray[np.uint8] | None = None
    for structure in project.structures:
        array = slicer.util.arrayFromSegmentBinaryLabelmap(node, segment_id(structure), volume)
        if whole is None:
            whole = np.zeros(array.shape, np.uint8)
        whole[array > 0] = structure.value
    assert whole is not None, "the project has no structure"
    return whole
