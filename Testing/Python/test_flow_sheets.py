"""What is put on the desk: image, mask to begin with, doubts, the accepted masks around."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from activeseg.cohort import take_slice
from activeseg.errors import ProjectError
from activeseg.keys import Plane, SliceKey
from activeseg.project.predictions import Prediction
from flow_project import KEYS, Person, flow_project, proposal, shape_of, tiny_cohort
from rounds_by_hand import scores

TOP = math.log(3)  # background, liver and spleen equally likely


def predicted(project, volume, number=0):
    """A prediction whose doubt is another in each voxel, from sure to as unsure as can be."""
    shape = tiny_cohort().volume(volume).geometry.shape
    entropy = np.linspace(0, TOP, math.prod(shape), dtype=np.float32).reshape(shape)
    made = Prediction(np.zeros(shape, np.uint8), entropy, scores("axial", [0]))
    made.write(project.round(number), volume, "a model")
    return entropy / TOP


@pytest.fixture
def project(tmp_path):
    return flow_project(tmp_path / "project", audits=[KEYS[1]])


@pytest.fixture
def ada(project):
    return Person(project, "ada")


@pytest.mark.parametrize("key", [KEYS[0], KEYS[2], KEYS[3]], ids=str)
def test_image_geometry_structures_and_doubts(project, ada, key):
    volume = tiny_cohort().volume(key.volume)
    unsure = predicted(project, key.volume)
    ada.session.open(key)
    sheet = ada.session.current
    np.testing.assert_array_equal(sheet.image, tiny_cohort().read_image(key.volume))
    assert (sheet.image.dtype, sheet.geometry) == (np.float32, volume.geometry)
    assert sheet.structures == project.structures
    assert sheet.entropy.shape == sheet.mask.shape == shape_of(key)
    expected = take_slice(unsure, volume.geometry, key.plane, key.index)
    np.testing.assert_allclose(sheet.entropy, expected, atol=0.5 / 255 + 1e-6)
    assert sheet.entropy.dtype == np.float32
    assert 0 <= sheet.entropy.min() < sheet.entropy.max() <= 1


def test_the_least_and_the_greatest_doubt_are_0_and_1(project, ada):
    """The highest stored value must not be a rounding above 1."""
    shape = tiny_cohort().volume("v00").geometry.shape
    entropy = np.full(shape, np.nextafter(np.float32(TOP), np.float32(9)), np.float32)
    entropy[0, 0, 0] = 0
    made = Prediction(np.zeros(shape, np.uint8), entropy, scores("axial", [0]))
    made.write(project.round(0), "v00", "a model")
    ada.session.open(replace(KEYS[0]))
    assert ada.session.current.entropy.max() == 1.0


def test_an_audit_is_laid_blank_and_without_doubts(project, ada):
    predicted(project, "v00")
    row = ada.session.open(KEYS[1])
    assert row.audit
    assert not ada.session.current.mask.any()
    assert ada.session.current.entropy is None
    ada.session.accept()
    shown = project.annotations()[KEYS[1]].shown
    assert (shown["audit"], shown["blank"]) == (True, True)
    assert shown["dice"] == {"liver": 0.0, "spleen": None}  # judged against what was held back
    # Its answer is shown when it is revised; the doubts still are not.
    ada.session.open(KEYS[1])
    ada.desk.paint(4)
    ada.session.accept()
    ada.session.open(KEYS[1])
    assert (ada.session.current.mask == 4).sum() == 6
    assert ada.session.current.entropy is None


def test_without_a_model_the_sheet_is_blank(tmp_path):
    project = flow_project(tmp_path / "other")
    project.round(0).proposals.unlink()
    ada = Person(project, "ada")
    ada.session.next()
    sheet = ada.session.current
    assert (sheet.mask.shape, sheet.mask.dtype) == (shape_of(KEYS[0]), np.uint8)
    assert not sheet.mask.any()
    assert sheet.entropy is None
    ada.session.accept()
    shown = project.annotations()[KEYS[0]].shown
    assert (shown["blank"], shown["dice"]) == (True, None)


def test_a_draft_comes_before_an_answer_and_that_before_the_proposal(project, ada):
    ada.session.open(KEYS[0])
    np.testing.assert_array_equal(ada.session.current.mask, proposal(KEYS[0]))
    answer = np.full(shape_of(KEYS[0]), 4, np.uint8)
    project.accept(KEYS[0], answer, "bob")
    ada.session.leave()
    ada.session.open(KEYS[0])
    np.testing.assert_array_equal(ada.session.current.mask, answer)
    ada.desk.paint(1)
    mine = ada.desk.mask()
    ada.session.leave()
    ada.session.open(KEYS[0])
    np.testing.assert_array_equal(ada.session.current.mask, mine)


def test_around_lie_the_accepted_masks_of_the_same_volume(project, ada):
    def accept(key, value):
        mask = np.full(shape_of(key), value, np.uint8)
        return project.accept(key, mask, "bob")

    other = SliceKey("v00", Plane.SAGITTAL, 1)
    accept(KEYS[0], 1)
    gone = accept(KEYS[1], 1)
    accept(other, 1)
    accept(KEYS[2], 4)  # of another volume
    accept(KEYS[0], 4)  # revised
    project.withdraw(gone, "bob")
    ada.session.open(KEYS[1])
    around = ada.session.current.around
    assert set(around) == {KEYS[0], other}
    assert (around[KEYS[0]] == 4).all()
    assert around[other].shape == shape_of(other)
    ada.session.open(KEYS[0])
    assert set(ada.session.current.around) == {other}


def test_accepted_masks_are_read_once(project, ada, monkeypatch):
    project.accept(KEYS[0], np.zeros(shape_of(KEYS[0]), np.uint8), "bob")
    read = []
    before = type(project).read_annotation
    monkeypatch.setattr(
        type(project), "read_annotation", lambda s, a: read.append(a.key) or before(s, a)
    )
    other = SliceKey("v00", Plane.AXIAL, 6)
    ada.session.open(KEYS[1])
    project.accept(other, np.zeros(shape_of(other), np.uint8), "bob")
    ada.session.open(KEYS[2])
    ada.session.open(KEYS[1])
    assert sorted(read) == [KEYS[0], KEYS[0], other]  # forgotten with the volume, then once each
    read.clear()
    ada.session.open(KEYS[0])
    ada.session.open(KEYS[1])
    assert read == [KEYS[0]]  # to be revised


def test_a_mask_that_was_changed_on_the_disk_is_named(project, ada):
    answer = project.accept(KEYS[0], np.zeros(shape_of(KEYS[0]), np.uint8), "bob")
    answer.image.write_bytes(b"something else")
    with pytest.raises(ProjectError, match="was changed after it was accepted"):
        ada.session.open(KEYS[1])
    assert ada.session.current is None
    assert project.working_on() == {}
