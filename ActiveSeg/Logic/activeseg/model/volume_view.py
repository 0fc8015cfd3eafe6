"""What the network of volumes says of a part of a scan."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from activeseg.model.network import STRIDE
from activeseg.model.precision import autocast
from activeseg.model.scan import Box, Scan, grown, within
from activeseg.model.volumes import grey_volume, places_at

__all__ = ["volume_softmax"]

MARGIN = 16
"""Voxels round a part that the network is shown with it, where there are any."""

SLICES_AT_ONCE = 96
"""Of the part, along S: what the network holds on the way is several times its softmax."""


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
    first, last = box[0].start, box[0].stop
    parts = [
        _softmax(network, scan, (slice(at, min(at + SLICES_AT_ONCE, last)), *box[1:]), device)
        for at in range(first, last, SLICES_AT_ONCE)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def _softmax(
    network: nn.Module, scan: Scan, box: Box, device: torch.device
) -> npt.NDArray[np.float32]:
    """The same of a box that is looked at as a whole."""
    around = grown(box, (MARGIN,) * 3, scan.shape)
    image = _image(scan, around)[None]
    pads: list[int] = []
    lead: list[int] = []
    for count in image.shape[2:]:
        # On both sides: all of it on one costs this network 0.009 Dice (docs/experiments.md).
        more = -count % STRIDE
        lead.append(more // 2)
        pads = [lead[-1], more - lead[-1], *pads]
    padded = nn.functional.pad(image, pads, mode="replicate")
    with torch.inference_mode(), autocast(device, padded.shape[-1]):
        logits = network(padded.to(device))[0]
        inside = tuple(
            slice(side.start + before, side.stop + before)
            for side, before in zip(within(box, around), lead, strict=True)
        )
        softmax: torch.Tensor = logits[(slice(None), *inside)].float().softmax(dim=0)
    found: npt.NDArray[np.float32] = softmax.cpu().numpy()
    return found


def _image(scan: Scan, part: Box) -> torch.Tensor:
    """What the network is shown of a part, `[channels + PLACES, s, p, l]`."""
    grey = grey_volume(scan.part(part))
    longest = max(side.stop for side in part)
    along = places_at(torch.arange(longest).float()[:, None].expand(-1, 3), scan.shape)
    places = []
    for axis, side in enumerate(part):
        shape = [-1 if each == axis else 1 for each in range(3)]
        places.append(along[side, axis].view(shape).expand(grey.shape[1:]))
    return torch.cat([grey, torch.stack(places)])
