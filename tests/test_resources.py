"""Bundled files and atomic writes."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

import cnnviz
from cnnviz import resources
from cnnviz.resources import (
    app,
    asset,
    checksum,
    read_arrays,
    stated_arrays,
    write_arrays,
    write_atomically,
    write_together,
)


def test_bundled_files_are_found():
    assert asset("mnist.npz").is_file()
    assert app().is_file()


def test_a_wheel_looks_inside_the_package_and_a_clone_beside_it(tmp_path, monkeypatch):
    package = tmp_path / "cnnviz"
    package.mkdir()
    monkeypatch.setattr(resources, "_PACKAGE", package)
    assert asset("a.txt") == tmp_path / "assets" / "a.txt"
    (package / "assets").mkdir()
    assert asset("a.txt") == package / "assets" / "a.txt"


def writing(text):
    return lambda temporary: Path(temporary).write_text(text)


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path, umask, mode):
    path, before = tmp_path / "a.json", os.umask(umask)
    try:
        write_atomically(path, writing("new"))
    finally:
        os.umask(before)
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o640, 0o755, 0o666])
def test_a_file_that_is_replaced_keeps_its_mode_and_is_never_open_to_more(tmp_path, mode):
    path, seen = tmp_path / "a.json", []
    path.write_text("old")
    path.chmod(mode)

    def write(temporary):
        seen.append(stat.S_IMODE(os.stat(temporary).st_mode))
        Path(temporary).write_text("new")

    write_atomically(path, write)
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert seen == [0o600]


def test_the_owner_stays_and_a_group_that_cannot_be_kept_gets_nothing(tmp_path, monkeypatch):
    path, given = tmp_path / "a.json", []
    path.write_text("old")
    path.chmod(0o664)
    monkeypatch.setattr(os, "chown", lambda file, user, group: given.append((user, group)))
    write_atomically(path, writing("new"))
    assert given == [(-1, path.stat().st_gid), (path.stat().st_uid, -1)]

    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(os, "chown", refuse)
    write_atomically(path, writing("newer"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_links_are_followed(tmp_path):
    (tmp_path / "there").mkdir()
    target, link, chain = tmp_path / "there" / "a.json", tmp_path / "link.json", tmp_path / "chain.json"
    link.symlink_to(target)
    chain.symlink_to("link.json")
    for path, text in ((link, "through a link that leads nowhere yet"), (chain, "through two links")):
        write_atomically(path, writing(text))
        assert target.read_text() == text
        assert path.is_symlink()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.json", "chain.json", "link.json", "there"]
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(OSError, match=f"^cannot write loop in {tmp_path}: Too many levels of symbolic links"):
        write_atomically(loop, writing(""))
    assert loop.is_symlink()


def test_pipes_and_devices_are_written_to_and_stay(tmp_path):
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    write_atomically(pipe, writing("through the pipe" * 10_000))
    reader.join()
    assert got == ["through the pipe" * 10_000]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    null = tmp_path / "null"
    null.symlink_to(os.devnull)
    write_atomically(null, writing("nothing"))
    assert stat.S_ISCHR(null.stat().st_mode)
    assert sorted(tmp_path.iterdir()) == [null, pipe]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no device that is always full")
def test_a_full_device_is_said_and_stays():
    with pytest.raises(OSError, match=r"^cannot write full in /dev: No space left on device$"):
        write_atomically(Path("/dev/full"), writing("x"))
    assert stat.S_ISCHR(os.stat("/dev/full").st_mode)


@pytest.mark.parametrize("output", ["pipe", "file", "appended"])
def test_what_goes_to_the_programs_own_output_stands_between_its_lines(tmp_path, output):
    program = (
        "from pathlib import Path\nfrom cnnviz.resources import write_atomically\n"
        "print('before')\n"
        "write_atomically(Path('/dev/stdout'), lambda temporary: Path(temporary).write_text('between\\n'))\n"
        "print('after')\n"
    )
    file = tmp_path / "out.txt"
    file.write_text("first\n")
    with open(file, "a" if output == "appended" else "w") as opened:
        done = subprocess.run(
            [sys.executable, "-c", program],
            stdout=subprocess.PIPE if output == "pipe" else opened,
            check=True,
        )
    written = done.stdout.decode() if output == "pipe" else file.read_text()
    assert written == ("first\n" if output == "appended" else "") + "before\nbetween\nafter\n"


def test_a_file_that_may_not_be_written_is_not_replaced(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    path.write_text("old")
    path.chmod(0o444)
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)  # root may write anything.
    with pytest.raises(PermissionError, match=f"^cannot write a.json in {tmp_path}: it is write-protected$"):
        write_atomically(path, writing("new"))
    assert path.read_text() == "old"


@pytest.mark.parametrize("mode", [0o555, 0o000])
def test_a_folder_that_may_not_be_written_in_is_said(tmp_path, mode):
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(mode)
    user = os.geteuid()
    if user == 0:  # root may write anywhere.
        os.seteuid(65534)
    try:
        with pytest.raises(PermissionError, match=r"^cannot write a\.json in .*: Permission denied$"):
            write_atomically(folder / "a.json", writing("new"))
    finally:
        os.seteuid(user)
        folder.chmod(0o755)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["x" * 255, "ä" * 127, "." + "x" * 254, "[ab]*?.json", "\udcff.json", "a b\n.c"]
)
def test_any_name_that_a_file_may_have_is_written(tmp_path, name):
    path = tmp_path / name
    for text in ("old", "new"):
        write_atomically(path, writing(text))
        assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


def test_several_files_are_replaced_only_when_all_are_ready(tmp_path):
    paths = [tmp_path / name for name in ("a", "b", "c")]
    for path in paths:
        path.write_text("old")

    def fail(temporary):
        Path(temporary).write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), temporary)

    for broken in range(3):
        writes = {path: fail if i == broken else writing("new") for i, path in enumerate(paths)}
        with pytest.raises(
            OSError, match=f"^cannot write {paths[broken].name} in {tmp_path}: No space left on device$"
        ):
            write_together(writes)
        assert [path.read_text() for path in paths] == ["old"] * 3
    write_together({path: writing(path.name) for path in paths})
    assert [path.read_text() for path in paths] == ["a", "b", "c"]
    assert sorted(tmp_path.iterdir()) == paths


def test_what_a_killed_writer_left_goes_and_what_a_living_one_writes_stays(tmp_path):
    path, other = tmp_path / "a.json", tmp_path / "b.json"
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom cnnviz.resources import write_atomically\n"
        "def write(temporary):\n"
        "    print(temporary, flush=True)\n"
        "    sys.stdin.readline()\n"
        "    Path(temporary).write_text('theirs')\n"
        "write_atomically(Path(sys.argv[1]), write)\n"
    )
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        temporary = Path(os.fsdecode(writer.stdout.readline().rstrip()))
        write_atomically(path, writing("ours"))
        assert temporary.exists()
        writer.communicate(b"\n")
    assert writer.returncode == 0
    assert path.read_text() == "theirs"
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as writer:
        temporary = Path(os.fsdecode(writer.stdout.readline().rstrip()))
        writer.kill()
    assert temporary.exists()
    write_atomically(other, writing("other"))
    assert temporary.exists()
    write_atomically(path, writing("ours"))
    assert sorted(tmp_path.iterdir()) == [path, other]


def test_a_write_that_fails_changes_nothing(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("old")

    def fail(temporary):
        with open(temporary, "w") as file:
            file.write("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, fail)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_is_named_as_it_was_given(tmp_path):
    def never(temporary):
        raise AssertionError

    (tmp_path / "file").touch()
    for path, kind, message in (
        (
            tmp_path / "no" / "a.html",
            FileNotFoundError,
            f"there is no folder {tmp_path}/no to write a.html in",
        ),
        (tmp_path / "file" / "a.html", OSError, f"cannot write a.html in {tmp_path}/file: Not a directory"),
        (tmp_path, IsADirectoryError, f"{tmp_path} is a folder, not a file to write"),
    ):
        with pytest.raises(kind) as refused:
            write_atomically(path, never)
        assert str(refused.value) == message
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_arrays_are_read_as_they_were_written_and_have_a_checksum(tmp_path):
    path = tmp_path / "a.npz"
    write_arrays(path, {"x/y": np.arange(3), "n": np.array(5)})
    with np.load(path, allow_pickle=False) as archive:
        assert {name: archive[name].tolist() for name in archive.files} == {"x/y": [0, 1, 2], "n": 5}
    assert checksum(path) == hashlib.sha256(path.read_bytes()).hexdigest()


# Arrays -----------------------------------------------------------------------------------------


def lying(path, header, content=b"", name="x.npy"):
    """An .npz whose array says of itself what `header` says."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(name, "w") as file:
        np.lib.format.write_array_header_1_0(file, header)
        file.write(content)


