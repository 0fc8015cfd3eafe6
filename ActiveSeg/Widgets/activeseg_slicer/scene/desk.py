"""The desk in Slicer's scene: one slice laid in its view, painted in the Segment Editor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import slicer

from activeseg.cohort import Geometry
from activeseg.errors import AnnotationError
from activeseg.keys import Plane, SliceKey
from activeseg_slicer.flow.desk import Sheet
from activeseg_slicer.scene.doubt import DoubtOverlay
from activeseg_slicer.scene.limits import EditingLimits
from activeseg_slicer.scene.others import bring_back_others, hide_others, show_others
from activeseg_slicer.scene.painting import read, reference_matrix, write
from activeseg_slicer.scene.segments import add_structures, segment_id, segmentation_node
from activeseg_slicer.scene.views import SliceViews
from activeseg_slicer.scene.volumes import PROJECT, volume_node
from activeseg_slicer.scene.voxels import Box, slice_box

__all__ = ["EditHistory", "NoHistory", "SceneDesk"]


class EditHistory(Protocol):
    """The Segment Editor's undo; in Slicer the widget keeps it, elsewhere the editor's logic."""

    def save(self) -> None:
        """Remember the segmentation, so that undo comes back to it."""

    def forget(self) -> None:
        """Remember nothing, so that undo cannot go behind the slice that was laid."""


class NoHistory:
    """An editor without undo."""

    def save(self) -> None:
        """Nothing to remember."""

    def forget(self) -> None:
        """Nothing to forget."""


@dataclass(frozen=True)
class _Laid:
    """What lies on the desk, and where."""

    sheet: Sheet
    box: Box
    volume: Any
    segmentation: Any

    @property
    def key(self) -> str:
        return str(self.sheet.key)


class SceneDesk:
    """Shows one slice at a time in Slicer's views and Segment Editor; a `Desk`.

    Each volume has a node of its own and a segmentation of its own, with one segment a
    structure; both stay in the scene and are found again by their attributes.

    Args:
        scene: The `vtkMRMLScene`.
        application: The `vtkMRMLApplicationLogic`: slice logics, terminologies.
        slice_nodes: The views' `vtkMRMLSliceNode`, at least one.
        editor_node: The `vtkMRMLSegmentEditorNode` that the editor works with.
        project: What tells this project's nodes from another's, such as its folder.
        history: The editor's undo.
    """

    def __init__(
        self,
        scene: Any,
        application: Any,
        slice_nodes: Sequence[Any],
        editor_node: Any,
        *,
        project: str,
        history: EditHistory | None = None,
    ) -> None:
        self._scene = scene
        self._application = application
        self._editor = editor_node
        self._project = project
        self._history = history if history is not None else NoHistory()
        self._views = SliceViews(application, slice_nodes)
        self._limits = EditingLimits(scene, editor_node)
        self._doubt = DoubtOverlay(scene)
        self._doubt_shown = True
        self._laid: _Laid | None = None
        self._seen: npt.NDArray[np.uint8] = np.zeros((0, 0), np.uint8)
        self._written: dict[SliceKey, npt.NDArray[np.uint8]] = {}
        bring_back_others(scene, project)
        events = slicer.vtkMRMLScene
        self._tags = [
            scene.AddObserver(event, called)
            for event, called in (
                (events.StartCloseEvent, self._scene_closes),
                (events.StartSaveEvent, self._scene_is_saved),
                (events.EndSaveEvent, self._scene_was_saved),
            )
        ]

    def lay(self, sheet: Sheet) -> None:
        """Show the slice with its mask, editable in this slice alone.

        Raises:
            AnnotationError: If the volume's segmentation in the scene cannot be used any more.
        """
        self.clear()
        key, geometry = sheet.key, sheet.geometry
        volume = volume_node(self._scene, self._project, key.volume, sheet.image, geometry)
        # Before there are segments: views draw what came first beneath what came later.
        self._views.show_volume(volume)
        segmentation, made = segmentation_node(self._scene, self._project, key.volume, volume)
        terminologies = self._application.GetModuleLogic("Terminologies")
        add_structures(segmentation, sheet.structures, terminologies)
        if made:
            self._written = {k: m for k, m in self._written.items() if k.volume != key.volume}
        box = slice_box(geometry, key.plane, key.index)
        self._write_around(segmentation, sheet)
        labels = _thick(sheet.mask, geometry, key.plane)
        write(segmentation, sheet.structures, box, labels, str(key))
        self._written.pop(key, None)
        hide_others(segmentation, sheet.structures)
        self._laid = _Laid(sheet, box, volume, segmentation)
        self._seen = self.mask()
        self._show_alone(segmentation)
        self._show(self._laid)
        self._edit(self._laid)
        self._history.forget()

    def mask(self) -> npt.NDArray[np.uint8]:
        """The slice as it is painted now: native 2-D label values.

        Raises:
            AnnotationError: If nothing is laid (the scene may have been closed), or the
                segmentation or one of the structures' segments was removed.
        """
        laid = self._current()
        labels = read(laid.segmentation, laid.sheet.structures, laid.box, laid.key)
        return np.ascontiguousarray(
            labels.squeeze(axis=laid.sheet.geometry.array_axis(laid.sheet.key.plane))
        )

    def fill(self, mask: npt.NDArray[np.uint8]) -> None:
        """Replace what is painted on the slice, as one step that the editor can undo.

        Args:
            mask: Native 2-D label values.

        Raises:
            AnnotationError: As `mask`.
        """
        laid = self._current()
        self._history.save()
        labels = _thick(mask, laid.sheet.geometry, laid.sheet.key.plane)
        write(laid.segmentation, laid.sheet.structures, laid.box, labels, laid.key)

    def changed(self) -> bool:
        """Whether the slice differs from what it was at `lay` or at the last call.

        Raises:
            AnnotationError: As `mask`.
        """
        if self._laid is None:
            return False
        now = self.mask()
        changed = not np.array_equal(now, self._seen)
        self._seen = now
        return changed

    def clear(self) -> None:
        """Put the slice away; the volume and the segmentation stay in the scene."""
        laid, self._laid = self._laid, None
        self._limits.release()
        self._doubt.take_away()
        self._views.let_go()
        if laid is not None and laid.segmentation.GetScene() is not None:
            show_others(laid.segmentation)

    def show_doubt(self, shown: bool) -> None:
        """Show what the model is unsure of, here and on the slices to come, or hide it."""
        self._doubt_shown = shown
        self._doubt.show(shown)

    def close(self) -> None:
        """Put the slice away and observe the scene no more."""
        self.clear()
        for tag in self._tags:
            self._scene.RemoveObserver(tag)

    @property
    def segmentation(self) -> Any:
        """The `vtkMRMLSegmentationNode` of the slice on the desk; None when nothing is laid."""
        return None if self._laid is None else self._laid.segmentation

    def _current(self) -> _Laid:
        if self._laid is None:
            raise AnnotationError(
                "no slice lies open (the scene may have been closed); open the slice again: "
                "what was painted is kept up to the last draft"
            )
        if self._laid.segmentation.GetScene() is None:
            raise AnnotationError(
                "its segmentation was deleted from the scene; open the slice again: what was "
                "painted is kept up to the last draft",
                self._laid.key,
            )
        return self._laid

    def _write_around(self, segmentation: Any, sheet: Sheet) -> None:
        """Write the accepted masks of other slices that are not in the segmentation yet."""
        for key, mask in sorted(sheet.around.items()):
            known = self._written.get(key)
            if key == sheet.key or (known is not None and np.array_equal(known, mask)):
                continue
            box = slice_box(sheet.geometry, key.plane, key.index)
            labels = _thick(mask, sheet.geometry, key.plane)
            write(segmentation, sheet.structures, box, labels, str(key))
            self._written[key] = mask.copy()

    def _show_alone(self, segmentation: Any) -> None:
        """Hide the project's other segmentations: two patients lie at the same place."""
        kind = "vtkMRMLSegmentationNode"
        for position in range(self._scene.GetNumberOfNodesByClass(kind)):
            node = self._scene.GetNthNodeByClass(position, kind)
            if node is segmentation or node.GetAttribute(PROJECT) == self._project:
                node.SetDisplayVisibility(node is segmentation)

    def _show(self, laid: _Laid) -> None:
        sheet = laid.sheet
        view = self._views.show_slice(laid.volume, sheet.geometry, sheet.key.plane, sheet.key.index)
        if sheet.entropy is None:
            return
        self._doubt.put(
            _thick(sheet.entropy, sheet.geometry, sheet.key.plane),
            laid.box,
            reference_matrix(laid.segmentation),
            self._views.logic(view).GetSliceCompositeNode(),
            self._doubt_shown,
        )

    def _edit(self, laid: _Laid) -> None:
        """Point the editor at the slice: segmentation, source, limits, first structure."""
        self._editor.SetAndObserveSegmentationNode(laid.segmentation)
        whole = Box((0, 0, 0), laid.sheet.geometry.shape)
        self._limits.set(
            laid.segmentation,
            laid.volume,
            laid.sheet.image[laid.box.within(whole)],
            laid.box,
            reference_matrix(laid.segmentation),
        )
        self._editor.SetSelectedSegmentID(segment_id(laid.sheet.structures[0]))

    def _scene_closes(self, *_event: Any) -> None:
        self.clear()
        self._views.forget()
        self._written.clear()

    def _scene_is_saved(self, *_event: Any) -> None:
        """What is written shall be the clinician's scene, not a slice on the desk."""
        self._limits.rest()
        self._doubt.rest()
        if self._laid is not None:
            show_others(self._laid.segmentation)

    def _scene_was_saved(self, *_event: Any) -> None:
        self._limits.resume()
        self._doubt.resume()
        if self._laid is not None and self._laid.segmentation.GetScene() is not None:
            hide_others(self._laid.segmentation, self._laid.sheet.structures)


def _thick(array: npt.NDArray[Any], geometry: Geometry, plane: Plane) -> npt.NDArray[Any]:
    """A native 2-D slice as ``[k, j, i]``, one voxel thick across its plane."""
    return np.expand_dims(array, geometry.array_axis(plane))
