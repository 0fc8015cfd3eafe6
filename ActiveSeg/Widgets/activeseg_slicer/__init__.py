"""ActiveSeg's face in 3D Slicer.

Imports go one way: `panel` (Qt) shows and calls `flow` (one person's session, no Qt and no MRML),
which lays slices on `scene` (MRML and VTK, no Qt). Heavy work runs across a process border
(`worker`, `process`), so that it can neither freeze the application nor take it down. `selftest`
holds the checks that the application runs in its own scene.
"""
