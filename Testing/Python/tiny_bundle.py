"""Small foreign models on disk: MONAI bundles and TorchScript files for the tiny cohort."""

from __future__ import annotations

import copy
import json
import warnings
from pathlib import Path
from typing import Any

import torch
from monai.networks.nets import UNet
from torch import nn

LOW_HU, HIGH_HU = -160.0, 240.0
EDGES_HU = (85.0, 175.0)
"""Between background and liver, and between liver and spleen, in the tiny cohort."""

METADATA: dict[str, Any] = {
    "network_data_format": {
        "inputs": {
            "image": {"num_channels": 1, "modality": "CT", "spatial_shape": [16, 16, 16]},
        },
        "outputs": {
            "pred": {
                "num_channels": 3,
                "channel_def": {"0": "background", "1": "Liver", "2": "spleen"},
            }
        },
    }
}

UNET: dict[str, Any] = {
    "_target_": "UNet",
    "spatial_dims": "@dimensions",
    "in_channels": 1,
    "out_channels": 3,
    "channels": [4, 8],
    "strides": [2],
    "num_res_units": 1,
    "norm": "batch",
    "dropout": 0.3,
}

POINTWISE: dict[str, Any] = {
    "_target_": "torch.nn.Conv3d",
    "in_channels": 1,
    "out_channels": 3,
    "kernel_size": 1,
}
"""Looks at one voxel: whatever it answers can be checked by hand."""


def inference(network: dict[str, Any], pixdim: list[float] | None = None) -> dict[str, Any]:
    """An inference configuration; without `pixdim` the volume's own spacing stays."""
    transforms: list[dict[str, Any]] = [
        {"_target_": "LoadImaged", "keys": "image"},
        {"_target_": "EnsureChannelFirstd", "keys": "image"},
        {"_target_": "monai.transforms.Orientationd", "keys": "image", "axcodes": "RAS"},
        {
            "_target_": "ScaleIntensityRanged",
            "keys": "image",
            "a_min": "@low",
            "a_max": HIGH_HU,
            "b_min": 0,
            "b_max": 1,
            "clip": True,
        },
        {"_target_": "EnsureTyped", "keys": "image"},
    ]
    if pixdim is not None:
        spacing = {"_target_": "Spacingd", "keys": "image", "pixdim": pixdim, "mode": "bilinear"}
        transforms.insert(3, spacing)
    return {
        "imports": ["$import glob"],
        "device": "$torch.device('cpu')",
        "low": LOW_HU,
        "dimensions": 3,
        "network_def": network,
        "network": "$@network_def.to(@device)",
        "preprocessing": {"_target_": "Compose", "transforms": transforms},
        "inferer": {
            "_target_": "SlidingWindowInferer",
            "roi_size": [16, 16, 16],
            "sw_batch_size": 4,
            "overlap": 0.5,
        },
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [{"_target_": "Activationsd", "keys": "pred", "softmax": True}],
        },
    }


def write_bundle(
    folder: Path,
    network: nn.Module,
    definition: dict[str, Any],
    pixdim: list[float] | None = None,
) -> Path:
    """Write a bundle of a network; its files can be changed with `change`."""
    for name in ("configs", "models"):
        (folder / name).mkdir(parents=True)
    write(folder / "configs/metadata.json", METADATA)
    write(folder / "configs/inference.json", inference(definition, pixdim))
    torch.save({"model": network.state_dict()}, folder / "models/model.pt")
    return folder


def write(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps(content))


def change(file: Path, place: str, value: Any) -> None:
    """Set what stands at a place (`network_def/out_channels`) of a JSON file."""
    content = json.loads(file.read_text())
    *path, last = place.split("/")
    part = content
    for key in path:
        part = part[int(key)] if isinstance(part, list) else part[key]
    if isinstance(part, list):
        part[int(last)] = value
    else:
        part[last] = value
    write(file, content)


def pointwise(certainty: float = 40.0) -> nn.Conv3d:
    """Tells background, liver and spleen apart by the grey values of `inference`."""
    first, second = ((edge - LOW_HU) / (HIGH_HU - LOW_HU) for edge in EDGES_HU)
    network = nn.Conv3d(1, 3, 1)
    with torch.no_grad():
        slopes = certainty * torch.tensor([0.0, 1.0, 2.0])
        network.weight.copy_(slopes.reshape(3, 1, 1, 1, 1))
        network.bias.copy_(certainty * torch.tensor([0.0, -first, -first - second]))
    return network


def unet(seed: int = 0, dropout: float = 0.3) -> UNet:
    """A random network of `UNET`."""
    options = copy.deepcopy(UNET) | {"spatial_dims": 3, "dropout": dropout}
    del options["_target_"]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return UNet(**options)


def write_torchscript(
    file: Path,
    network: nn.Module,
    traced: bool = True,
    describe: bool = True,
    pixdim: list[float] | None = None,
) -> Path:
    """Write a network as TorchScript, traced or scripted, with a description beside it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        if traced:
            made = torch.jit.trace(network.eval(), torch.rand(1, 1, 16, 16, 16))
        else:
            made = torch.jit.script(network.eval())
        torch.jit.save(made, str(file))
    if describe:
        write(file.with_suffix(".json"), METADATA | inference({}, pixdim))
    return file
