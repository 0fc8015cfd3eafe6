"""The stage without a browser: what trame-slicer's effects may change, and what undo restores."""

from __future__ import annotations

import asyncio
import itertools
import os
from unittest.mock import patch

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="needs slicer-core (pip install trame-slicer)")
pytest.importorskip("trame_slicer", reason="needs trame-slicer (pip install trame-slicer)")

from trame_slicer.segmentation import (  # noqa: E402
    SegmentationEffectErase,
    SegmentationEffectNoTool,
    SegmentationEffectPaint,
)
from vtkmodules.vtkCommonCore import vtkPoints  # noqa: E402
from vtkmodules.vtkFiltersSources import vtkSphereSource  # noqa: E402

from activeseg.errors import AnnotationError  # noqa: E402
from activeseg.keys import Plane  # noqa: E402
from activeseg_slicer.scene.painting import read_segment  # noqa: E402
from activeseg_slicer.scene.voxels import Box, ijk_to_ras, matrix_array, slice_centre  # noqa: E402
from activeseg_web.dabs import touched  # noqa: E402
from activeseg_web.tools import Tool  # noqa: E402
from activeseg_web.views import view_name  # noqa: E402
from flow_project import flow_project  # noqa: E402
from sheets import GEOMETRIES, pattern, shape_of, sheet  # noqa: E402

CASES = [(name, plane) for name in GEOMETRIES for plane in Plane]


def in_a_server(tmp_path, act):
    """Run `act(server)` inside an event loop, where a stage lives."""
    from trame.app import get_server

    async def run():
        try:
            await act(get_server(f"stage {tmp_path}", client_type="vue3"))
        finally:
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

    with patch.dict(os.environ, {"TRAME_ARGS": "--server"}):
        asyncio.run(run())


def on_stage(tmp_path, act):
    """Run `act(stage)` inside an event loop."""
    from activeseg_web.stage import Stage

    async def run(server):
        stage = Stage(server, flow_project(tmp_path / "project"), lambda: None)
        try:
            await act(stage)
        finally:
            stage.close()

    in_a_server(tmp_path, run)


def dab(stage, tool, where, radius):
    """One dab with the mouse's brush, which trame-slicer's widget ends in a call of this."""
    points = vtkPoints()
    points.InsertNextPoint(*where)
    stage.tools.use(tool)
    stage.tools.most = max(stage.tools.most, 2 * radius)
    stage.tools.set_diameter(2 * radius)
    effect = stage._slicer.segmentation_editor.active_effect
    effect.paint_glyph_at_world_coordinates(None, points)


def ball(stage, kind, where, radius):
    """A ball with trame-slicer's own brush: it reaches into all slices."""
    shape = vtkSphereSource()
    shape.SetRadius(radius)
    shape.Update()
    points = vtkPoints()
    points.InsertNextPoint(*where)
    effect = stage._slicer.segmentation_editor.set_active_effect_type(kind)
    effect.paint_glyph_at_world_coordinates(shape.GetOutput(), points)


def voxels(node, geometry):
    """Which voxels of the volume belong to which segment of a segmentation."""
    whole = Box((0, 0, 0), geometry.shape)
    names = node.GetSegmentation().GetSegmentIDs()
    return {name: read_segment(node, name, whole, "") for name in names}


def test_effects_reach_the_slice_alone(tmp_path):
    """A ball that is larger than the volume, painted and erased: one slice is changed."""

    async def act(stage):
        for name, plane in CASES:  # on one stage, which takes seconds to set
            reach(stage, name, plane)

    on_stage(tmp_path, act)


def assert_shown(stage, geometry, plane):
    """The plane's own view cuts through the middle of slice 3, and the others through it."""
    for node, each in zip(stage.views.slice_nodes, Plane, strict=True):
        to_ras = matrix_array(node.GetSliceToRAS())
        away = (np.array(slice_centre(geometry, plane, 3)) - to_ras[:3, 3]) @ to_ras[:3, 2]
        limit = 1e-3 if each is plane else max(geometry.size) * max(geometry.spacing) / 2
        assert abs(away) <= limit, (plane, each)
    assert stage.views.away == 0


