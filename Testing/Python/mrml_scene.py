"""A MRML scene without the application: what Slicer's start-up supplies, on slicer-core alone.

`MrmlScene` holds a scene, the application logic with the module logics that segmentations need,
the Segment Editor's node and logic, and three slice views (nodes and logics, no windows).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import slicer
import vtk

from activeseg_slicer.scene import SceneDesk

# Red, Green, Yellow and the planes that the application starts them with.
VIEWS = {"Red": "Axial", "Green": "Coronal", "Yellow": "Sagittal"}


def terminology_folder() -> Path | None:
    """Slicer's terminology files, as the browser packages bring them; None without those."""
    spec = find_spec("trame_slicer")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "resources" / "terminologies"


class LogicHistory:
    """The undo that the editor's logic keeps, as the desk wants it."""

    def __init__(self, editor) -> None:
        self._editor = editor

    def save(self) -> None:
        self._editor.SaveStateForUndo()

    def forget(self) -> None:
        self._editor.ClearUndoState()


class MrmlScene:
    """A scene with the logics and nodes of a freshly started application.

    Attributes:
        scene: The `vtkMRMLScene`.
        application: Its `vtkSlicerApplicationLogic`, with the module logics registered.
        terminologies: The terminology logic, without entries where no files are installed.
        editor_node: The singleton "SegmentEditor".
        editor: The Segment Editor's own logic on that node.
        slice_nodes: Red, Green, Yellow.
        slice_logics: The logics of those, in the same order.
    """

    def __init__(self) -> None:
        self.scene = slicer.vtkMRMLScene()
        self.application = slicer.vtkSlicerApplicationLogic()
        self.application.SetMRMLScene(self.scene)
        self.application.GetColorLogic().SetMRMLScene(self.scene)
        self.application.GetColorLogic().AddDefaultColorNodes()
        self.application.SetSliceLogics(vtk.vtkCollection())
        self.application.SetViewLogics(vtk.vtkCollection())
        self._register(slicer.vtkSlicerVolumesLogic(), "Volumes")
        self._register(slicer.vtkSlicerSubjectHierarchyModuleLogic(), "SubjectHierarchy")
        self._register(slicer.vtkSlicerSegmentationsModuleLogic(), "Segmentations")
        self.terminologies = slicer.vtkSlicerTerminologiesModuleLogic()
        folder = terminology_folder()
        if folder is not None:
            self.terminologies.SetModuleShareDirectory(folder.as_posix())
        self._register(self.terminologies, "Terminologies")
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(self.scene, True)
        self.editor_node = slicer.vtkMRMLSegmentEditorNode()
        self.editor_node.SetSingletonTag("SegmentEditor")
        self.editor_node = self.scene.AddNode(self.editor_node)
        self.editor = slicer.vtkSlicerSegmentEditorLogic()
        self.editor.SetMRMLScene(self.scene)
        self.editor.SetMRMLApplicationLogic(self.application)
        self.editor.SetSegmentEditorNode(self.editor_node)
        self.slice_logics = [self._add_view(name, plane) for name, plane in VIEWS.items()]
        self.slice_nodes = [logic.GetSliceNode() for logic in self.slice_logics]

    def _register(self, logic, name: str) -> None:
        logic.SetMRMLScene(self.scene)
        logic.SetMRMLApplicationLogic(self.application)
        self.application.SetModuleLogic(name, logic)

    def _add_view(self, name: str, plane: str):
        """A slice view of 300 x 300 pixels; the logic makes its nodes through the scene."""
        logic = slicer.vtkMRMLSliceLogic()
        logic.SetMRMLApplicationLogic(self.application)
        logic.SetMRMLScene(self.scene)
        node = logic.AddSliceNode(name)
        node.SetDefaultOrientation(plane)
        node.SetOrientation(plane)
        logic.ResizeSliceNode(300, 300)
        self.application.GetSliceLogics().AddItem(logic)
        return logic


@contextmanager
def desk_on(mrml: MrmlScene, project: str = "one", undo: bool = False) -> Iterator[SceneDesk]:
    """A desk in a scene, closed in the end; with `undo` the editor's logic keeps its history."""
    desk = SceneDesk(
        mrml.scene,
        mrml.application,
        mrml.slice_nodes,
        mrml.editor_node,
        project=project,
        history=LogicHistory(mrml.editor) if undo else None,
    )
    try:
        yield desk
    finally:
        desk.close()
