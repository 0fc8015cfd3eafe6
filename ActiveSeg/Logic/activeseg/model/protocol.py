"""What the loop asks of a segmentation model, whatever network is behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from activeseg.keys import Plane
from activeseg.model.fusion import Fusion
from activeseg.model.scan import Box, Scan
from activeseg.model.stored import stored_labels

__all__ = ["Box", "Sampled", "SegmentationModel", "View"]


class Sampled(NamedTuple):
    """What some stochastic passes say together, in the box of a view.

    Attributes:
        labels: The likeliest class `[s, p, l]` of each pass.
        mean: Their mean softmax `[C, s, p, l]`.
        entropy: The mean of their entropies `[s, p, l]`, in nats.
    """

    labels: Sequence[npt.NDArray[np.uint8]]
    mean: npt.NDArray[np.float32]
    entropy: npt.NDArray[np.float32]


class View(NamedTuple):
    """What a model sees of a scan from one side, in the box where it sees anything.

    Attributes:
        plane: The plane in which it looks; None for a model that sees the volume at once.
        softmax: `[C, s, p, l]`.
        box: The part of the scan, the same for all views; outside it all is background.
        energy: Free energy `[s, p, l]`, -log sum over the classes of exp(logit), in nats: high
            where the scan is unlike what the model learned from (Liu et al., NeurIPS 2020). None
            where the model answers with probabilities and not logits.
        sides: Labels `[s, p, l]` of each side output of the network; none if it has none.
        passes: What stochastic passes say that came with it; None without any.
        beside: Whether it is another network's than the views before it (`Fusion`).
    """

    plane: Plane | None
    softmax: npt.NDArray[np.float32]
    box: Box
    energy: npt.NDArray[np.float32] | None = None
    sides: Sequence[npt.NDArray[np.uint8]] = ()
    passes: Sampled | None = None
    beside: bool = False


class SegmentationModel(Protocol):
    """A model that says, for each voxel, how probable each structure is.

    Channel 0 is the background, channel ``n`` the n-th structure of the project.

    Attributes:
        sources: Where its samples can come from: `dropout`, `full-dropout`, `augmented`,
            `snapshots`.
        sees_grey: Whether it is shown grey values as they are in the file (Hounsfield units for
            CT), as it brings them into its own range itself.
    """

    sources: frozenset[str] = frozenset({"dropout", "full-dropout", "augmented", "snapshots"})
    sees_grey: bool = False

    def grid(self, scan: Scan) -> Scan:
        """The scan on the grid on which this model should be asked; the scan itself, as a rule."""
        return scan

    def probabilities(self, scan: Scan) -> npt.NDArray[np.float32]:
        """Softmax `[C, S, P, L]` of the whole scan, without chance."""
        ...

    def views(self, scan: Scan, passes: int = 0, seed: int = 0) -> Iterator[View]:
        """The scan as seen in one plane after the other, or as a volume, or both.

        Args:
            scan: The scan.
            passes: How many stochastic passes the views should bring along, evenly; a model of
                which a pass costs as much as a view brings none.
            seed: Fixes the passes.
        """
        ...

    def labels(self, scan: Scan) -> npt.NDArray[np.uint8]:
        """The class of each stored voxel `[S, P, L]`, by what the views say together."""
        grid, fusion = self.grid(scan), Fusion()
        for view in self.views(grid):
            box = view.box
            fusion.add(view.softmax, view.beside)
        settled = self.settled(fusion.softmax(), grid)
        return stored_labels(settled, box, grid, self.handicaps(settled))

    def settled(self, softmax: npt.NDArray[np.float32], scan: Scan) -> npt.NDArray[np.float32]:
        """What the model proposes, of what its views say together `[C, s, p, l]`.

        Args:
            softmax: In the views' box; it is used up.
            scan: The scan, on this model's grid.
        """
        return softmax

    def handicaps(self, settled: npt.NDArray[np.float32]) -> npt.NDArray[np.float32] | None:
        """What each class's probabilities are multiplied by before the likeliest is taken, `[C]`.

        None for 1 each: a model from elsewhere labels as it would there.

        Args:
            settled: `[C, s, p, l]` what `settled` gave.
        """
        return None

    def samples(
        self, scan: Scan, passes: int, seed: int, box: Box
    ) -> Iterator[npt.NDArray[np.float32]]:
        """Stochastic softmax maps `[C, s, p, l]` of one part of the scan, one pass at a time.

        Where the model looks in several planes, each pass may look in one of them, in turn.

        Args:
            scan: The scan.
            passes: How many samples.
            seed: Fixes the samples.
            box: The part of the scan that is sampled.
        """
        ...

    def augmented(
        self, scan: Scan, passes: int, seed: int, box: Box
    ) -> Iterator[npt.NDArray[np.float32]]:
        """As `samples`, but the chance is in the image: test-time augmentation."""
        ...

    def snapshots(self, scan: Scan, box: Box) -> Iterator[npt.NDArray[np.float32]]:
        """One softmax map `[C, s, p, l]` of each member kept from the training run."""
        ...
