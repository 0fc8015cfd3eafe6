"""What is known of a foreign model: its channels, its axes and spacing, its grey values.

Read from the words of a MONAI bundle. Whatever is not understood is refused in one line: a model
that is shown grey values it was not trained on answers all the same, and wrongly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from activeseg.errors import ModelError
from activeseg.model.words import Words

__all__ = ["Description", "Step", "describe"]

_READING = {
    *("LoadImage", "EnsureChannelFirst", "AddChannel", "EnsureType", "CastToType", "ToTensor"),
    *("ToDevice", "SelectItems", "Identity", "AsChannelFirst"),
}
"""Say how a file becomes an array; here it is one already."""

_FIELD_OF_VIEW = {"CropForeground", "SpatialPad", "DivisiblePad"}
"""Cut off or add what holds nothing; here the whole volume is looked at, window by window."""

_GREY = {
    *("ScaleIntensity", "ScaleIntensityRange", "ScaleIntensityRangePercentiles"),
    *("NormalizeIntensity", "ThresholdIntensity", "ShiftIntensity"),
}

_LABELS = [["L", "R"], ["P", "A"], ["I", "S"]]
_NOT_OPTIONS = {"keys", "allow_missing_keys", "dtype"}
_PLAIN = (int, float, bool, str, type(None))


@dataclass(frozen=True)
class Step:
    """One of MONAI's intensity transforms, by name, with its options."""

    name: str
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Description:
    """What a foreign model takes and gives.

    Attributes:
        names: What its output channels are called; empty where nobody says.
        outputs: How many there are; None where nobody says.
        modality: `CT`, `MR`, or empty where nobody says.
        axes: The sides that its axes run to, such as RAS.
        pixdim: Millimetres between voxels along these axes; None keeps the volume's own.
        before, after: What is done to the grey values before and after resampling.
        window: Voxels that the network is shown at once.
        overlap: Of neighbouring windows, as a share of their length.
        blend: How windows are put together, `constant` or `gaussian`.
        binary: Whether its one output channel is the logit of its one structure.
    """

    axes: str
    pixdim: tuple[float | None, float | None, float | None]
    window: tuple[int, int, int]
    names: Mapping[int, str] = field(default_factory=dict)
    outputs: int | None = None
    modality: str = ""
    before: tuple[Step, ...] = ()
    after: tuple[Step, ...] = ()
    overlap: float = 0.25
    blend: str = "constant"
    binary: bool = False


def describe(metadata: Words, inference: Words) -> Description:
    """Read a bundle's metadata and inference configuration.

    Raises:
        ModelError: If something that matters is missing or not understood.
    """
    image, output = _format(metadata)
    channels = image.get("num_channels", 1)
    if channels != 1:
        raise ModelError(
            f"{metadata.where}: the model takes {channels} image channels; the volumes of a "
            "cohort have 1"
        )
    axes, pixdim, before, after = _preprocessing(inference)
    overlap, blend = 0.25, "constant"
    window: Any = image.get("spatial_shape")
    if "inferer" in inference:
        window, overlap, blend = _inferer(inference, window)
    return Description(
        axes=axes,
        pixdim=pixdim,
        window=_window(window, inference.where),
        names=_names(output, metadata.where),
        outputs=output.get("num_channels"),
        modality={"CT": "CT", "MR": "MR", "MRI": "MR"}.get(str(image.get("modality")).upper(), ""),
        before=before,
        after=after,
        overlap=overlap,
        blend=blend,
        binary=_sigmoid(inference),
    )


def _format(metadata: Words) -> tuple[dict[str, Any], dict[str, Any]]:
    """The formats of the image and of the prediction."""
    found = []
    for side, usual in (("inputs", "image"), ("outputs", "pred")):
        parts = metadata.plain(f"network_data_format::{side}")
        if not isinstance(parts, dict) or (len(parts) != 1 and usual not in parts):
            raise ModelError(
                f"{metadata.where}: network_data_format has no single {side[:-1]} '{usual}'; "
                "expected one image and one prediction"
            )
        found.append(parts.get(usual) or next(iter(parts.values())))
    return found[0], found[1]


def _names(output: Mapping[str, Any], where: str) -> dict[int, str]:
    """Names of the output channels, without the background."""
    found: dict[int, str] = {}
    for key, name in dict(output.get("channel_def") or {}).items():
        if not str(key).isdigit():
            raise ModelError(f"{where}: channel_def has a channel '{key}'; expected numbers")
        found[int(key)] = str(name)
    return found


def _preprocessing(
    inference: Words,
) -> tuple[
    str, tuple[float | None, float | None, float | None], tuple[Step, ...], tuple[Step, ...]
]:
    """Axes, spacing, and what is done to the grey values before and after resampling."""
    where = inference.where
    axes, pixdim = "", None
    steps: tuple[list[Step], list[Step]] = ([], [])
    place = "preprocessing::transforms"
    transforms = inference.at(place)
    if not isinstance(transforms, list):
        raise ModelError(f"{where}: preprocessing is no list of transforms; it is not understood")
    for number in range(len(transforms)):
        here = f"{place}::{number}"
        name = _name(inference, here)
        if not name or name in _READING or name in _FIELD_OF_VIEW:
            continue
        options = _options(inference, here)
        if name == "Orientation":
            axes = _axes(options, where)
        elif name == "Spacing":
            if not axes:
                raise ModelError(f"{where}: Spacing before Orientation; its axes are not known")
            pixdim = _pixdim(options, where)
        elif name in _GREY:
            steps[pixdim is not None].append(_grey(name, options, where))
        else:
            raise ModelError(
                f"{where}: the preprocessing '{name}' is not understood; expected Orientation, "
                f"Spacing and {', '.join(sorted(_GREY))}"
            )
    if not axes:
        raise ModelError(f"{where}: no Orientation; which way the model's axes run is not known")
    return axes, pixdim or (None, None, None), tuple(steps[0]), tuple(steps[1])