def test_arrays_of_every_kind_are_read_as_numpy_reads_them(tmp_path):
    path = tmp_path / "a.npz"
    arrays = {
        "scalar": np.array(3.5),
        "empty": np.zeros((0, 4), np.float32),
        "layer/kernel:0": np.arange(24.0).reshape(2, 3, 4).transpose(2, 0, 1),
        "text": np.array(["a", "ß"]),
        "x.npy": np.array([True, False]),
        "big endian": np.arange(3, dtype=">i4"),
    }
    for write in (np.savez, np.savez_compressed):
        write(path, **arrays)
        ours = read_arrays(path)
        assert ours.keys() == arrays.keys()
        for name, array in arrays.items():
            assert ours[name].dtype == array.dtype
            np.testing.assert_array_equal(ours[name], array)
        stated = stated_arrays(path)
        assert {name: (stated[name].shape, stated[name].nbytes) for name in stated} == {
            name: (array.shape, array.nbytes) for name, array in arrays.items()
        }
    assert list(read_arrays(path, ["text"])) == ["text"]
    with pytest.raises(ValueError, match=r"^it has no y$"):
        read_arrays(path, ["y"])
    with pytest.raises(ValueError, match=r"^it holds arrays of 192 bytes, but at most 191 bytes are read$"):
        read_arrays(path, ["layer/kernel:0"], limit=191)


