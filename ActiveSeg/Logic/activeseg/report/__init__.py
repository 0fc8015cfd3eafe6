"""One HTML page that shows what a simulated run asked for, and what came of it.

::

    write_report(Path("out/report.html"), result, {"activeseg": project, "random": other}, progress)

The page is one file: style, pictures and curve are inside it, and it loads nothing.
"""

from __future__ import annotations

from activeseg.report.page import write_report

__all__ = ["write_report"]
