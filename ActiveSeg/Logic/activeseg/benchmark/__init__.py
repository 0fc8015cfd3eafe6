"""Arms against each other on one cohort: paired seeds, learning curves in minutes, statistics.

The protocol is fixed (docs/benchmark.md), so that nobody tunes it to win.
"""
