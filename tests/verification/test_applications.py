"""The networks of keras.applications: small ones of many kinds; `cnnviz supported` compares them all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings

from cnnviz.verification.applications import applications, check_application

THOROUGH = settings.get_current_profile_name() == "thorough"
NAMES = ["DenseNet121", "ConvNeXtTiny", "EfficientNetB0", "MobileNet"]
"""Every layer class that the others have is in one of them."""


@pytest.mark.parametrize("name", [*NAMES, *(["MobileNetV2", "ResNet50V2"] if THOROUGH else [])])
def test_every_layer_is_within_its_bound(name):
    check = check_application(name)
    assert not check.problem
    assert check.passed, check
    assert check.share > 0, "no number was rounded differently: nothing was compared"
    # Through all layers numbers stay so large that differences show, and so small that none overflows.
    assert check.outputs[0] > 1e-2
    assert check.outputs[1] < 1e4


def test_all_networks_are_listed():
    names = applications()
    assert len(names) >= 38
    assert {"VGG16", "NASNetLarge", "InceptionResNetV2", "MobileNetV3Small", "ConvNeXtXLarge"} <= set(names)


def test_weights_that_are_too_large_are_skipped_before_they_are_saved(monkeypatch):
    monkeypatch.setattr("cnnviz.verification.applications.MOST_BYTES", 2**20)
    check = check_application("MobileNet")
    assert not check.passed
    assert check.problem.startswith("skipped: weights of 12,956,456 bytes")
    assert np.isinf(check.share)


def test_a_name_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match=r"keras\.applications has no network 'VGG1'"):
        check_application("VGG1")
