"""The clock of a slice, second by second, by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activeseg_slicer.flow import IDLE_S, Clock


class Time:
    """A moment that tests move."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def pass_(self, seconds):
        self.now += seconds


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def clock(time):
    return Clock(time)


def test_it_counts_between_start_and_stop(time, clock):
    time.pass_(50)
    assert (clock.seconds, clock.started, clock.counting) == (0.0, False, False)
    clock.start()
    time.pass_(12.5)
    assert (clock.seconds, clock.started, clock.counting) == (12.5, True, True)
    assert clock.stop() == 12.5
    time.pass_(30)
    assert (clock.seconds, clock.started, clock.counting) == (12.5, False, False)
    clock.start()
    assert clock.seconds == 0.0


def test_it_goes_on_from_what_was_worked_before(time, clock):
    clock.start(40.0)
    assert clock.seconds == 40.0
    time.pass_(5)
    assert clock.stop() == 45.0


def test_a_minute_without_a_sign_of_life_counts_and_no_more(time, clock):
    clock.start()
    time.pass_(IDLE_S - 1)
    assert clock.counting
    time.pass_(1)
    assert not clock.counting
    time.pass_(3600)
    assert clock.seconds == IDLE_S
    clock.touch()  # back from lunch
    assert clock.counting
    time.pass_(10)
    assert clock.seconds == IDLE_S + 10
    assert clock.stop() == IDLE_S + 10


def test_signs_of_life_keep_it_counting(time, clock):
    clock.start()
    for _ in range(10):
        time.pass_(IDLE_S / 2)
        clock.touch()
    assert clock.stop() == 5 * IDLE_S


def test_a_pause_counts_nothing_and_input_does_not_end_it(time, clock):
    clock.start()
    time.pass_(10)
    clock.pause()
    assert clock.paused
    time.pass_(20)
    clock.touch()
    time.pass_(20)
    assert (clock.seconds, clock.counting) == (10.0, False)
    clock.resume()
    assert not clock.paused
    time.pass_(3)
    assert clock.stop() == 13.0


def test_in_the_background_nothing_counts(time, clock):
    clock.start()
    time.pass_(10)
    clock.background(True)
    time.pass_(20)
    clock.touch()  # an event that was still on its way
    time.pass_(20)
    assert clock.seconds == 10.0
    clock.background(False)
    time.pass_(5)
    assert clock.stop() == 15.0


def test_coming_to_the_front_does_not_end_a_pause_nor_resuming_the_background(time, clock):
    clock.start()
    clock.pause()
    clock.background(True)
    clock.background(False)
    time.pass_(10)
    assert clock.seconds == 0.0
    clock.background(True)
    clock.resume()
    time.pass_(10)
    assert clock.seconds == 0.0
    clock.background(False)
    time.pass_(10)
    assert clock.seconds == 10.0


def test_a_slice_opened_in_the_background_waits_and_one_opened_in_a_pause_ends_it(time, clock):
    clock.background(True)
    clock.start()
    time.pass_(10)
    assert clock.seconds == 0.0
    clock.background(False)
    clock.pause()
    clock.start()
    time.pass_(10)
    assert clock.seconds == 10.0


def test_between_slices_nothing_starts_it(time, clock):
    clock.start()
    time.pass_(4)
    clock.stop()
    clock.touch()
    clock.pause()
    clock.resume()
    clock.background(True)
    clock.background(False)
    time.pass_(10)
    assert clock.seconds == 4.0


CALLS = ["touch", "pause", "resume", "front", "behind", "look"]


@given(st.lists(st.tuples(st.floats(0, 300), st.sampled_from(CALLS)), max_size=30))
def test_seconds_never_fall_and_never_outrun_the_time(steps):
    time = Time()
    clock = Clock(time)
    clock.start(7.0)
    begun, seen = time.now, 7.0
    for seconds, call in steps:
        time.pass_(seconds)
        if call in ("front", "behind"):
            clock.background(call == "behind")
        elif call != "look":
            getattr(clock, call)()
        assert seen - 1e-6 <= clock.seconds <= 7.0 + time.now - begun + 1e-6
        seen = clock.seconds
    assert clock.stop() == seen
