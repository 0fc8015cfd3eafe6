"""Somebody else's 3-D network as a `SegmentationModel`.

It is shown the whole volume in its own axes, spacing and grey values, window by window, and what it
answers is brought back to the volume's own voxels. Output channels that no structure is mapped to
count as background.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from monai import transforms
from monai.inferers import SlidingWindowInferer
from torch import nn
from torch.nn.modules.dropout import _DropoutNd

from activeseg.errors import ModelError
from activeseg.model.description import Step
from activeseg.model.frame import Frame
from activeseg.model.inference import MOST_MOVED, MOST_SCALED, dropout_only, moved
from activeseg.model.network import NetworkConfig, pick_device, seeded
from activeseg.model.opened import Answers, Opened
from activeseg.model.protocol import Box, SegmentationModel, View
from activeseg.model.scan import Scan, whole_box

__all__ = ["ForeignModel", "Shown"]


@dataclass(frozen=True)
class Shown:
    """A scan as the network is shown it.

    Attributes:
        frame: Where its voxels lie.
        image: `[1, ...]` on the processor, in the network's axes and grey values.
    """

    frame: Frame
    image: torch.Tensor

    @property
    def whole(self) -> Box:
        """All of it."""
        return whole_box(self.frame.shape)


class ForeignModel(SegmentationModel):
    """A network of a bundle or a TorchScript file, for the structures of a project.

    Args:
        opened: The network, with what is known of it.
        answers: What its outputs are.
        channels: The output channel of each structure.
        config: The structures and the cohort that it is used for.
        device: Where it runs (`activeseg.model.network.DEVICES`).

    Raises:
        ModelError: If there is no such device, or an option of its preprocessing is none.
    """

    sees_grey = True

    def __init__(
        self,
        opened: Opened,
        answers: Answers,
        channels: Sequence[int],
        config: NetworkConfig,
        device: str = "auto",
    ) -> None:
        self.config = config
        self.description = opened.description
        self.where = opened.where
        self.device = pick_device(device)
        self.network = opened.network.to(self.device).eval()
        self._answers = answers
        self._channels = list(channels)
        self._before = [_transform(step, opened.where) for step in self.description.before]
        self._after = [_transform(step, opened.where) for step in self.description.after]
        self._latest: tuple[Scan, Shown] | None = None
        chance = {"dropout", "full-dropout"} if self._drops() else set()
        self.sources = frozenset({"augmented"} | chance)

    def probabilities(self, scan: Scan) -> npt.NDArray[np.float32]:
        """Softmax `[C, S, P, L]` of the whole scan, without chance."""
        return next(self.views(scan)).softmax

    def views(self, scan: Scan, passes: int = 0, seed: int = 0) -> Iterator[View]:
        """The one view: the volume at once, without passes."""
        shown = self.show(scan)
        self.network.eval()
        logits = self.logits(shown.image)
        everything = scan.box
        softmax = shown.frame.back(logits.softmax(dim=0), shown.whole, everything).numpy()
        if self._answers.probabilities:
            yield View(None, softmax, everything)
            return
        energy = shown.frame.back(-logits.logsumexp(dim=0)[None], shown.whole, everything)
        yield View(None, softmax, everything, energy[0].numpy())

    def samples(
        self, scan: Scan, passes: int, seed: int, box: Box
    ) -> Iterator[npt.NDArray[np.float32]]:
        """MC dropout: softmax maps `[C, s, p, l]` of one part of the scan."""
        shown = self.show(scan)
        part = shown.frame.around(box, self.description.window)
        image = shown.image[(slice(None), *part)]
        for number in range(passes):
            with seeded(seed * 1009 + number):
                self.learning()
                found = self.logits(image).softmax(dim=0)
                self.network.eval()
            yield shown.frame.back(found, part, box).numpy()

    def augmented(
        self, scan: Scan, passes: int, seed: int, box: Box
    ) -> Iterator[npt.NDArray[np.float32]]:
        """Test-time augmentation, as `SliceModel.augmented` but in the network's own voxels.

        Grey values are scaled, and shifted by a share of their deviation in the volume.
        """
        shown = self.show(scan)
        self.network.eval()
        # Room for the moves, so that no edge is repeated where the volume goes on.
        bare = shown.frame.around(box, (1, 1, 1))
        room = [side.stop - side.start + 2 * MOST_MOVED for side in bare]
        part = shown.frame.around(box, list(map(max, room, self.description.window)))
        image = shown.image[(slice(None), *part)].numpy()
        deviation = float(shown.image.std(correction=0))
        rng = np.random.default_rng(seed)
        for _ in range(passes):
            steps = rng.integers(-MOST_MOVED, MOST_MOVED + 1, size=3)
            scale = rng.uniform(1 - MOST_SCALED, 1 + MOST_SCALED)
            shift = deviation * rng.uniform(-MOST_SCALED, MOST_SCALED)
            changed = (scale * moved(image, steps) + shift).astype(np.float32)
            softmax = self.logits(torch.from_numpy(changed)).softmax(dim=0).numpy()
            yield shown.frame.back(torch.from_numpy(moved(softmax, -steps)), part, box).numpy()

    def snapshots(self, scan: Scan, box: Box) -> Iterator[npt.NDArray[np.float32]]:
        """The network itself: of a foreign training run no member was kept."""
        yield self.part(self.show(scan), box).softmax(dim=0).numpy()

    def show(self, scan: Scan) -> Shown:
        """Bring a scan (`activeseg.model.scan.grey_scan`) to what the network is shown."""
        if self._latest is None or self._latest[0] is not scan:
            frame = Frame.over(
                self.description.axes, self.description.pixdim, scan.shape, scan.spacing
            )
            image = frame.turned(torch.from_numpy(scan.channels))
            for transform in self._before:
                image = _plain(transform(image))
            image = frame.resampled(image)
            for transform in self._after:
                image = _plain(transform(image))
            self._latest = (scan, Shown(frame, image.float().contiguous()))
        return self._latest[1]

    def part(self, shown: Shown, box: Box) -> torch.Tensor:
        """Logits `[C, s, p, l]` of one part of a scan, without chance."""
        self.network.eval()
        part = shown.frame.around(box, self.description.window)
        return shown.frame.back(self.logits(shown.image[(slice(None), *part)]), part, box)

    def logits(self, image: torch.Tensor) -> torch.Tensor:
        """Logits `[C, ...]` of an image `[1, ...]` of any size, window by window."""
        inferer = SlidingWindowInferer(
            self.description.window,
            sw_batch_size=1,
            overlap=self.description.overlap,
            mode=self.description.blend,
        )
        with torch.inference_mode():
            found = inferer(
                image[None].float().to(self.device),
                lambda window: self.merged(self.network(window)),
            )
        return cast(torch.Tensor, found)[0].float().cpu().clone()

    def merged(self, outputs: torch.Tensor) -> torch.Tensor:
        """Logits `[N, C, ...]` of background and structures from the network's own outputs.

        Outputs without a structure are one background: the logit of several classes together is
        the logarithm of the sum of their exponentials.
        """
        if self._answers.channels == 1:
            if self._answers.probabilities:
                outputs = torch.logit(outputs, eps=1e-6)
            return torch.cat([torch.zeros_like(outputs), outputs], dim=1)
        if self._answers.probabilities:
            outputs = outputs.clamp(min=1e-6).log()
        others = [c for c in range(self._answers.channels) if c not in self._channels]
        background = outputs[:, others].logsumexp(dim=1, keepdim=True)
        return torch.cat([background, outputs[:, self._channels]], dim=1)

    def learning(self) -> None:
        """Switch dropout on, of any kind, also of TorchScript, and nothing else."""
        dropout_only(self.network)
        for layer in _scripted_dropout(self.network):
            layer.train()

    def _drops(self) -> bool:
        """Whether dropout makes two answers differ."""
        layers = [each for each in self.network.modules() if isinstance(each, _DropoutNd)]
        if not _scripted_dropout(self.network):
            return any(layer.p > 0 for layer in layers)
        # Whether the layers of a script listen can only be seen: those of a traced one do not.
        window = torch.ones((1, 1, *self.description.window), device=self.device)
        with seeded(0), torch.inference_mode():
            self.learning()
            first, second = self.network(window), self.network(window)
            self.network.eval()
        return not torch.equal(first, second)


def _scripted_dropout(network: nn.Module) -> list[nn.Module]:
    scripted = [m for m in network.modules() if isinstance(m, torch.jit.ScriptModule)]
    return [m for m in scripted if str(m.original_name).endswith(("Dropout", "Dropout3d"))]


def _transform(step: Step, where: str) -> transforms.Transform:
    """MONAI's transform of a step."""
    try:
        made: transforms.Transform = getattr(transforms, step.name)(**step.options)
    except (TypeError, ValueError) as error:
        said = " ".join(str(error).split())[:160]
        raise ModelError(f"{where}: {step.name} is not understood ({said})") from error
    return made


def _plain(values: torch.Tensor) -> torch.Tensor:
    """Without MONAI's tracking of where an image came from."""
    return torch.as_tensor(np.asarray(values))
