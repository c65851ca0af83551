"""Names of classes, from every form in which they come."""

from __future__ import annotations

import json

import pytest

from cnnviz.images.class_names import MAX_BYTES, class_names

NAMES = ["tench", "goldfish", "great white shark"]

FORMS = {
    "names.txt": "\n".join(NAMES) + "\n",
    "windows.txt": "\ufeff" + "\r\n".join(NAMES) + "\r\n\r\n",
    "list.json": json.dumps(NAMES),
    "object.json": json.dumps({str(2 - i): name for i, name in enumerate(reversed(NAMES))}),
    "imagenet.json": json.dumps({str(i): [f"n{i:08}", name] for i, name in enumerate(NAMES)}),
    "json.txt": json.dumps(NAMES, indent=1),
}


@pytest.mark.parametrize("name", FORMS)
def test_files_of_names(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(FORMS[name].encode())
    for source in (path, str(path)):
        assert class_names(source, 3) == NAMES


def test_lists_mappings_and_folders(tmp_path):
    assert class_names(NAMES) == class_names(tuple(NAMES)) == class_names(dict(enumerate(NAMES))) == NAMES
    assert class_names([7, "b"]) == ["7", "b"]
    for name in ("dogs", "Cats", ".git", "b-10", "b-9"):
        (tmp_path / name).mkdir()
    (tmp_path / "readme.txt").touch()
    # As Python sorts, and with it Keras: capitals first, and digits one by one.
    assert class_names(tmp_path) == ["Cats", "b-10", "b-9", "dogs"]


BAD = {
    "two.txt": ("a\nb\n", "must have one name for each of the network's 3 classes, got 2"),
    "blank.txt": ("a\n\nc\n", "must have a name for class 1, got ''"),
    "empty.txt": ("", "has no names"),
    "gap.json": ('{"0": "a", "2": "b"}', "must number its 2 classes from 0: there is no 1"),
    "number.json": ("7", "must be a list of names, or name them by number, got 7"),
    "nested.json": ('["a", {"b": 1}, "c"]', "must have a name for class 1, got {'b': 1}"),
    "true.json": ('["a", true, "c"]', "must have a name for class 1, got True"),
    "broken.json": ('["a", ', "is not JSON"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_said(name, tmp_path):
    content, message = BAD[name]
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=f"{name} {message}"):
        class_names(tmp_path / name, 3)


def test_a_file_that_holds_none(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(b"\x89PNG\xff")
    with pytest.raises(ValueError, match="must be a text or JSON file in UTF-8"):
        class_names(path)
    path.write_bytes(b"a\n" * (MAX_BYTES // 2 + 1))
    with pytest.raises(ValueError, match="larger than 10 MB"):
        class_names(path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="has no sub-folders, whose names would be the classes"):
        class_names(tmp_path / "empty")
    with pytest.raises(FileNotFoundError):
        class_names(tmp_path / "nothing.txt")