@pytest.mark.parametrize(
    ("shape", "dtype", "message"),
    [
        ((5 * 10**8, 28, 28), "|u1", r"should have 392,000,000,000 bytes, but has \d+$"),
        ((2**62, 2**62), "<f8", "should have"),
        ((10,), "|O", "x holds Python objects"),
        ((-5,), "|u1", "is not a sound .npz file"),
        (("a",), "|u1", "is not a sound .npz file"),
        ((3,), "nonsense", "is not a sound .npz file"),
    ],
)
def test_what_a_file_says_of_its_arrays_is_not_believed(tmp_path, shape, dtype, message):
    path = tmp_path / "a.npz"
    lying(path, {"shape": shape, "fortran_order": False, "descr": dtype}, b"\0" * 100)
    with pytest.raises(ValueError, match=message):
        read_arrays(path)


def test_what_is_no_archive_of_arrays_is_said(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.arange(1000))
    whole = path.read_bytes()
    for content in (b"", b"PK", whole[:200], whole[:-5], whole.replace(b"NUMPY", b"NVMPY"), whole[500:]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"^it is not a sound \.npz file: "):
            read_arrays(path)
    np.save(path.with_suffix(".npy"), np.arange(3))
    with pytest.raises(ValueError, match=r"is not a sound \.npz file: File is not a zip file"):
        read_arrays(path.with_suffix(".npy"))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "hello")
    with pytest.raises(ValueError, match=r"notes\.txt is no array"):
        read_arrays(path)
    with pytest.raises(FileNotFoundError):
        read_arrays(tmp_path / "none.npz")


def test_the_processor_has_a_name_of_one_line():
    name = resources.processor()
    assert name.strip() == name != ""
    assert "\n" not in name


def test_another_python_finds_this_package_and_nothing_of_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "numpy.py").write_text("raise SystemExit('the folder was searched')")
    monkeypatch.chdir(tmp_path)
    code = (
        "import os, cnnviz; from cnnviz.resources import address_space, limit_address_space as limit; "
        "limit(2**33); print(cnnviz.__file__, os.environ['GIVEN'], address_space() == 2**33)"
    )
    with resources.start_python("-c", code, environment={"GIVEN": "so"}, stdout=subprocess.PIPE) as process:
        words = process.communicate()[0].decode().split()
    assert words == [cnnviz.__file__, "so", "True"]
