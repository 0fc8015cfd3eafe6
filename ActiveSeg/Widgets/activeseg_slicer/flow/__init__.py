"""One person's work on a project, without Qt, MRML or VTK: a face shows it and calls it."""

from __future__ import annotations

from activeseg_slicer.flow.clock import IDLE_S, Clock, clock_text
from activeseg_slicer.flow.desk import Desk, Sheet
from activeseg_slicer.flow.meanwhile import Meanwhile, Order
from activeseg_slicer.flow.rows import Estimate, EstimatePoint, Gain, Look, Progress, Row, State
from activeseg_slicer.flow.session import Session

__all__ = [
    "IDLE_S",
    "Clock",
    "Desk",
    "Estimate",
    "EstimatePoint",
    "Gain",
    "Look",
    "Meanwhile",
    "Order",
    "Progress",
    "Row",
    "Session",
    "Sheet",
    "State",
    "clock_text",
]