def reach(stage, name, plane):
    geometry = GEOMETRIES[name]
    mask = pattern(shape_of(geometry, plane), (1, 2, 4))
    near = sheet(geometry, plane, 4, volume=name).key
    beside = {near: pattern(shape_of(geometry, plane), (1, 2), seed=3)}
    stage.lay(sheet(geometry, plane, 3, mask=mask, around=beside, volume=name))
    assert_shown(stage, geometry, plane)
    before = voxels(stage._desk.segmentation, geometry)
    middle = slice_centre(geometry, plane, 3)
    radius = 3 * max(n * mm for n, mm in zip(geometry.size, geometry.spacing, strict=True))
    stage.tools.choose(2)
    ball(stage, SegmentationEffectPaint, middle, radius)
    assert (stage.mask() == 2).all(), (name, plane)
    dab(stage, Tool.ERASE, middle, radius)
    assert not stage.mask().any(), (name, plane)
    dab(stage, Tool.PAINT, middle, radius)
    assert (stage.mask() == 2).all(), (name, plane)
    ball(stage, SegmentationEffectErase, middle, radius)
    assert not stage.mask().any(), (name, plane)
    axis = geometry.array_axis(plane)
    for segment, now in voxels(stage._desk.segmentation, geometry).items():
        rest = np.delete(now, 3, axis=axis)
        assert np.array_equal(rest, np.delete(before[segment], 3, axis=axis)), (name, plane)


@pytest.mark.parametrize(("name", "plane"), CASES)
def test_a_brush_touches_the_voxels_under_it(name, plane):
    """Against the distance in space of each voxel of the slice; a speck takes one voxel."""
    geometry = GEOMETRIES[name]
    axis = geometry.array_axis(plane)
    matrix = ijk_to_ras(geometry)
    middle = np.array(slice_centre(geometry, plane, 3))
    one, other = (matrix[:3, 2 - a] for a in range(3) if a != axis)
    way = np.array([middle + 0.3 * one, middle + 0.3 * one + 0.4 * other])
    found = touched(way, 1.1 * max(geometry.spacing), geometry, plane, 3)
    for place in np.ndindex(found.shape):
        k, j, i = np.insert(place, axis, 3)
        at = (matrix @ [i, j, k, 1])[:3]
        near = np.linalg.norm(way - at, axis=1).min()
        if abs(near - 1.1 * max(geometry.spacing)) > 1e-6 * near:
            assert found[place] == (near < 1.1 * max(geometry.spacing))
    assert touched(middle[None] + 0.3 * one, 0.01, geometry, plane, 3).sum() == 1
    assert not touched(middle[None] + 99 * one, 0.01, geometry, plane, 3).any()
    assert not touched(way, 99.0, geometry, plane, 2).any()


