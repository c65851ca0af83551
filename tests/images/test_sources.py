"""Many images: folders as Keras reads them, archives, arrays; read one by one, bad files left out."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from PIL import Image

from cnnviz.images import sources
from cnnviz.images.image_files import MAX_BYTES, ImageError
from cnnviz.images.sources import LoadedImages, open_images
from harness.authority import keras

RNG = np.random.default_rng(0)


def picture(path, side=12):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path):
    for name in (
        "dog/b.png",
        "dog/a.jpg",
        "Cat/deep/c.png",
        "Cat/z.png",
        "Cat/10.png",
        "Cat/9.png",
        "emu/e.gif",
    ):
        picture(tmp_path / name)
    (tmp_path / "dog" / "notes.txt").write_text("woof")
    (tmp_path / "classes.txt").write_text("Cat\ndog\nemu\n")
    return tmp_path


def test_a_folder_is_read_as_keras_reads_it(folder):
    theirs = keras.utils.image_dataset_from_directory(
        folder, image_size=(12, 12), shuffle=False, batch_size=None, interpolation="nearest", verbose=False
    )
    ours = LoadedImages(open_images(folder), (12, 12, 3), "none")
    assert list(ours.source.classes) == theirs.class_names
    names = [path.removeprefix(f"{folder}/") for path in theirs.file_paths]
    assert ours.source.names == names
    images, labels = zip(*theirs.as_numpy_iterator(), strict=True)
    assert ours.source.labels.tolist() == list(labels)
    for name, image, wanted in zip(names, ours, images, strict=True):
        # Decoders of JPEG differ by a few grey levels.
        np.testing.assert_allclose(image, wanted, atol=0 if not name.endswith("jpg") else 8, err_msg=name)


def test_what_is_passed_over_is_said(folder):
    (folder / "dog" / ".hidden.png").touch()
    (folder / ".cache").mkdir()
    source = open_images(folder)
    assert [(skipped.name, skipped.why) for skipped in source.skipped] == [
        ("dog/notes.txt", "not the name of an image"),
        ("classes.txt", "in no class's folder"),
    ]
    assert source.said == f"{folder.name}: 7 images in 3 classes, 2 other files passed over"


def test_a_file_that_cannot_be_read_is_left_out(folder):
    (folder / "dog" / "a.jpg").write_bytes(b"\xff\xd8\xff broken")
    images = LoadedImages(open_images(folder), (8, 8, 3), "unit")
    for _ in range(2):
        batches = list(images.batches(4))
        assert [len(batch.images) for batch in batches] == [4, 2]
        assert [name for batch in batches for name in batch.names] == [
            name for name in images.source.names if name != "dog/a.jpg"
        ]
        assert np.concatenate([batch.labels for batch in batches]).tolist() == [0, 0, 0, 0, 1, 2]
        assert [skipped.name for skipped in images.skipped] == ["dog/notes.txt", "classes.txt", "dog/a.jpg"]
        assert "damaged" in images.skipped[-1].why or "not a PNG" in images.skipped[-1].why
    with pytest.raises(ImageError):
        images[images.source.names.index("dog/a.jpg")]


def test_where_nothing_can_be_read_it_is_an_error(folder):
    for path in folder.rglob("*.png"):
        path.unlink()
    for path in [*folder.rglob("*.jpg"), *folder.rglob("*.gif")]:
        path.write_bytes(b"broken")
    images = LoadedImages(open_images(folder), (8, 8, 3), "unit")
    assert "2 images in 3 classes" in images.said
    assert "the first cannot be read: the file is not" in images.said
    with pytest.raises(ImageError, match=r"no image can be read in .* emu/e.gif: the file is not"):
        list(images.batches())
    for missing in (folder / "nothing", folder / "nothing.png", ""):
        with pytest.raises(ImageError, match=r"cannot read images from .*: No such file or directory"):
            open_images(missing)


def test_a_folder_without_classes(tmp_path):
    for name in ("b.png", "a.png"):
        picture(tmp_path / name)
    source = open_images(tmp_path)
    assert (source.names, source.labels, source.classes) == (["a.png", "b.png"], None, None)
    assert next(LoadedImages(source, (8, 8, 3), "unit").batches()).labels is None


@pytest.mark.parametrize(
    ("limit", "words"),
    [("MOST_PICTURES", "more than 3 pictures"), ("MOST_OTHERS", "more than 3 files and folders that are no")],
)
def test_a_folder_that_is_no_collection_of_pictures_is_counted_first(folder, monkeypatch, limit, words):
    for i in range(4):
        (folder / "dog" / f"{i}.txt").touch()
    monkeypatch.setattr(sources, limit, 3)
    monkeypatch.setattr(sources, "_files", None)
    with pytest.raises(ImageError, match=f"{words}.*: name the folder that holds the pictures"):
        open_images(folder)


def test_links_that_lead_in_a_circle_end(folder):
    """Links to classes are followed, as Keras does, and none in them."""
    (folder / "loop").symlink_to(folder)
    (folder / "dog" / "loop").symlink_to(folder)
    source = open_images(folder)
    assert source.classes is not None
    assert "loop" in source.classes
    assert max(name.count("loop") for name in source.names) == 1
    assert len(source) == 14


def test_what_takes_long_is_told(folder, monkeypatch):
    told, seconds = [], iter(range(0, 2000, 2))
    for i in range(1200):
        (folder / "dog" / f"{i}.txt").touch()
    monkeypatch.setattr(sources.time, "monotonic", lambda: 0)
    open_images(folder, progress=lambda *so_far: told.append(so_far))
    assert not told
    monkeypatch.setattr(sources.time, "monotonic", lambda: next(seconds))
    open_images(folder, progress=lambda *so_far: told.append(so_far))
    assert [total for _, total in told[:2]] == [0, 0]
    assert all(done % 500 == 0 for done, _ in told)
    assert told[-1][1] > 1200


def test_at_most_so_many_of_all_classes(folder):
    source = open_images(folder, limit=3)
    assert source.labels.tolist() == [0, 0, 2]
    assert source.said.endswith("3 of them taken, evenly spread")
    assert len(open_images(folder, limit=100)) == 7
    for limit in (0, -1, True):
        with pytest.raises(ValueError, match="limit must be a positive whole number"):
            open_images(folder, limit)


def test_archives(tmp_path):
    x, y = RNG.integers(0, 256, (5, 9, 9), dtype=np.uint8), np.arange(5)
    for names in (("x", "y"), ("images", "labels"), ("x_test", "y_test"), ("arr_0", "arr_1")):
        path = tmp_path / f"{names[0]}.npz"
        np.savez(path, **{names[0]: x, names[1]: y[:, None], "other": y})
        source = open_images(path)
        np.testing.assert_array_equal(LoadedImages(source, (9, 9), "none")[3], x[3])
        assert source.labels.tolist() == y.tolist()
    np.savez(tmp_path / "only.npz", x=x)
    assert open_images(tmp_path / "only.npz").labels is None
    np.save(tmp_path / "x.npy", x)
    assert len(open_images(tmp_path / "x.npy")) == 5


def test_arrays_lists_and_single_images(folder):
    assert [len(open_images(np.zeros(shape))) for shape in ((4, 9, 9, 3), (4, 9, 9), (9, 9, 3), (9, 9))] == [
        4,
        4,
        1,
        1,
    ]
    mixed = [folder / "dog" / "b.png", np.zeros((9, 7)), Image.new("RGB", (3, 3))]
    source = open_images(mixed)
    assert source.names == ["b.png", "1", "2"]
    assert [image.shape for image in LoadedImages(source, (5, 5, 3), "tf")] == [(5, 5, 3)] * 3
    assert open_images(folder / "dog" / "b.png").names == ["b.png"]
    assert len(open_images(Image.new("RGB", (3, 3)))) == len(open_images(b"")) == 1


def test_sizes_that_differ_are_batches_of_their_own(tmp_path):
    for name, side in (("a.png", 8), ("b.png", 8), ("c.png", 9)):
        picture(tmp_path / name, side)
    batches = LoadedImages(open_images(tmp_path), (None, None, 3), "unit").batches()
    assert [batch.images.shape for batch in batches] == [(2, 8, 8, 3), (1, 9, 9, 3)]


def test_a_folder_takes_the_room_of_a_batch(tmp_path):
    for i in range(24):
        picture(tmp_path / f"{i:02}.png", 256)
    images = LoadedImages(open_images(tmp_path), (256, 256, 3), "unit")
    next(images.batches(2))
    tracemalloc.start()
    assert sum(len(batch.images) for batch in images.batches(2)) == 24
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # A file's bytes are read into a buffer of the most that it may have; beside it are two batches of two
    # images, each as pixels too, and the one that is being read.
    image = 256 * 256 * 3 * (4 + 1)
    assert peak < MAX_BYTES + 6 * image < 24 * image


BAD = {
    "no images": (lambda path: path, "there is no image in"),
    "no archive": (lambda path: write(path / "a.npz", b"hello"), "is not a NumPy file of images"),
    "pickled": (lambda path: np.save(path / "a.npy", np.array([{}])), "is not a NumPy file of images"),
    "no images inside": (
        lambda path: np.savez(path / "a.npz", z=1),
        "must hold images under x_test, .* holds z",
    ),
    "labels": (
        lambda path: np.savez(path / "a.npz", x=np.zeros((3, 8, 8)), y=np.zeros(4, int)),
        "one whole number as label for each of its 3 images",
    ),
    "vectors": (lambda path: np.save(path / "a.npy", np.zeros(8)), r"must be images \(N, H, W\)"),
    "missing": (lambda path: path / "nothing.npz", "cannot read images from .* No such file"),
}


def write(path, content):
    path.write_bytes(content)


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_source_is_refused(name, tmp_path):
    make, message = BAD[name]
    made = make(tmp_path)
    source = made or next(tmp_path.iterdir())
    with pytest.raises(ImageError, match=message):
        open_images(source)
