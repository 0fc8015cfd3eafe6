"""A synthetic cohort made in code: CT-like and MR-like volumes with reference labels."""

from __future__ import annotations

from activeseg.phantom.anatomy import PHANTOM_STRUCTURES
from activeseg.phantom.cohort import PhantomVolume, make_volume, write_phantom

__all__ = ["PHANTOM_STRUCTURES", "PhantomVolume", "make_volume", "write_phantom"]
