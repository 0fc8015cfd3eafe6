"""Draws what the desk shows: `python draw_scene.py OUT.png`, off screen.

A phantom volume lies oblique in space; one of its slices is laid in each plane in turn, with a
roughened reference as the proposal and an overlay of doubt along its edges. The views are real
slice views with Slicer's own displayable managers, side by side in one picture.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import slicer
import vtk
from scipy import ndimage
from trame_slicer.core import SlicerApp
from trame_slicer.views import DirectViewFactory, ViewLayoutDefinition
from vtk.util import numpy_support

from activeseg.cohort import Structure, take_slice
from activeseg.keys import Plane, SliceKey
from activeseg.phantom import PHANTOM_STRUCTURES, make_volume
from activeseg_slicer.flow.desk import Sheet
from activeseg_slicer.scene import SceneDesk
from sheets import rotated

PIXELS = 400


def make_sheet(plane: Plane) -> Sheet:
    """The slice with most to see in a plane, its proposal cut and its edges doubtful."""
    made = make_volume(1, 0)
    geometry = replace(made.geometry, direction=rotated((0, 17), (1, -11), (2, 6)))
    areas = np.moveaxis(made.label > 0, geometry.array_axis(plane), 0).sum(axis=(1, 2))
    index = int(areas.argmax())
    truth = take_slice(made.label, geometry, plane, index)
    mask = np.where(ndimage.binary_erosion(truth > 0, iterations=1), truth, 0).astype(np.uint8)
    edge = np.abs(ndimage.gaussian_filter((truth > 0).astype(np.float32), 2) - 0.5)
    entropy = np.clip(1 - 2 * edge, 0, 1).astype(np.float32)
    key = SliceKey("case_001", plane, index)
    structures = tuple(Structure(name, value + 1) for value, name in enumerate(PHANTOM_STRUCTURES))
    return Sheet(key, made.image.astype(np.float32), geometry, structures, mask, entropy, {})


def picture_of(view) -> np.ndarray:
    """The view's pixels [row, column, 3], the first row at the top."""
    view.render()
    image = vtk.vtkImageData()
    # The window as it is on a screen; vtkWindowToImageFilter darkens what is half transparent.
    slicer.vtkMRMLLayerDisplayableManager.RenderWindowBufferToImage(view.render_window(), image)
    columns, rows, _one = image.GetDimensions()
    flat = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    return flat.reshape(rows, columns, -1)[::-1, :, :3]


def draw() -> np.ndarray:
    """Three views, one after the other laid with a slice of their plane."""
    app = SlicerApp()
    app.view_manager.register_factory(DirectViewFactory(do_render_offscreen=True))
    definitions = (
        ViewLayoutDefinition.axial_view(),
        ViewLayoutDefinition.coronal_view(),
        ViewLayoutDefinition.sagittal_view(),
    )
    views = [app.view_manager.create_view(definition) for definition in definitions]
    for view, plane in zip(views, Plane, strict=True):
        view.render_window().SetSize(PIXELS, PIXELS)
        view.update_size(PIXELS, PIXELS)
        view.get_view_node().SetDefaultOrientation(plane.value.capitalize())
    app.scene.Clear(0)
    desk = SceneDesk(
        app.scene,
        app.app_logic,
        [view.get_view_node() for view in views],
        app.segmentation_editor.editor_node,
        project="drawn",
    )
    pictures = []
    for view, plane in zip(views, Plane, strict=True):
        desk.lay(make_sheet(plane))
        pictures.append(picture_of(view))
    desk.close()
    for view in views:
        view.set_render_blocked(True)
    return np.concatenate(pictures, axis=1)


def main() -> None:
    pixels = np.ascontiguousarray(draw()[::-1])
    image = vtk.vtkImageData()
    image.SetDimensions(pixels.shape[1], pixels.shape[0], 1)
    image.GetPointData().SetScalars(numpy_support.numpy_to_vtk(pixels.reshape(-1, 3), deep=True))
    writer = vtk.vtkPNGWriter()
    writer.SetFileName(sys.argv[1])
    writer.SetInputData(image)
    writer.Write()


if __name__ == "__main__":
    main()
