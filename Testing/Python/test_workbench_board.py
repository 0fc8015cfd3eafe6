"""What the page is told, without a page: the worklist, the slice, and the card over the views."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("slicer", reason="needs slicer-core (pip install trame-slicer)")
pytest.importorskip("trame_slicer", reason="needs trame-slicer (pip install trame-slicer)")

from activeseg.project import skip
from activeseg_slicer.flow import Row, State
from activeseg_web.board import Board
from activeseg_web.facts import row_facts, slice_facts
from flow_project import KEYS, Person, ask, flow_project
from rounds_by_hand import suggestion

SENTENCE = "random: expected Dice 0.61 (0.45 to 0.77), outline is uncertain; correct, about 0.7 min"


class PageState(SimpleNamespace):
    """In place of trame's."""

    def update(self, values):
        vars(self).update(values)


@pytest.fixture
def project(tmp_path):
    return flow_project(tmp_path / "project")


@pytest.fixture
def ada(project):
    return Person(project, "ada")


def card(ada):
    state = PageState()
    Board(state, ada.session.project, "ada").show_project(ada.session, ada.session.look())
    return state.card


def test_the_engines_sentence_is_shown_whole():
    asked = suggestion(KEYS[0], 3, dice=0.61, minutes=0.7, reason=SENTENCE)
    row = Row.of(KEYS[0], asked, State.OPEN, "")
    line = row_facts(row)
    assert (line["why"], line["minutes"], line["word"]) == (SENTENCE, "0.7 min", "")
    assert line["spoken"] == f"Number 3. v00, axial 2. {SENTENCE}"
    assert slice_facts(row)["why"] == SENTENCE


def test_a_draft_that_no_batch_asks_for_says_so():
    row = Row.of(KEYS[0], None, State.DRAFT, "")
    assert slice_facts(row)["why"] == "your draft of an earlier batch"
    line = row_facts(row)
    assert (line["rank"], line["minutes"]) == ("·", "")
    assert line["spoken"] == "Begun earlier. v00, axial 2. draft"
    assert slice_facts(None) is None


def test_the_card_says_what_there_is_to_do(project, ada):
    assert card(ada) == "waiting"
    ada.session.next()
    assert card(ada) == ""
    for key in KEYS[:2]:
        skip(project, key, "ada")
    bob = Person(project, "bob")
    bob.session.open(KEYS[2])
    ada.session.open(KEYS[3])
    ada.session.accept()
    assert card(ada) == "taken"
    bob.session.accept()
    bob.session.leave()
    assert card(ada) == "answered"


def test_a_draft_of_an_earlier_batch_does_not_wait_for_next(project, ada):
    """Else the form for the next batch could not be reached."""
    ada.session.next()
    ada.work(5.0, value=4)
    ask(project, 1, [KEYS[1]])
    ada.session.next()
    assert ada.session.accept() is None
    assert [str(row.state) for row in ada.session.look().rows] == ["accepted", "draft"]
    assert card(ada) == "answered"
