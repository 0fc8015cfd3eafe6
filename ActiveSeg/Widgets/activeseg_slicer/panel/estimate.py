"""The plot of estimated Dice against minutes spent, and whether going on is worth it.

Drawn by lines, rectangles and texts alone, which PythonQt and PySide6 draw alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import qt

from activeseg_slicer.flow import Estimate, EstimatePoint
from activeseg_slicer.panel.i18n import _
from activeseg_slicer.panel.looks import Looks, looks_of

__all__ = ["EstimatePlot", "advice"]

WORTH_IT = 0.005
"""A rise of the mean Dice that is still worth ten minutes; below it the advice is to stop."""

HEIGHT = 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 14, 24, 22


@dataclass(frozen=True)
class _Axes:
    """From minutes and Dice to pixels."""

    width: int
    most: float
    low: float
    high: float

    def x(self, minutes: float) -> int:
        """Pixels from the left."""
        return _LEFT + round((self.width - _LEFT - _RIGHT) * minutes / self.most)

    def y(self, dice: float) -> int:
        """Pixels from the top."""
        part = (dice - self.low) / (self.high - self.low)
        return HEIGHT - _BOTTOM - round((HEIGHT - _TOP - _BOTTOM) * part)


class EstimatePlot:
    """Draws into a label of the panel.

    Args:
        plot: The label that shows the picture.
        text: The label that says what it means.
    """

    def __init__(self, plot: qt.QLabel, text: qt.QLabel) -> None:
        self._plot, self._text = plot, text
        self._shown: tuple[Estimate, int] | None = None
        self._estimate = Estimate((), None)

    def show(self, estimate: Estimate) -> None:
        """Show what is known."""
        self._estimate = estimate
        self._text.setText(advice(estimate))
        self.fit()

    def fit(self) -> None:
        """Draw anew if the estimate or the label's width has changed."""
        width = max(160, int(self._plot.property("width")))
        if self._shown != (self._estimate, width):
            self._shown = (self._estimate, width)
            self._plot.setPixmap(_picture(self._estimate.history, width, looks_of(self._plot)))


def advice(estimate: Estimate) -> str:
    """The latest estimate, and what ten more minutes are expected to bring."""
    if not estimate.history:
        return _("The quality is estimated once a model has been trained.")
    last = estimate.history[-1]
    text = _("Estimated Dice {dice:.2f} ({low:.2f}–{high:.2f} in 9 of 10 cases).").format(
        dice=last.dice, low=last.low, high=last.high
    )
    gain = estimate.next_gain
    if gain is None:
        return text
    if gain.high < WORTH_IT:
        more = _("You can stop: {minutes:g} more minutes are not expected to change it.")
    else:
        more = _("{minutes:g} more minutes: +{dice:.3f} ({low:.3f} to {high:.3f}).")
    values = {"minutes": gain.minutes, "dice": gain.dice, "low": gain.low, "high": gain.high}
    return f"{text} {more.format(**values)}"


def _picture(points: tuple[EstimatePoint, ...], width: int, looks: Looks) -> qt.QPixmap:
    """The whole plot."""
    pixmap = qt.QPixmap(width, HEIGHT)
    pixmap.fill(qt.QColor(looks.paper))
    painter = qt.QPainter()
    painter.begin(pixmap)
    lowest = min((point.low for point in points), default=0.0)
    axes = _Axes(
        width,
        most=1.1 * max((point.minutes for point in points), default=0.0) or 30.0,
        low=min(0.8, int(lowest * 5) / 5),  # a whole number of fifths
        high=1.0,
    )
    _draw_axes(painter, axes, looks)
    if points:
        _draw_points(painter, axes, points, looks)
    else:
        painter.setPen(qt.QColor(looks.text))
        painter.drawText(axes.x(0) + 12, axes.y((axes.low + axes.high) / 2), _("no estimate yet"))
    painter.end()
    return pixmap


def _draw_axes(painter: qt.QPainter, axes: _Axes, looks: Looks) -> None:
    """A grid with Dice on the left and minutes below."""
    left, right = axes.x(0), axes.width - _RIGHT
    grey, text = qt.QColor(looks.grid), qt.QColor(looks.text)
    step = 0.2 if axes.high - axes.low > 0.5 else 0.1
    for number in range(round((axes.high - axes.low) / step) + 1):
        dice = axes.low + step * number
        painter.setPen(grey)
        painter.drawLine(left, axes.y(dice), right, axes.y(dice))
        painter.setPen(text)
        painter.drawText(12, axes.y(dice) + 4, f"{dice:.1f}")
    base = axes.y(axes.low)
    for minutes in _ticks(axes.most):
        painter.setPen(grey)
        painter.drawLine(axes.x(minutes), base, axes.x(minutes), base + 4)
        painter.setPen(text)
        painter.drawText(axes.x(minutes) - (3 if minutes < 10 else 7), base + 16, f"{minutes:g}")
    painter.drawText(12, 14, _("Dice against minutes of annotation"))


def _ticks(most: float) -> list[float]:
    """Round minutes, five or six of them."""
    step = next((s for s in (1, 2, 5, 10, 20, 30, 60, 120, 240) if most / s <= 6), 480)
    return [float(k * step) for k in range(int(most / step) + 1)]


def _draw_points(
    painter: qt.QPainter, axes: _Axes, points: tuple[EstimatePoint, ...], looks: Looks
) -> None:
    """The interval as a band, the estimates as dots on a line."""
    band, line = qt.QColor(looks.band), qt.QColor(looks.line)
    painter.setPen(band)
    _each_column(axes, points, _painting_band(painter, band))
    painter.setPen(line)
    for first, second in pairwise(points):
        for shift in (0, 1):
            painter.drawLine(
                axes.x(first.minutes),
                axes.y(first.dice) + shift,
                axes.x(second.minutes),
                axes.y(second.dice) + shift,
            )
    for point in points:
        painter.fillRect(axes.x(point.minutes) - 3, axes.y(point.dice) - 3, 7, 7, line)


def _painting_band(painter: qt.QPainter, colour: qt.QColor) -> Callable[[int, int, int], None]:
    def paint(x: int, top: int, bottom: int) -> None:
        painter.fillRect(x, top, 1, max(1, bottom - top), colour)

    return paint


def _each_column(
    axes: _Axes, points: tuple[EstimatePoint, ...], paint: Callable[[int, int, int], None]
) -> None:
    """Tell the band's top and bottom in each column of pixels; a single point gets a bar."""
    if len(points) == 1:
        for x in range(axes.x(points[0].minutes) - 2, axes.x(points[0].minutes) + 3):
            paint(x, axes.y(points[0].high), axes.y(points[0].low))
    for first, second in pairwise(points):
        start, end = axes.x(first.minutes), axes.x(second.minutes)
        for x in range(start, end + 1):
            part = (x - start) / max(1, end - start)
            high = first.high + (second.high - first.high) * part
            low = first.low + (second.low - first.low) * part
            paint(x, axes.y(high), axes.y(low))
