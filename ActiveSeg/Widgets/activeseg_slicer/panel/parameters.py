"""What the user chose, kept in the scene: saved with it, and there again when it is loaded."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated

from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper

from activeseg.keys import PLANE_POLICIES

__all__ = ["BUILT_IN_MODEL", "DEVICES", "STRATEGIES", "Parameters", "user_name"]

STRATEGIES = (
    "auto",
    "knapsack",
    "coverage",
    "clasp",
    "entropy-band",
    "clue",
    "energy",
    "one-shot",
    "random",
    "strided",
    "foreground-random",
    "entropy-mean",
    "volume-epistemic",
    "worst-dice",
)
"""The engine's strategies; written out, as the registry loads scikit-learn. A test compares."""

DEVICES = ("auto", "cpu")
"""Where the model is trained: a CUDA device where there is one, or the processor all the same."""

BUILT_IN_MODEL = "unet25d"


@parameterNodeWrapper
class Parameters:
    """The parameters by name; the widgets of the ``.ui`` name theirs as SlicerParameterName.

    Attributes:
        project: Folder of the project; empty before one is chosen.
        author: Who annotates; empty: the name of the system's user.
        minutes: Minutes that the user can give today.
        strategy: What makes a slice worth asking for.
        planes: Plane policy of a new project.
        model: Network that a new project starts from.
        device: Where the model is trained.
        auto_retrain: Whether training starts by itself when the batch is answered.
        show_doubt: Whether the overlay of what the model is unsure of is shown.
        colours: Colour of each structure that was chosen by hand, as JSON.
    """

    project: str = ""
    author: str = ""
    minutes: Annotated[float, WithinRange(1.0, 480.0)] = 30.0
    strategy: Annotated[str, Choice(list(STRATEGIES))] = "auto"
    planes: Annotated[str, Choice(list(PLANE_POLICIES))] = "auto"
    model: str = BUILT_IN_MODEL
    device: Annotated[str, Choice(list(DEVICES))] = "auto"
    auto_retrain: bool = True
    show_doubt: bool = True
    colours: str = "{}"

    if TYPE_CHECKING:  # what the decorator adds

        def __init__(self, node: object) -> None: ...

        def connectGui(self, gui: object) -> int:  # noqa: N802
            """Let widgets and parameters follow each other."""

        def disconnectGui(self, tag: int) -> None:  # noqa: N802
            """End what `connectGui` began."""


def user_name() -> str:
    """The name of the system's user, to begin with."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # no such user in this container
        return "annotator"
