"""The desk on MRML: a slice in Slicer's views and Segment Editor, without Qt.

Everything that an application holds (scene, logics, views, the editor's node) is passed in, so
that the same code serves the application, the browser workbench and tests on slicer-core.
"""

from activeseg_slicer.scene.desk import EditHistory, NoHistory, SceneDesk
from activeseg_slicer.scene.volumes import adopt_volume

__all__ = ["EditHistory", "NoHistory", "SceneDesk", "adopt_volume"]
