"""A desk without MRML: what the flow needs to be tried, an array to paint on."""

from __future__ import annotations

import numpy as np

from activeseg_slicer.flow.desk import Sheet


class PlainDesk:
    """Keeps what is laid and painted, and every sheet that ever lay on it."""

    def __init__(self):
        self.sheet = None
        self.laid = []
        self._painted = None
        self._changed = False

    def lay(self, sheet: Sheet) -> None:
        self.sheet = sheet
        self.laid.append(sheet.key)
        self._painted = sheet.mask.copy()
        self._changed = False

    def mask(self):
        assert self.sheet is not None, "no slice is laid"
        return self._painted.copy()

    def fill(self, mask) -> None:
        assert self.sheet is not None, "no slice is laid"
        assert mask.shape == self._painted.shape
        self._painted = mask.astype(np.uint8)
        self._changed = True

    def changed(self) -> bool:
        found, self._changed = self._changed, False
        return found

    def clear(self) -> None:
        self.sheet = None
        self._painted = None
        self._changed = False

    def paint(self, value: int, corner: int = 0) -> None:
        """A stroke of 2 x 3 voxels."""
        self._painted[corner : corner + 2, 1:4] = value
        self._changed = True