def _name(words: Words, place: str) -> str:
    """Name of a transform without the `d` of dictionaries; empty if it is switched off."""
    written = words.at(place)
    if not isinstance(written, Mapping) or "_target_" not in written:
        raise ModelError(f"{words.where}: '{place}' is no transform; it is not understood")
    if "_disabled_" in written and words.plain(f"{place}::_disabled_"):
        return ""
    name = str(words.at(f"{place}::_target_")).rpartition(".")[2]
    for ending in ("Dict", "d", "D"):
        bare = name.removesuffix(ending)
        if bare in _READING | _FIELD_OF_VIEW | _GREY | {"Orientation", "Spacing"}:
            return bare
    return name


def _options(words: Words, place: str) -> dict[str, Any]:
    """The options of a transform that are not about files and keys."""
    written = words.at(place)
    return {
        name: words.plain(f"{place}::{name}")
        for name in written
        if name not in _NOT_OPTIONS and not name.startswith("_")
    }


def _axes(options: dict[str, Any], where: str) -> str:
    labels = options.get("labels")
    usual = labels is None or [list(pair) for pair in labels] == _LABELS
    if (
        not usual
        or options.get("as_closest_canonical")
        or not isinstance(options.get("axcodes"), str)
    ):
        raise ModelError(
            f"{where}: Orientation {options} is not understood; expected axcodes such as RAS"
        )
    return str(options["axcodes"]).upper()


def _pixdim(options: dict[str, Any], where: str) -> tuple[float | None, float | None, float | None]:
    """Millimetres along the model's axes; MONAI keeps the volume's own where it is not above 0."""
    asked, mode = options.pop("pixdim", None), options.pop("mode", "bilinear")
    linear = mode in ("bilinear", ["bilinear"])
    strange = {name for name, value in options.items() if name != "padding_mode" and value}
    numbers = isinstance(asked, list) and all(isinstance(mm, int | float) for mm in asked)
    if not linear or strange or not numbers or len(asked) != 3:
        raise ModelError(
            f"{where}: Spacing to {asked} by {mode} {sorted(strange)} is not understood; expected "
            "three pixdim in mm and bilinear"
        )
    found = [float(mm) if math.isfinite(mm) and mm > 0 else None for mm in asked]
    return (found[0], found[1], found[2])


def _grey(name: str, options: dict[str, Any], where: str) -> Step:
    for option, value in options.items():
        numbers = isinstance(value, list) and all(isinstance(each, _PLAIN) for each in value)
        if not (isinstance(value, _PLAIN) or numbers):
            raise ModelError(f"{where}: {name} has {option} {value!r}; expected a number")
    return Step(name, options)


def _inferer(inference: Words, usual: Any) -> tuple[Any, float, str]:
    """Window, overlap and blending."""
    name = str(inference.at("inferer::_target_")).rpartition(".")[2]
    if name == "SimpleInferer":
        return usual, 0.25, "constant"
    if name not in ("SlidingWindowInferer", "SlidingWindowInfererAdapt"):
        raise ModelError(
            f"{inference.where}: the inferer '{name}' is not understood; expected sliding windows"
        )
    written = inference.at("inferer")
    overlap = inference.plain("inferer::overlap") if "overlap" in written else 0.25
    blend = inference.plain("inferer::mode") if "mode" in written else "constant"
    if not isinstance(overlap, int | float) or not 0 <= overlap < 1:
        raise ModelError(f"{inference.where}: windows overlap by {overlap}; expected 0 to 1")
    if blend not in ("constant", "gaussian"):
        raise ModelError(
            f"{inference.where}: windows are blended by {blend}; expected constant or gaussian"
        )
    return inference.plain("inferer::roi_size"), float(overlap), str(blend)


def _window(asked: Any, where: str) -> tuple[int, int, int]:
    sizes = asked if isinstance(asked, list) else [asked] * 3
    if len(sizes) != 3 or not all(type(size) is int and size > 0 for size in sizes):
        raise ModelError(
            f"{where}: the network's window is {asked}; expected three numbers of voxels as the "
            "inferer's roi_size, or as spatial_shape of the image"
        )
    return (sizes[0], sizes[1], sizes[2])


def _sigmoid(inference: Words) -> bool:
    """Whether the outputs are each for itself; what else is done to them does not matter here."""
    if "postprocessing" not in inference:
        return False
    transforms = inference.at("postprocessing::transforms")
    for number in range(len(transforms) if isinstance(transforms, list) else 0):
        place = f"postprocessing::transforms::{number}"
        written = inference.at(place)
        target = str(written.get("_target_", "")) if isinstance(written, Mapping) else ""
        name = target.rpartition(".")[2]
        if name.startswith("Activations") and "sigmoid" in written:
            return inference.plain(f"{place}::sigmoid") in (True, [True])
    return False
