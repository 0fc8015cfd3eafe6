"""What the network of volumes says of a part of a scan."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from monai.inferers import sliding_window_inference
from torch import nn

from activeseg.model.network import STRIDE
from activeseg.model.precision import autocast
from activeseg.model.scan import Box, Scan, grown, within
from activeseg.model.volumes import grey_volume, places_at

__all__ = ["volume_softmax"]

MARGIN = 16
"""Voxels round a part that the network is shown with it, where there are any."""

WINDOW = 128
"""Voxels along each axis that it is shown at once; of more, windows that overlap by a quarter."""


def volume_softmax(
    network: nn.Module, scan: Scan, box: Box, device: torch.device
) -> npt.NDArray[np.float32]:
    """Softmax `[C, s, p, l]` in a box of a scan.

    Args:
        network: From `[1, channels + PLACES, D, H, W]` to logits.
        scan: The scan, on the grid that the network learned on.
        box: Where.
        device: Where the network is.
    """
    around = grown(box, (MARGIN,) * 3, scan.shape)
    image = _image(scan, around)[None].to(device)
    sides = [min(WINDOW, -(-count // STRIDE) * STRIDE) for count in image.shape[2:]]
    with torch.inference_mode(), autocast(device):
        logits = sliding_window_inference(
            image,
            sides,
            sw_batch_size=1,
            predictor=partial(_logits, network),
            overlap=0.25,
            mode="gaussian",
            padding_mode="replicate",
        )
    inside = (slice(None), *within(box, around))
    softmax: npt.NDArray[np.float32] = logits[0][inside].softmax(dim=0).cpu().numpy()
    return softmax


def _logits(network: nn.Module, image: torch.Tensor) -> torch.Tensor:
    """In single precision, whatever the network answers in: windows are added up."""
    logits: torch.Tensor = network(image).float()
    return logits


def _image(scan: Scan, part: Box) -> torch.Tensor:
    """What the network is shown of a part, `[channels + PLACES, s, p, l]`."""
    sides = [torch.arange(side.start, side.stop).float() for side in part]
    voxels = torch.stack(torch.meshgrid(*sides, indexing="ij"), dim=-1)
    places = places_at(voxels, scan.shape).movedim(-1, 0)
    return torch.cat([grey_volume(scan.part(part)), places])
