"""load_image and load_images: images as a network wants them, in its shape and its scale.

The network says what it wants, and `cnnviz.images` does it.
"""

from __future__ import annotations

from typing import Any

from cnnviz.images.digit_preparation import Crop, Ink
from cnnviz.images.loading import LoadedImage, load_as
from cnnviz.images.preprocessing import check_mode
from cnnviz.images.sources import LoadedImages, Progress, open_images
from cnnviz.layers.options import Shape
from cnnviz.network.expected_pixels import expected_pixels, input_of
from cnnviz.network.layer_graph import LayerGraph


def load_image(
    source: Any,
    like: LayerGraph | Shape,
    preprocess: str = "auto",
    *,
    input: str | None = None,
    interpolation: str = "bilinear",
    crop_to_aspect_ratio: bool = False,
    ink: Ink = "auto",
    crop: Crop | None = None,
) -> LoadedImage:
    """One image as a network wants it: in its shape and its scale, with what was done in words.

    A network that gets pixels in another scale than it was trained on answers nonsense and says nothing.
    So the scale is guessed from the network, and the guess is said: read `.said`.

    Parameters
    ----------
    source
        A PNG, JPEG, WebP or GIF: its path, its content, or an open binary file; a Pillow image; or an array
        (H, W) or (H, W, C) of unsigned integers over their whole range, booleans, floats within 0..1, or
        others within 0..255. Photographs are turned upright, what is transparent is laid on white.
    like
        The network; or the shape that is wanted, (H, W, C), and then `preprocess` has to be given.
    preprocess
        "unit" (0..1), "tf" (-1..1), "caffe", "torch" and "none" (0..255), all as in Keras's
        `preprocess_input`; "digit" makes of a drawn or photographed digit one like MNIST's; "auto" asks
        `cnnviz.network.expected_pixels`.
    input
        The name of the input, of a network that has several.
    interpolation
        "nearest", "bilinear", "bicubic", "lanczos", "box" or "hamming", as in `keras.utils.load_img`; all
        but "nearest" average where the image is made smaller.
    crop_to_aspect_ratio
        Cut the largest part of the wanted shape from the middle; else the image is squeezed into it.
    ink
        For "digit" only: whether the digit is "dark" or "light" on its paper, or "drawn" with its pixels for
        ink; "auto" looks for it.
    crop
        For "digit" only: ((top, bottom), (left, right)) of the part to look at, in shares of the height and
        the width, 0..1; None is all of it.

    Returns
    -------
    LoadedImage
        float32 in the input's shape: an array that `predict` and `run` take, with `.said`, `.mode`, and
        `.pixels`, the image before it was scaled, to be shown.

    Raises
    ------
    ImageError
        (a ValueError) for a file that is no image, or too large: at most 10 MB and 25 megapixels.
    ValueError
        for a network that takes no pictures, and for arguments that are none of the above.

    Examples
    --------
    >>> import numpy as np
    >>> from cnnviz import load_model
    >>> net, paper = load_model("mnist_14k"), np.ones((200, 300))
    >>> paper[40:160, 150:160] = 0.1
    >>> image = load_image(paper, like=net)
    >>> image.mode, image.shape, int(net.predict(image).argmax())
    ('digit', (28, 28, 1), 1)
    """
    shape, mode, because = _wanted(like, preprocess, input)
    return load_as(
        source,
        shape,
        mode,
        interpolation=interpolation,
        crop_to_aspect_ratio=crop_to_aspect_ratio,
        ink=ink,
        crop=crop,
        because=because,
    )


def load_images(
    source: Any,
    like: LayerGraph | Shape,
    preprocess: str = "auto",
    *,
    input: str | None = None,
    limit: int | None = None,
    interpolation: str = "bilinear",
    crop_to_aspect_ratio: bool = False,
    ink: Ink = "auto",
    crop: Crop | None = None,
    progress: Progress | None = None,
) -> LoadedImages:
    """Many images as a network wants them, each read when it is needed.

    Parameters
    ----------
    source
        What `cnnviz.images.sources.open_images` takes: a folder, whose sub-folders are classes, an .npz or
        .npy file, an array, a list of images, a single one.
    limit
        How many at most, evenly spread over those that there are.
    like, preprocess, input, interpolation, crop_to_aspect_ratio, ink, crop
        As for `load_image`.
    progress
        Called as progress(files, of how many) while a large folder is walked through; of 0 while they are
        still counted.

    Returns
    -------
    LoadedImages
        A sequence of `LoadedImage`; `batches()` goes through them in the room of one batch.

    Raises
    ------
    ImageError, ValueError
        as `load_image`; if there is no image.

    Examples
    --------
    >>> import numpy as np
    >>> images = load_images(np.zeros((5, 60, 40, 3), np.uint8), like=(32, 32, 3), preprocess="tf")
    >>> len(images), [batch.images.shape for batch in images.batches(3)]
    (5, [(3, 32, 32, 3), (2, 32, 32, 3)])
    """
    shape, mode, because = _wanted(like, preprocess, input)
    return LoadedImages(
        open_images(source, limit, progress),
        shape,
        mode,
        interpolation=interpolation,
        crop_to_aspect_ratio=crop_to_aspect_ratio,
        ink=ink,
        crop=crop,
        because=because,
    )


def _wanted(like: Any, preprocess: str, input: str | None) -> tuple[Shape, str, str]:
    """The shape and the scale that are wanted, and why this scale if nobody gave it."""
    if preprocess != "auto":
        check_mode(preprocess)
    if not isinstance(like, LayerGraph):
        if preprocess == "auto":
            raise ValueError("preprocess='auto' asks a network: give like=net, or say which mode")
        return tuple(like), preprocess, ""
    name = input_of(like, input)
    if preprocess != "auto":
        return like[name].output_shape, preprocess, ""
    found = expected_pixels(like, name)
    return like[name].output_shape, found.mode, found.because
