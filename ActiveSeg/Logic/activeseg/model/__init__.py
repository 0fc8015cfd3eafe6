"""The segmentation model: what it must offer, the built-in network, its training.

Importing this package loads no torch; its modules `network`, `inference` and `training` do.
"""

from activeseg.model.protocol import Box, SegmentationModel, View
from activeseg.model.scan import Scan, make_scan

__all__ = ["Box", "Scan", "SegmentationModel", "View", "make_scan"]
