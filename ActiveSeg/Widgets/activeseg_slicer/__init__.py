"""ActiveSeg's face in 3D Slicer: a worker process and the panel that shows what it found.

The engine runs across a process border (`worker`, no Qt), so that it can neither freeze the
application nor take it down; `panel` is the only file here that knows Qt.
"""
