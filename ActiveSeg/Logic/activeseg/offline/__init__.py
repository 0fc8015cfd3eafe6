"""A batch as a folder that is answered in another tool, and its masks taken back in.

::

    check_target(Path("to-draw"))
    write_folder(project, batch, Path("to-draw"), progress)
    ...
    taken = take_in(project, Path("to-draw"), "ada")

The folder is described in ``docs/project-format.md``, under "Answering offline".
"""

from __future__ import annotations

from activeseg.offline.layout import check_target
from activeseg.offline.taking import TakenIn, take_in
from activeseg.offline.writing import write_folder

__all__ = ["TakenIn", "check_target", "take_in", "write_folder"]
