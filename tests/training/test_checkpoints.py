"""Checkpoints: every kind of optimizer goes on from one as if nothing had been."""

from __future__ import annotations

import numpy as np
import pytest

from cnnviz.network import Network
from cnnviz.training import SGD, Adam, AdamW, Trainer
from cnnviz.training.checkpoints import weights_of
from cnnviz.training.schedules import CosineDecay, PiecewiseConstantDecay
from harness.networks import conv, image, layer, normal

OPTIMIZERS = [
    SGD(0.05),
    SGD(0.05, momentum=0.9, nesterov=True, use_ema=True, ema_overwrite_frequency=3),
    SGD(PiecewiseConstantDecay([2, 4], [0.1, 0.05, 0.01])),
    Adam(0.01, amsgrad=True, clipnorm=0.5),
    AdamW(CosineDecay(0.01, 6, warmup_target=0.02, warmup_steps=2), global_clipnorm=1.0),
]


def network(dtype=np.float32):
    """With dropout and a batch normalisation called twice."""
    ones = np.ones(3, np.float32)
    kept = {"gamma": ones, "beta": 0 * ones, "moving_mean": 0 * ones, "moving_variance": ones}
    norm = layer("norm", "BatchNormalization", "conv", weights=kept)
    again = type(norm)(
        "norm:1", norm.kind, norm.config, norm.weights, ("drop",), owner="norm", trainable=norm.trainable
    )
    dense = {"kernel": normal(48, 3) / 4, "bias": np.zeros(3)}
    return Network(
        [
            image(5, 5, 2),
            conv("conv", "image", 2, 3, 2),
            norm,
            layer("drop", "Dropout", "norm", rate=0.3),
            again,
            layer("flat", "Flatten", "norm:1"),
            layer("dense", "Dense", "flat", weights=dense, units=3, activation="softmax"),
        ]
    ).astype(dtype)


def batches(count):
    random = np.random.default_rng(3)
    return [(random.random((6, 5, 5, 2)), random.integers(0, 3, 6)) for _ in range(count)]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_training_goes_on_to_the_bit(optimizer, dtype, tmp_path):
    path = tmp_path / "run.npz"
    whole = Trainer(network(dtype), optimizer, seed=4)
    for number, batch in enumerate(batches(6)):
        if number == 3:
            whole.save_checkpoint(path)
        whole.step(*batch)
    resumed = Trainer(network(dtype), optimizer, seed=4)
    resumed.load_checkpoint(path)
    assert resumed.steps == 3
    for batch in batches(6)[3:]:
        resumed.step(*batch)
    for key, array in weights_of(whole.network).items():
        assert array.tobytes() == weights_of(resumed.network)[key].tobytes(), key
    for key, slots in whole.state.slots.items():
        for name, array in slots.items():
            assert array.tobytes() == resumed.state.slots[key][name].tobytes(), (key, name)
    for key, array in weights_of(whole.averaged).items():
        assert array.tobytes() == weights_of(resumed.averaged)[key].tobytes(), key


def test_another_schedule_or_dtype_is_another_training(tmp_path):
    path = tmp_path / "run.npz"
    Trainer(network(), OPTIMIZERS[2]).save_checkpoint(path)
    with pytest.raises(ValueError, match=r"it is of a trainer with optimizer=SGD\(.*Piecewise"):
        Trainer(network(), SGD(PiecewiseConstantDecay([2], [0.1, 0.05]))).load_checkpoint(path)
    with pytest.raises(ValueError, match=r"it must hold weight:conv/kernel, float64"):
        Trainer(network(np.float64), OPTIMIZERS[2]).load_checkpoint(path)
    with pytest.raises(ValueError, match="must hold momentum:conv/kernel"):
        Trainer(network(), SGD(0.05, momentum=0.9)).load_checkpoint(path)
