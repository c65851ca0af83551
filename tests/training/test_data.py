"""The data of training: one fixed split, and files of one's own."""

from __future__ import annotations

import os
import zipfile

import numpy as np
import pytest
from PIL import Image

from cnnviz import Layer, Network
from cnnviz.images.mnist import DataError, load_mnist
from cnnviz.training import VALIDATION_IMAGES, read_data, split

X, Y = (part[:200] for part in load_mnist()[0])


def test_the_split_is_fixed_disjoint_and_whole():
    (images, labels) = load_mnist()[0]
    numbers = np.arange(len(labels))
    (kept, _), (held_out, _) = split(numbers, labels)
    assert (len(kept), len(held_out)) == (55_000, VALIDATION_IMAGES)
    assert sorted([*kept, *held_out]) == numbers.tolist()
    assert held_out[:5].tolist() == split(numbers, labels)[1][0][:5].tolist()
    (a, a_labels), (b, b_labels) = split(images, labels)
    np.testing.assert_array_equal(a[7], images[kept[7]])
    assert a_labels[7] == labels[kept[7]]
    assert b_labels[7] == labels[held_out[7]]
    assert b.shape == (5_000, 28, 28)


def test_data_of_ones_own_is_read_and_checked(tmp_path):
    path = tmp_path / "own.npz"
    np.savez(path, x_train=X, y_train=Y)
    images, labels = read_data(path)
    np.testing.assert_array_equal(images, X)
    np.testing.assert_array_equal(labels, Y)
    for arrays, message in (
        ({"x_train": X}, "is not an npz file with x_train and y_train"),
        (
            {"x_train": X / 255, "y_train": Y},
            r"x_train must be uint8 or float32 \(N, 28, 28\) or \(N, 28, 28, 1\), got float64",
        ),
        (
            {"x_train": np.where(X.max() == X, np.float32(np.nan), X), "y_train": Y},
            "x_train must be finite numbers, got NaN or infinite ones",
        ),
        ({"x_train": X[:, :5], "y_train": Y}, r"got uint8 \(200, 5, 28\)"),
        ({"x_train": X, "y_train": Y[:5]}, r"y_train must be 200 integers, got uint8 \(5,\)"),
        ({"x_train": X, "y_train": Y + 9}, r"labels must be classes 0\.\.9, got 9 to 18 in .*own\.npz"),
        ({"x_train": np.array([None]), "y_train": Y}, "is not an npz file with x_train and y_train"),
    ):
        np.savez(path, **arrays)
        with pytest.raises(DataError, match=message):
            read_data(path)


def test_what_is_no_such_file_is_said(tmp_path):
    np.save(tmp_path / "x.npy", X)
    with pytest.raises(
        DataError, match=r"x\.npy is not an npz file with x_train and y_train: .*not a zip file"
    ):
        read_data(tmp_path / "x.npy")
    with pytest.raises(DataError, match=r"^cannot read .*none\.npz: No such file or directory$"):
        read_data(tmp_path / "none.npz")
    with pytest.raises(DataError, match=r"^cannot read .*: Is a directory$"):
        read_data(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="it is a pipe, not a file"):
        read_data(tmp_path / "pipe")


def test_arrays_are_judged_by_their_headers(tmp_path, monkeypatch):
    """Nothing of 392 GB is asked for, whether they are only said to be there or would really unpack."""
    path = tmp_path / "own.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, shape in (("x_train", (500_000_000, 28, 28)), ("y_train", (500_000_000,))):
            with archive.open(f"{name}.npy", "w") as file:
                header = {"shape": shape, "fortran_order": False, "descr": "|u1"}
                np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(DataError, match=r"x_train .* should have 392,000,000,000 bytes, but has 128$"):
        read_data(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("x_train.npy", "w") as file:
            header = {"shape": (10**5, 29, 28), "fortran_order": False, "descr": "|u1"}
            np.lib.format.write_array_header_1_0(file, header)
            for _ in range(100):
                file.write(bytes(29 * 28 * 1000))
        with archive.open("y_train.npy", "w") as file:
            np.lib.format.write_array(file, np.zeros(10**5, np.uint8))
    monkeypatch.setattr(np.lib.format, "read_array", None)
    with pytest.raises(
        DataError,
        match=r"x_train must be uint8 or float32 \(N, 28, 28\) or \(N, 28, 28, 1\), got uint8 \(100000, 29,",
    ):
        read_data(path)


def test_a_network_says_which_images_it_takes(tmp_path):
    layers = [
        Layer.from_config("image", "InputLayer", {"batch_shape": (None, 8, 8, 3)}),
        Layer.from_config("pool", "GlobalAveragePooling2D", {}, inputs=("image",)),
        Layer.from_config("dense", "Dense", {"units": 2, "activation": "softmax"}, inputs=("pool",)),
    ]
    net = Network(layers, seed=0)
    with pytest.raises(DataError, match=r"MNIST's digits do not fit an input \(8, 8, 3\)"):
        read_data(None, net)
    path = tmp_path / "own.npz"
    x, y = np.zeros((4, 8, 8, 3), np.uint8), np.array([0, 1, 1, 0])
    np.savez(path, x_train=x, y_train=y)
    assert read_data(path, net)[0].shape == x.shape
    np.savez(path, images=x + 51, labels=y)
    images, labels = read_data(path, net)
    assert (images.dtype, images.max(), labels.tolist()) == (np.float32, np.float32(0.2), [0, 1, 1, 0])
    np.savez(path, x_train=x, y_train=y + 1)
    with pytest.raises(DataError, match=r"labels must be classes 0\.\.1, got 1 to 2"):
        read_data(path, net)
    for name, shade in (("cat", 0), ("dog", 255)):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        Image.new("RGB", (16, 12), (shade,) * 3).save(tmp_path / "pictures" / name / "1.png")
    images, labels = read_data(tmp_path / "pictures", net)
    assert images.shape == (2, 8, 8, 3)
    assert images.mean((1, 2, 3)).tolist() == [0, 1] == labels.tolist()
    (tmp_path / "pictures" / "cat" / "2.png").write_bytes(b"nothing")
    told: list[tuple] = []
    again = read_data(
        tmp_path / "pictures",
        net,
        progress=lambda *done: told.append(done),
        skip=lambda *one: told.append(one),
    )
    np.testing.assert_array_equal(again[0], images)
    assert again[1].tolist() == [0, 1]
    assert told == [(3, 3), ("cat/2.png", "the file is not a PNG, JPEG, WebP or GIF image")]
    (tmp_path / "pictures" / "cat" / "1.png").replace(tmp_path / "pictures" / "1.png")
    for left in ("cat", "dog"):
        for file in (tmp_path / "pictures" / left).iterdir():
            file.unlink()
        (tmp_path / "pictures" / left).rmdir()
    with pytest.raises(DataError, match="nothing says which class each image is of"):
        read_data(tmp_path / "pictures", net)


def test_of_few_images_a_tenth_is_held_out():
    (kept, _), (held, _) = split(np.arange(57), np.arange(57))
    assert (len(kept), len(held)) == (52, 5)
    with pytest.raises(ValueError, match="at least two images are needed"):
        split(np.arange(1), np.arange(1))