def test_a_stroke_follows_the_way_that_was_told(tmp_path):
    """A dab in the middle, as seen; a line from there, as told; and what a wheel does."""

    async def act(stage):
        for name, plane in CASES:
            geometry = GEOMETRIES[name]
            shape = shape_of(geometry, plane)
            stage.lay(sheet(geometry, plane, 3, mask=np.zeros(shape, np.uint8), volume=name))
            stage.tools.choose(1)
            node = stage.views.slice_nodes[list(Plane).index(plane)]
            place = np.insert(np.array(shape) // 2, geometry.array_axis(plane), 3)
            middle = (ijk_to_ras(geometry) @ [*place[::-1], 1.0])[:3]
            radius = 0.6 * min(geometry.spacing)
            dab(stage, Tool.PAINT, middle, radius)
            dotted = stage.mask()
            stage.strokes.undo()

            width, height = stage.views._planes[plane].render_window().GetSize()
            start = np.linalg.solve(matrix_array(node.GetXYToRAS()), [*middle, 1.0])[:2]
            # There and back again: a stroke ends where its way does.
            part = start / (width, height)
            way = [part, part + 0.3, part]
            stage.tools.ways.hear(view_name(plane), [each.tolist() for each in way])
            dab(stage, Tool.PAINT, middle, radius)
            line = stage.mask()
            assert (line >= dotted).all()
            assert line.sum() >= dotted.sum() + 2, (name, plane)
            stage.strokes.undo()

            stage.tools.ways.hear(view_name(plane), [each.tolist() for each in way])
            node.SetSliceOffset(node.GetSliceOffset() + 2 * max(geometry.spacing))
            dab(stage, Tool.PAINT, middle, radius)
            assert np.array_equal(stage.mask(), dotted), (name, plane)

    on_stage(tmp_path, act)


def test_undo_and_redo_of_strokes(tmp_path):
    geometry = GEOMETRIES["oblique"]

    async def act(stage):
        mask = pattern(shape_of(geometry, Plane.AXIAL), (1, 2))
        stage.lay(sheet(geometry, Plane.AXIAL, 3, mask=mask))
        middle = slice_centre(geometry, Plane.AXIAL, 3)
        states = [stage.mask()]
        for value, kind, radius in ((1, Tool.PAINT, 2), (2, Tool.PAINT, 3), (1, Tool.ERASE, 50)):
            stage.tools.choose(value)
            dab(stage, kind, middle, radius * geometry.spacing[0])
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            states.append(stage.mask())
        assert all(not np.array_equal(*pair) for pair in itertools.pairwise(states))
        for state in reversed(states[:-1]):
            stage.strokes.undo()
            assert np.array_equal(stage.mask(), state)
        assert not stage.strokes.can_undo
        for state in states[1:]:
            stage.strokes.redo()
            assert np.array_equal(stage.mask(), state)
        assert not stage.strokes.can_redo

        # A fill is one step; undo does not go behind a slice that is laid anew.
        stage.fill(np.zeros_like(mask))
        stage.strokes.undo()
        assert np.array_equal(stage.mask(), states[-1])
        stage.lay(sheet(geometry, Plane.AXIAL, 2, mask=mask))
        assert not stage.strokes.can_undo
        assert not stage.strokes.can_redo
        stage.strokes.undo()
        assert np.array_equal(stage.mask(), mask)

    on_stage(tmp_path, act)


def test_the_structure_and_the_brush_stay_from_slice_to_slice(tmp_path):
    geometry = GEOMETRIES["oblique"]

    async def act(stage):
        stage.lay(sheet(geometry, Plane.AXIAL, 3))
        stage.tools.choose(2)
        stage.tools.set_diameter(stage.tools.least)
        stage.lay(sheet(geometry, Plane.CORONAL, 2))
        assert stage.tools.structure == 2
        assert stage.tools.diameter == stage.tools.least
        dab(stage, Tool.PAINT, slice_centre(geometry, Plane.CORONAL, 2), 100)
        assert (stage.mask() == 2).all()

    on_stage(tmp_path, act)


def test_nothing_is_painted_once_the_slice_is_put_away(tmp_path):
    geometry = GEOMETRIES["oblique"]

    async def act(stage):
        mask = pattern(shape_of(geometry, Plane.AXIAL), (1, 2))
        stage.lay(sheet(geometry, Plane.AXIAL, 3, mask=mask))
        node = stage._desk.segmentation
        dab(stage, Tool.PAINT, slice_centre(geometry, Plane.AXIAL, 3), 2)
        before = voxels(node, geometry)
        assert any(found.any() for found in before.values())
        stage.clear()
        stage.strokes.undo()
        stage.strokes.redo()
        stage.tools.use(Tool.PAINT)
        editor = stage._slicer.segmentation_editor
        assert editor.active_effect_name == SegmentationEffectNoTool.get_effect_name()
        after = voxels(node, geometry)
        assert all(np.array_equal(before[name], after[name]) for name in before)
        assert not stage.strokes.can_undo
        assert stage.views.away == 0

    on_stage(tmp_path, act)


def test_only_the_last_volumes_stay_in_the_scene(tmp_path):
    """And one that comes back is as it was, with what was accepted on its other slices."""
    from activeseg_web.stage import KEPT

    geometry = GEOMETRIES["flipped"]
    names = [f"v{number}" for number in range(KEPT + 2)]

    async def act(stage):
        scene = stage._slicer.scene
        mask = pattern(shape_of(geometry, Plane.AXIAL), (1, 2))
        for name in [*names, names[0]]:
            near = sheet(geometry, Plane.AXIAL, 4, volume=name).key
            stage.lay(sheet(geometry, Plane.AXIAL, 2, mask=mask, volume=name, around={near: mask}))
            assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") <= KEPT
            # One more: the slice alone, which limits the editor.
            assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") <= KEPT + 1
            assert np.array_equal(stage.mask(), mask)
            liver = voxels(stage._desk.segmentation, geometry)["ActiveSeg_1"]
            assert np.array_equal(liver[4], mask == 1)

    on_stage(tmp_path, act)


def test_strokes_that_cannot_be_kept_are_told_once_and_again_after_it_went_well(tmp_path):
    """They are kept every two seconds: the line could never be closed."""
    from activeseg_web.work import Work

    def full(*_):
        raise AnnotationError("the strokes were not kept: No space left on device")

    async def act(server):
        work = Work(flow_project(tmp_path / "project"), "anna", server)
        work.begin()
        mask = work.stage.mask()
        for mended in (False, True):
            with patch("activeseg.project.answers.drafts.save", full):
                work.stage.fill(np.full_like(mask, 1 if mended else 4))
                work.autosave()
                assert "No space left" in server.state.error
                work.close_error()
                work.autosave()
                assert server.state.error == ""
            work.autosave()
        (draft,) = work.session.project.drafts("anna").values()
        assert (draft.mask == 1).all()
        work.close()

    in_a_server(tmp_path, act)
