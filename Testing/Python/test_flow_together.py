"""Two people, crashes and new batches in any order: nothing painted or accepted is ever lost."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from activeseg.errors import AnnotationError
from activeseg.keys import Plane, SliceKey
from activeseg.project import Project, project_status
from activeseg_slicer.flow import State
from flow_project import KEYS, Person, ask, flow_project, proposal, shape_of

NAMES = st.sampled_from(["ada", "bob"])
ANY_KEY = st.sampled_from(KEYS)
LATER = [KEYS[1], SliceKey("v02", Plane.AXIAL, 3)]


class Together(RuleBasedStateMachine):
    """What each person painted last on each slice is known here, and must be found again."""

    def __init__(self):
        super().__init__()
        self.folder = Path(mkdtemp())
        self.project = flow_project(self.folder / "project", audits=KEYS[2:3])
        self.people = {name: Person(self.project, name) for name in ("ada", "bob")}
        self.answers = {}  # image -> mask, for ever
        self.spent = 0.0
        self.strokes = {}  # (who, key) -> mask and seconds, until answered
        self.rounds = 1

    def teardown(self):
        for person in self.people.values():
            person.session.leave()
        shutil.rmtree(self.folder)

    def current(self, name):
        sheet = self.people[name].session.current
        return None if sheet is None else sheet.key

    def held_by_others(self, name, key):
        claim = self.project.holder(key)
        return claim is not None and claim.author != name

    def note_answer(self, name, key, mask, seconds):
        """An acceptance has just been written."""
        newest = self.project.history(key)[-1]
        assert newest.image not in self.answers
        assert (newest.author, newest.seconds) == (name, seconds)
        self.answers[newest.image] = mask
        self.spent += seconds
        self.strokes.pop((name, key), None)

    def check_laid(self, name):
        """What lies there now is what this person painted last, and the seconds with it."""
        person, key = self.people[name], self.current(name)
        if key is None:
            assert person.desk.sheet is None
            return
        assert person.desk.sheet.key == key
        found = self.strokes.get((name, key))
        if found is not None:
            np.testing.assert_array_equal(person.desk.mask(), found[0])
            assert person.session.clock.seconds == found[1]
        else:
            answers = self.project.history(key)
            blank = np.zeros(shape_of(key), np.uint8)
            first = blank if key == KEYS[2] else proposal(key)
            expected = self.answers[answers[-1].image] if answers else first
            np.testing.assert_array_equal(person.desk.mask(), expected)
            assert person.session.clock.seconds == 0.0

    @rule(name=NAMES)
    def next(self, name):
        before = self.current(name)
        row = self.people[name].session.next()
        if row is None:
            assert self.current(name) == before
        else:
            assert row.key != before
            self.check_laid(name)

    @rule(name=NAMES, key=ANY_KEY)
    def open(self, name, key):
        before = self.current(name)
        if self.held_by_others(name, key):
            try:
                self.people[name].session.open(key)
            except AnnotationError:
                assert self.current(name) == before
                return
            raise AssertionError(f"{key} is another's")
        self.people[name].session.open(key)
        assert self.current(name) == key
        if key != before:
            self.check_laid(name)

    @rule(
        name=NAMES,
        value=st.sampled_from([0, 1, 4]),
        corner=st.integers(0, 4),
        seconds=st.integers(1, 30),
    )
    def paint(self, name, value, corner, seconds):
        key, person = self.current(name), self.people[name]
        if key is not None:
            person.work(float(seconds), value, corner)
            self.strokes[name, key] = (person.desk.mask(), person.session.clock.seconds)

    @rule(name=NAMES, empty=st.booleans())
    def accept(self, name, empty):
        key, person = self.current(name), self.people[name]
        if key is None:
            return
        mask = np.zeros(shape_of(key), np.uint8) if empty else person.desk.mask()
        seconds = person.session.clock.seconds
        row = person.session.nothing_here() if empty else person.session.accept()
        self.note_answer(name, key, mask, seconds)
        assert (row is None) == (self.current(name) is None)
        self.check_laid(name)

    @rule(name=NAMES)
    def skip(self, name):
        key = self.current(name)
        if key is not None:
            self.people[name].session.skip("why")
            self.strokes.pop((name, key), None)
            self.check_laid(name)

    @rule(name=NAMES)
    def back(self, name):
        before = self.current(name)
        try:
            row = self.people[name].session.back()
        except AnnotationError:
            assert self.current(name) == before
            return
        if row is not None:
            assert row.key != before
            self.check_laid(name)

    @rule(name=NAMES)
    def undo(self, name):
        person, before = self.people[name], self.current(name)
        standing = {each.image for each in self.project.all_annotations()}
        try:
            row = person.session.undo()
        except AnnotationError:
            assert self.current(name) == before
            return
        if row is None:
            return
        (gone,) = standing - {each.image for each in self.project.all_annotations()}
        if row.key == before:  # its strokes, if any, lie there as they are
            mask, seconds = person.desk.mask(), person.session.clock.seconds
            self.strokes[name, row.key] = (mask, seconds)
        else:
            self.strokes.setdefault((name, row.key), (self.answers[gone], 0.0))
            self.check_laid(name)

    @rule(name=NAMES)
    def leave(self, name):
        self.people[name].session.leave()
        assert self.current(name) is None

    @rule(name=NAMES)
    def crash(self, name):
        """The timer saves, the application goes, a new one starts."""
        self.people[name].session.autosave()
        self.people[name] = Person(Project.open(self.project.folder), name)

    @precondition(lambda self: self.rounds < 3)
    @rule()
    def new_batch(self):
        ask(self.project, self.rounds, LATER)
        self.rounds += 1

    @invariant()
    def nobody_works_on_the_slice_of_another(self):
        laid = [self.current(name) for name in self.people]
        assert len({key for key in laid if key}) == len([key for key in laid if key])
        for name in self.people:
            key = self.current(name)
            if key is not None:
                assert self.project.holder(key).author == name

    @invariant()
    def every_answer_is_there_voxel_for_voxel(self):
        found = {each.image: each for each in self.project.acceptances()}
        assert found.keys() == self.answers.keys()
        for image, answer in found.items():
            np.testing.assert_array_equal(self.project.read_annotation(answer), self.answers[image])
        spent = project_status(self.project)["minutes_spent"]
        np.testing.assert_allclose(spent, self.spent / 60)

    @invariant()
    def all_strokes_are_on_a_desk_or_in_a_draft(self):
        for (name, key), (mask, seconds) in self.strokes.items():
            if self.current(name) == key:
                np.testing.assert_array_equal(self.people[name].desk.mask(), mask)
                continue
            draft = self.project.read_draft(key, name)
            np.testing.assert_array_equal(draft.mask, mask)
            assert draft.seconds == seconds
            drafted = [row.key for row in self.people[name].session.look().rows]
            assert key in drafted

    @invariant()
    def the_table_says_who_is_where(self):
        for name, person in self.people.items():
            rows = {row.key: row for row in person.session.look().rows}
            current = [key for key, row in rows.items() if row.state is State.CURRENT]
            assert current == [key for key in [self.current(name)] if key]
            for key, row in rows.items():
                if row.state is State.TAKEN:
                    assert self.current(row.who) == key or self.project.holder(key)


TestTogether = Together.TestCase
TestTogether.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
