"""The name of a model in ``project.json``: the built-in one, or the path of another."""

from __future__ import annotations

from pathlib import Path

from activeseg.errors import ModelError

__all__ = ["ANOTHER_MODEL", "BUILT_IN", "check_model"]

BUILT_IN = "unet25d"
"""The built-in network with fresh weights."""

ANOTHER_MODEL = (
    "name the model.pt of a project's round, a MONAI bundle's folder or a TorchScript file"
)
"""What to do where a file that was named as a model is none."""


def check_model(name_or_path: str) -> str:
    """The name to keep: `unet25d`, or the absolute path of a file or folder that is there.

    What is there is looked at by `activeseg.project.beginning.begin`.

    Raises:
        ModelError: If it is neither.
    """
    if name_or_path == BUILT_IN:
        return BUILT_IN
    path = Path(name_or_path)
    if not path.exists():
        raise ModelError(
            f"no model '{name_or_path}'; expected {BUILT_IN} or the path of a model.pt, of a "
            "MONAI bundle's folder or of a TorchScript file"
        )
    return str(path.absolute())
