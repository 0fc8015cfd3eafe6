"""What the user chose, kept in the scene: saved with it, and there again when it is loaded."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated

from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper

from activeseg.keys import PLANE_POLICIES

__all__ = [
    "BUILT_IN_MODEL",
    "DEVICES",
    "MODEL_KINDS",
    "PARTS",
    "STRATEGIES",
    "Parameters",
    "user_name",
]

STRATEGIES = (
    "auto",
    "knapsack",
    "coverage",
    "clasp",
    "entropy-band",
    "clue",
    "energy",
    "one-shot",
    "representative",
    "facility-location",
    "probcover",
    "farthest-first",
    "density",
    "cscs",
    "typiclust",
    "random",
    "strided",
    "foreground-random",
    "entropy-mean",
    "volume-epistemic",
    "worst-dice",
)
"""The engine's strategies; written out, as the registry loads scikit-learn. A test compares."""

DEVICES = ("auto", "cpu", "cuda")
"""Where the model runs, in the engine's words; a test compares, as its own list loads torch."""

PARTS = ("all", "decoder")
"""What of a model that exists is trained, in the engine's words; compared likewise."""

BUILT_IN_MODEL = "unet25d"

MODEL_KINDS = ("built-in", "bundle", "file")
"""What a new project starts from: the built-in network, a MONAI bundle, the file of a model."""


@parameterNodeWrapper
class Parameters:
    """The parameters by name; the widgets of the ``.ui`` name theirs as SlicerParameterName.

    Attributes:
        project: Folder of the project; empty before one is chosen.
        author: Who annotates; empty: the name of the system's user.
        minutes: Minutes that the user can give today.
        strategy: What makes a slice worth asking for.
        planes: Plane policy of a new project.
        model_kind: What a new project starts from.
        model_path: The bundle's folder, or the file, if not from the built-in network.
        model_map: The model's output channel of each structure; empty: by the model's own names.
            Whether the model may run code is not kept: a scene of somebody's must not say so.
        device: Where the model runs.
        tune: What of a model that the project started from is trained.
        auto_retrain: Whether training starts by itself when the batch is answered.
        show_doubt: Whether the overlay of what the model is unsure of is shown.
        colours: Colour of each structure that was chosen by hand, as JSON.
    """

    project: str = ""
    author: str = ""
    minutes: Annotated[float, WithinRange(1.0, 480.0)] = 30.0
    strategy: Annotated[str, Choice(list(STRATEGIES))] = "auto"
    planes: Annotated[str, Choice(list(PLANE_POLICIES))] = "auto"
    model_kind: Annotated[str, Choice(list(MODEL_KINDS))] = "built-in"
    model_path: str = ""
    model_map: str = ""
    device: Annotated[str, Choice(list(DEVICES))] = "auto"
    tune: Annotated[str, Choice(list(PARTS))] = "all"
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
