"""Volumes and doubts from the disk, the next ones read before anybody asks for them."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from activeseg.keys import SliceKey
from activeseg.project import Project, load_ahead
from activeseg.project.predictions import read_prediction

__all__ = ["Reading"]

Floats = npt.NDArray[np.float32]
Name = TypeVar("Name", bound=Hashable)
Thing = TypeVar("Thing")

KEPT = 3
"""Volumes that stay in memory: the one on the desk, the next, and the one before."""


class Reading:
    """Reads whole volumes, keeps the last few, and reads one ahead in a thread of its own.

    Args:
        project: The project.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._images: _Shelf[str, Floats] = _Shelf(project.cohort.read_image)
        self._entropies: _Shelf[tuple[int, str], Floats | None] = _Shelf(self._read_entropy)
        self._thread: ThreadPoolExecutor | None = None

    def image(self, volume: str) -> Floats:
        """The intensities `[k, j, i]` of a volume, in native axes.

        Raises:
            CohortError: If the file cannot be used, also where it was read ahead.
        """
        return self._images.take(volume)

    def entropy(self, round_number: int, volume: str) -> Floats | None:
        """How unsure a round's model is of each voxel `[k, j, i]`, in native axes.

        Returns:
            From 0 (sure) to 1 (all classes equally likely); None where the round has no model.

        Raises:
            ProjectError: If the file is damaged, also where it was read ahead.
        """
        return self._entropies.take((round_number, volume))

    def ahead_of(self, following: Sequence[SliceKey], but: str) -> None:
        """Begin to read the next volume after the one on the desk.

        Args:
            following: The slices that are likely to be laid, in this order.
            but: The id of the volume on the desk.

        Raises:
            ProjectError: If a batch is damaged.
        """
        key = next((each for each in following if each.volume != but), None)
        if key is not None:
            asked = self._project.asked(key)
            self.ahead(key.volume, asked[0].round if asked is not None else None)

    def ahead(self, volume: str, round_number: int | None) -> None:
        """Begin to read a volume that will be asked for next.

        Args:
            volume: The volume's id.
            round_number: The round whose doubts are going to be shown; None for none.
        """
        thread = self._reader()
        self._images.fetch(volume, thread)
        if round_number is not None:
            self._entropies.fetch((round_number, volume), thread)

    def rest(self) -> None:
        """End the thread; what it reads at the moment it finishes, the next call starts another."""
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
            self._thread = None

    def _reader(self) -> ThreadPoolExecutor:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="activeseg-reading")
            self._thread.submit(load_ahead)
        return self._thread

    def _read_entropy(self, which: tuple[int, str]) -> Floats | None:
        number, volume = which
        found = read_prediction(self._project.round(number), volume)
        if found is None:
            return None
        most = np.float32(math.log(len(self._project.structures) + 1))
        unsure: Floats = np.minimum(found.entropy / most, np.float32(1))
        return unsure


class _Shelf(Generic[Name, Thing]):
    """The things that were used or fetched last; only the caller's thread touches the shelf."""

    def __init__(self, read: Callable[[Name], Thing]) -> None:
        self._read = read
        self._kept: OrderedDict[Name, Future[Thing]] = OrderedDict()

    def take(self, name: Name) -> Thing:
        """What was asked for; read now, waited for, or there already."""
        future = self._kept.pop(name, None)
        if future is None or future.cancel():  # cancelled: it was still behind another
            future = Future()
            future.set_result(self._read(name))
        found = future.result()  # a failure is raised here and forgotten: the file may be mended
        self._keep(name, future)
        return found

    def fetch(self, name: Name, thread: ThreadPoolExecutor) -> None:
        """Begin to read it, unless it is there or on its way."""
        if name not in self._kept:
            self._keep(name, thread.submit(self._read, name))

    def _keep(self, name: Name, future: Future[Thing]) -> None:
        self._kept[name] = future
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)[1].cancel()
