"""Digits as one HTML file: what `cnnviz export` writes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cnnviz.images.digit_preparation import prepare_digit
from cnnviz.images.image_files import read_image
from cnnviz.images.ink import LARGEST
from cnnviz.images.mnist import load_mnist
from cnnviz.network import Network, Run
from cnnviz.network.keras_file import load_model
from cnnviz.stage.guided_walk import Walk, open_walk
from cnnviz.stage.live_view import LiveView
from cnnviz.stage.packing import FILE_BYTES
from cnnviz.stage.scene import Scene, build_scene


def export(
    output: str | os.PathLike[str],
    image: str | os.PathLike[str] | None = None,
    *,
    model: str = "mnist_14k",
    digits: Sequence[int] = (),
) -> Path:
    """Write the live view of an image, of MNIST test digits, or of both, as a single HTML file.

    Parameters
    ----------
    output
        The file to write.
    image
        A PNG, JPEG, WebP or GIF file with one digit, prepared as MNIST was; None leaves it out.
    model
        A bundled name, or the path of a .keras file.
    digits
        Numbers of MNIST test digits, 0 to 9999.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        if there is nothing to show, or no such digit, or the image holds none.
    OSError
        if the file cannot be written.
    """
    if image is None and not digits:
        raise ValueError("there is nothing to show: give an image, digits, or both")
    net = load_model(model)
    shown: list[tuple[Any, dict[str, Any]]] = []
    if image is not None:
        pixels = prepare_digit(read_image(image, side=LARGEST))
        shown.append((pixels, {"title": Path(image).name, "key": "image"}))
    return export_images(output, net, [*shown, *mnist_digits(digits)])


MOST_DIGITS = 1000


def mnist_digits(digits: Sequence[int]) -> list[tuple[np.ndarray, dict[str, Any]]]:
    """MNIST test digits by number, each with what the view says of it; ValueError for others, or too many.

    >>> [named["title"] for _, named in mnist_digits([7])]
    ['test digit 7']
    """
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a page shows up to {MOST_DIGITS:,} digits, got {len(digits):,}")
    images, labels = load_mnist()[1]
    wrong = [digit for digit in digits if not 0 <= digit < len(images)]
    if wrong:
        raise ValueError(f"digits must be 0 to {len(images) - 1}, got {wrong[0]}")
    return [
        (
            images[digit],
            {
                "title": f"test digit {digit}",
                "label": int(labels[digit]),
                "key": str(digit),
                "code": digit_code(digit),
            },
        )
        for digit in digits
    ]


def export_images(
    output: str | os.PathLike[str],
    net: Network,
    images: Iterable[tuple[Any, Mapping[str, Any]]],
    classes: Sequence[str] | None = None,
    walk: str | Walk | None = None,
    *,
    layers: Iterable[str] | None = None,
    last: int | None = None,
    limit: float = FILE_BYTES,
    said: Callable[[str], None] | None = None,
) -> Path:
    """Write the live view of a network on some images as a single HTML file.

    Parameters
    ----------
    output
        The file to write.
    net
        Any network that cnnviz reads.
    images
        At least one: what `Network.run` takes for one image, and what is said of it, as for `Scene.add`:
        its title, label, key and code. All must have one size.
    classes
        The names of the outputs; by default their numbers.
    walk
        As for `cnnviz.view`.
    layers, last, limit
        What of a large network goes into the file, as for `LiveView.save`.
    said
        Is called with a sentence about what was left out, if anything was.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        if there is no image, no such layer, the names are not as many as the outputs, or the walk does not
        suit.
    OSError
        if the file cannot be written.
    """
    scene, run = scene_of_images(net, images, classes)
    if walk is not None:
        open_walk(scene, walk, run)
    shown = LiveView(scene, run if scene.plan.far else None)
    path = shown.save(output, layers=layers, last=last, limit=limit)
    if said is not None and shown.left_out:
        said(shown.left_out)
    return path


def scene_of_images(
    net: Network, images: Iterable[tuple[Any, Mapping[str, Any]]], classes: Sequence[str] | None = None
) -> tuple[Scene, Run]:
    """One scene of a network on some images, and the run of the first; `export_images` says what they are."""
    net = net.astype(np.float32)
    scene: Scene | None = None
    for x, named in images:
        run = net.run(x)
        if scene is None:
            scene, first = build_scene(run, 0, classes=classes, **named), run
        else:
            scene.add(run, 0, **named, computed=True)
    if scene is None:
        raise ValueError("images must hold at least one image")
    return scene, first


def digit_code(digit: int) -> str:
    """The Python expression that gives a test digit's pixels.

    >>> digit_code(7)
    'cnnviz.load_mnist()[1][0][7]'
    """
    return f"cnnviz.load_mnist()[1][0][{digit}]"
