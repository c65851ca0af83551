"""The data of training: one fixed split, and files of one's own."""

from __future__ import annotations

import numpy as np
import pytest

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
        ({"x_train": X / 255, "y_train": Y}, r"x_train must be uint8 \(N, 28, 28\), got float64"),
        ({"x_train": X[:, :5], "y_train": Y}, r"got uint8 \(200, 5, 28\)"),
        ({"x_train": X, "y_train": Y[:5]}, r"y_train must be 200 integers, got uint8 \(5,\)"),
        ({"x_train": X, "y_train": Y + 9}, "y_train must be digits 0..9, got 9 to 18"),
        ({"x_train": np.array([None]), "y_train": Y}, "is not an npz file with x_train and y_train"),
    ):
        np.savez(path, **arrays)
        with pytest.raises(DataError, match=message):
            read_data(path)
