"""Which state of the engine's sources this is."""

from __future__ import annotations

import hashlib
from pathlib import Path

from activeseg import __version__

__all__ = ["code_version"]


def code_version() -> str:
    """The version and a checksum of the engine's sources, for figures to be told apart by."""
    engine = Path(__file__).parent
    digest = hashlib.sha256()
    for file in sorted(engine.rglob("*.py")):
        digest.update(f"{file.relative_to(engine).as_posix()}\n".encode())
        digest.update(file.read_bytes())
    return f"{__version__} {digest.hexdigest()[:12]}"
