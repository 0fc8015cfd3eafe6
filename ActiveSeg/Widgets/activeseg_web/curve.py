"""The estimated Dice against the minutes spent, as inline SVG without any script."""

from __future__ import annotations

from activeseg_slicer.flow import Estimate, EstimatePoint

__all__ = ["curve_svg"]

_WIDTH, _HEIGHT = 460, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 16, 12, 34
_STEPS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
_MOST_TICKS = 6


def curve_svg(estimate: Estimate) -> str:
    """Draw the estimates of all rounds, each with its interval.

    Args:
        estimate: What was estimated after each round.

    Returns:
        An ``<svg>`` whose colours are the page's; empty without any estimate.
    """
    points = estimate.history
    if not points:
        return ""
    step = _step(max(point.minutes for point in points))
    ticks = max(1, -(-max(point.minutes for point in points) // step))
    across = _Axis(0.0, step * ticks, _LEFT, _WIDTH - _RIGHT)
    up = _Axis(0.0, 1.0, _HEIGHT - _BOTTOM, _TOP)
    parts = [_grid(across, up, step, int(ticks))]
    if len(points) > 1:
        parts.append(_band(points, across, up))
        line = " ".join(f"{across(p.minutes):.1f},{up(p.dice):.1f}" for p in points)
        parts.append(f'<polyline class="curve-line" points="{line}"/>')
    parts += [_point(point, across, up) for point in points]
    return (
        f'<svg class="curve" role="img" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'aria-label="{_spoken(points)}">{"".join(parts)}</svg>'
    )


class _Axis:
    """From numbers to pixels."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self._low, self._scale, self._start = low, (end - start) / (high - low), start

    def __call__(self, value: float) -> float:
        return self._start + (value - self._low) * self._scale


def _step(most: float) -> float:
    return next((step for step in _STEPS if most / step <= _MOST_TICKS), most / _MOST_TICKS)


def _grid(across: _Axis, up: _Axis, step: float, ticks: int) -> str:
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    parts = []
    for tenth in range(0, 11, 2):
        y = up(tenth / 10)
        parts.append(f'<path class="curve-grid" d="M{_LEFT} {y:.1f}H{right}"/>')
        parts.append(_text(_LEFT - 7, y + 4, f"{tenth / 10:.1f}", "end"))
    for tick in range(ticks + 1):
        parts.append(_text(across(tick * step), bottom + 16, f"{tick * step:g}", "middle"))
    parts.append(_text((_LEFT + right) / 2, _HEIGHT - 3, "minutes of annotation", "middle"))
    return "".join(parts)


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def _band(points: tuple[EstimatePoint, ...], across: _Axis, up: _Axis) -> str:
    upper = [f"{across(p.minutes):.1f},{up(p.high):.1f}" for p in points]
    lower = [f"{across(p.minutes):.1f},{up(p.low):.1f}" for p in reversed(points)]
    return f'<polygon class="curve-band" points="{" ".join(upper + lower)}"/>'


def _point(point: EstimatePoint, across: _Axis, up: _Axis) -> str:
    x = across(point.minutes)
    spoken = f"{point.minutes:.0f} min: {point.dice:.2f} ({point.low:.2f}–{point.high:.2f})"
    return (
        f'<path class="curve-whisker" d="M{x:.1f} {up(point.low):.1f}V{up(point.high):.1f}"/>'
        f'<circle class="curve-point" cx="{x:.1f}" cy="{up(point.dice):.1f}" r="4">'
        f"<title>{spoken}</title></circle>"
    )


def _spoken(points: tuple[EstimatePoint, ...]) -> str:
    said = [f"{p.dice:.2f} after {p.minutes:.0f} minutes" for p in points]
    return f"Estimated Dice: {', '.join(said)}"
