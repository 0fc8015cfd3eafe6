"""Arrays kept by what they follow from: whole or not there, for anybody at once."""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activeseg.project.feature_cache import VARIABLE, FeatureCache, project_cache, user_cache

ARRAYS = {"a b": np.arange(6, dtype=np.float32).reshape(2, 3), "c": np.array([True, False])}


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(tmp_path / "deep" / "cache")


def only_file(cache: FeatureCache) -> Path:
    (file,) = cache.folder.iterdir()
    return file


def check_same(found: dict[str, np.ndarray] | None) -> None:
    assert found is not None
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array)


def test_what_was_kept_comes_back_by_the_same_words_alone(cache: FeatureCache) -> None:
    assert cache.read("slices", "x", 1) is None
    cache.keep(ARRAYS, "slices", "x", 1)
    check_same(cache.read("slices", "x", 1))
    for words in (("slices", "x", 2), ("slices", "x"), ("slices", 1, "x"), ("screening", "x", 1)):
        assert cache.read(*words) is None


@given(data=st.data())
def test_a_damaged_file_is_not_there(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    cache = FeatureCache(tmp_path_factory.mktemp("cache"))
    cache.keep(ARRAYS, "slices", "x")
    file = only_file(cache)
    content = bytearray(file.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[place] ^= data.draw(st.integers(1, 255))
    else:
        del content[place:]
    file.write_bytes(content)
    assert cache.read("slices", "x") is None
    cache.keep(ARRAYS, "slices", "x")
    check_same(cache.read("slices", "x"))


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = FeatureCache(tmp_path / "file" / "cache")
    cache.keep(ARRAYS, "slices", "x")
    assert cache.read("slices", "x") is None


def test_several_at_once_read_it_whole_or_not_at_all(cache: FeatureCache) -> None:
    def work(number: int) -> None:
        for _ in range(20):
            if number % 2:
                cache.keep(ARRAYS, "slices", "x")
            found = cache.read("slices", "x")
            if found is not None:
                check_same(found)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    check_same(cache.read("slices", "x"))
    assert len(list(cache.folder.iterdir())) == 1


def test_what_nobody_used_for_long_is_removed(cache: FeatureCache) -> None:
    for word in ("old", "used", "new"):
        cache.keep(ARRAYS, "slices", word)
    long_ago = time.time() - 91 * 24 * 3600
    stranger = cache.folder / "notes.txt"
    killed = cache.folder / ".tmp-1-ab-slices"
    for file in (stranger, killed):
        file.write_text("")
    for file in cache.folder.iterdir():
        os.utime(file, (long_ago, long_ago))
    cache.keep(ARRAYS, "slices", "new")
    check_same(cache.read("slices", "used"))  # which makes it young again
    cache.tidy()
    assert cache.read("slices", "old") is None
    check_same(cache.read("slices", "used"))
    check_same(cache.read("slices", "new"))
    assert stranger.exists()
    assert not killed.exists()
    FeatureCache(cache.folder / "none").tidy()


@pytest.mark.parametrize(
    ("platform", "variables", "place"),
    [
        ("linux", {}, "{home}/.cache/activeseg"),
        ("linux", {"XDG_CACHE_HOME": "{home}/xdg"}, "{home}/xdg/activeseg"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "{home}/.cache/activeseg"),
        ("darwin", {"XDG_CACHE_HOME": "{home}/xdg"}, "{home}/Library/Caches/activeseg"),
        ("win32", {}, "{home}/AppData/Local/activeseg"),
        ("win32", {"LOCALAPPDATA": "{home}/local"}, "{home}/local/activeseg"),
        ("linux", {VARIABLE: "{home}/mine"}, "{home}/mine"),
    ],
)
def test_the_users_folder(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    platform: str,
    variables: dict[str, str],
    place: str,
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for name in (VARIABLE, "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(home=tmp_path))
    assert user_cache() == FeatureCache(Path(place.format(home=tmp_path)))
    assert project_cache(tmp_path) == FeatureCache(tmp_path / "cache")


def test_both_can_be_switched_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "off")
    assert user_cache() is None
    assert project_cache(tmp_path) is None


def test_who_has_no_home_has_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("no home")

    monkeypatch.delenv(VARIABLE)
    monkeypatch.setattr(Path, "home", homeless)
    assert user_cache() is None
