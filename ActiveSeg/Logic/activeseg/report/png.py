"""PNG images of 8 bits a pixel, small enough to stand inside a page.

Format: PNG Specification, third edition (W3C), chapters 5 (chunks), 9 (filters) and 11 (IHDR,
PLTE, tRNS).
"""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
import numpy.typing as npt

__all__ = ["data_uri", "grey_png", "palette_png"]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _PALETTE = 0, 3


def grey_png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """A grey image.

    Args:
        pixels: `[H, W]`, 0 is black.
    """
    return _SIGNATURE + _header(pixels, _GREY) + _pixels(pixels) + _chunk(b"IEND", b"")


def palette_png(pixels: npt.NDArray[np.uint8], colours: npt.NDArray[np.uint8]) -> bytes:
    """An image of numbered colours, each with its own opacity.

    Args:
        pixels: `[H, W]` numbers of colours.
        colours: `[at most 256, 4]`: red, green, blue, opacity.
    """
    palette = _chunk(b"PLTE", colours[:, :3].tobytes()) + _chunk(b"tRNS", colours[:, 3].tobytes())
    return _SIGNATURE + _header(pixels, _PALETTE) + palette + _pixels(pixels) + _chunk(b"IEND", b"")


def data_uri(png: bytes) -> str:
    """An image as an address that holds the image itself."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _header(pixels: npt.NDArray[np.uint8], colour: int) -> bytes:
    height, width = pixels.shape
    return _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0))


def _pixels(pixels: npt.NDArray[np.uint8]) -> bytes:
    """The compressed rows, each with the filter that leaves the smallest differences."""
    here = pixels.astype(np.int16)
    left = np.pad(here, ((0, 0), (1, 0)))[:, :-1]
    up = np.pad(here, ((1, 0), (0, 0)))[:-1]
    predictions = {0: np.zeros_like(here), 1: left, 2: up, 3: (left + up) >> 1}
    rows = np.stack([(here - each).astype(np.uint8) for each in predictions.values()])
    cost = np.abs(rows.view(np.int8).astype(np.int16)).sum(axis=2)
    best = cost.argmin(axis=0)
    filtered = rows[best, np.arange(len(pixels))]
    types = np.array(list(predictions), dtype=np.uint8)[best]
    return _chunk(b"IDAT", zlib.compress(np.column_stack([types, filtered]).tobytes(), 9))
