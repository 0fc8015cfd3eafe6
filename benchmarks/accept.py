"""How long a clinician waits from Accept to the next slice.

    python benchmarks/accept.py --cohort msd_hippocampus

The real session and the real desk on Slicer's own scene (slicer-core, no window): a batch by chance
over a cohort, each slice painted with one stroke and accepted. One acceptance writes the mask, the
claim and the record to the disk, and lays the next slice, whose volume was read ahead meanwhile; a
pause stands for the clinician's work, as nobody accepts a slice in no time.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from trame_slicer.core import SlicerApp
from trame_slicer.views import DirectViewFactory, ViewLayoutDefinition

from activeseg.cohort import open_cohort
from activeseg.progress import Silent
from activeseg.project import Project
from activeseg.project.verbs import run_suggest
from activeseg_slicer.flow import Clock, Session
from activeseg_slicer.scene import SceneDesk


def main() -> None:
    """Accept slices and print the median and the slowest wait, at the same and at new volumes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cohort", type=Path, required=True)
    parser.add_argument("--slices", type=int, default=40)
    parser.add_argument("--minutes", type=float, default=60.0, help="of the batch; default: 60")
    parser.add_argument("--pause", type=float, default=1.0, metavar="SECONDS")
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = Project.create(
            Path(folder) / "project", open_cohort(a.cohort), "auto", "random", 0, "unet25d"
        )
        run_suggest(project, a.minutes, None, Silent())
        app, desk = desk_of(project)
        waits = accept_all(Session(project, "clock", desk, Clock(time.monotonic)), desk, app, a)
        desk.close()
    for name, found in waits.items():
        if found:
            print(
                f"{name}: median {np.median(found):.3f} s, slowest {max(found):.3f} s, "
                f"{len(found)} slices"
            )


def desk_of(project: Project) -> tuple[SlicerApp, SceneDesk]:
    """A desk with three slice views."""
    app = SlicerApp()
    app.view_manager.register_factory(DirectViewFactory(do_render_offscreen=True))
    layout = ViewLayoutDefinition
    views = [
        app.view_manager.create_view(each)
        for each in (layout.axial_view(), layout.coronal_view(), layout.sagittal_view())
    ]
    for view in views:
        view.set_render_blocked(True)
        view.render_window().SetSize(600, 600)
    app.scene.Clear(0)
    nodes = [view.get_view_node() for view in views]
    editor = app.segmentation_editor.editor_node
    return app, SceneDesk(app.scene, app.app_logic, nodes, editor, project=str(project.folder))


def accept_all(
    session: Session, desk: SceneDesk, app: SlicerApp, a: argparse.Namespace
) -> dict[str, list[float]]:
    """Seconds of each acceptance, by whether the next slice was of the same volume."""
    waits: dict[str, list[float]] = {"same volume": [], "new volume": [], "drawing after it": []}
    row = session.next()
    for _ in range(a.slices):
        if row is None:
            break
        former = row.volume
        mask = desk.mask()
        mask[: mask.shape[0] // 2] = session.project.structures[0].value
        desk.fill(mask)
        time.sleep(a.pause)
        begun = time.perf_counter()
        row = session.accept()
        waited = time.perf_counter() - begun
        for view in app.view_manager.get_views():
            view.interactor().Render()
        waits["drawing after it"].append(time.perf_counter() - begun - waited)
        if row is not None:
            waits["same volume" if row.volume == former else "new volume"].append(waited)
    return waits


if __name__ == "__main__":
    main()
