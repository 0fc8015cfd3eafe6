"""Files are whole or not there."""

from __future__ import annotations

import os
import threading
import time

import pytest

from activeseg import files


def test_a_file_is_made_and_replaced(tmp_path):
    target = tmp_path / "a.json"
    files.write_atomic(target, b"one")
    assert target.read_bytes() == b"one"
    files.write_atomic(target, b"two")
    assert target.read_bytes() == b"two"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_the_temporary_name_is_a_sibling_with_all_suffixes(tmp_path):
    with files.atomic_path(tmp_path / "case.seg.nrrd") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(f".tmp-{os.getpid()}-")
        assert temporary.suffixes[-2:] == [".seg", ".nrrd"]
        assert not (tmp_path / "case.seg.nrrd").exists()
        temporary.write_bytes(b"x")


def test_two_writers_of_one_file_have_different_temporary_names(tmp_path):
    with files.atomic_path(tmp_path / "a") as first, files.atomic_path(tmp_path / "a") as second:
        assert first != second
        first.write_bytes(b"1")
        second.write_bytes(b"2")
    assert (tmp_path / "a").read_bytes() == b"1"  # the outer block ends last


def test_a_failed_writer_changes_nothing(tmp_path):
    target = tmp_path / "a"
    target.write_bytes(b"old")

    def fail(failure):
        with files.atomic_path(target) as temporary:
            temporary.write_bytes(b"half")
            raise failure

    for failure in (RuntimeError, KeyboardInterrupt):
        with pytest.raises(failure):
            fail(failure)
        assert target.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [target]


def test_a_writer_that_wrote_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), files.atomic_path(tmp_path / "a"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_is_written_is_synced_before_it_takes_its_name(tmp_path, monkeypatch):
    steps = []
    sync, replace = os.fsync, os.replace

    def record_sync(descriptor):
        steps.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")
        sync(descriptor)

    def record_replace(source, target):
        steps.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", record_sync)
    monkeypatch.setattr(os, "replace", record_replace)
    files.write_atomic(tmp_path / "a", b"x")
    if os.path.isdir("/proc/self/fd"):
        assert steps == ["file", "rename", "folder"]
    else:
        assert steps[1] == "rename"


def test_a_reader_never_sees_a_part(tmp_path):
    target = tmp_path / "a"
    contents = {bytes([n]) * 100_000 for n in range(8)}
    files.write_atomic(target, b"\0" * 100_000)
    done = threading.Event()

    def write():
        for content in sorted(contents) * 3:
            files.write_atomic(target, content)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        assert target.read_bytes() in contents
    writer.join()


def test_json_comes_back_and_is_readable_by_people(tmp_path):
    value = {"name": "Milz – größer", "list": [1, 2.5, None, True]}
    files.write_json(tmp_path / "a.json", value)
    assert files.read_json(tmp_path / "a.json") == value
    assert "größer" in (tmp_path / "a.json").read_text(encoding="utf-8")


def test_json_that_other_programs_cannot_read_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="Out of range"):
        files.write_json(tmp_path / "a.json", {"dice": float("nan")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"null"])
def test_what_is_no_json_object_is_refused(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ValueError, match=r".+"):
        files.read_json(tmp_path / "a.json")


def test_of_many_creators_one_wins(tmp_path):
    target = tmp_path / "claim"
    results = []
    barrier = threading.Barrier(8)

    def create(number):
        barrier.wait()
        results.append((files.create_exclusive(target, b"%d" % number), number))

    threads = [threading.Thread(target=create, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [number for won, number in results if won]
    assert len(results) == 8
    assert len(winners) == 1
    assert target.read_bytes() == b"%d" % winners[0]


def test_a_folder_is_made_with_those_above_it_and_may_exist(tmp_path):
    deep = tmp_path / "a" / "b" / "c"
    files.make_folder(deep)
    files.make_folder(deep)
    assert deep.is_dir()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file"):
        files.make_folder(tmp_path / "file" / "below")


def test_a_relative_folder_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files.make_folder(files.Path("a/b"))
    assert (tmp_path / "a" / "b").is_dir()


def test_only_old_temporary_files_are_swept(tmp_path):
    deep = tmp_path / "annotations" / "v"
    deep.mkdir(parents=True)
    old, young, other = deep / ".tmp-1-aa-x.nrrd", deep / ".tmp-2-bb-y", deep / "kept.json"
    for file in (old, young, other):
        file.write_bytes(b"x")
    hour_ago = time.time() - 3600
    os.utime(old, (hour_ago, hour_ago))
    os.utime(other, (hour_ago, hour_ago))
    assert files.sweep_temporary(tmp_path, older_than_s=1800) == 1
    assert sorted(file.name for file in deep.iterdir()) == [".tmp-2-bb-y", "kept.json"]
    assert files.sweep_temporary(tmp_path / "nowhere", older_than_s=0) == 0
