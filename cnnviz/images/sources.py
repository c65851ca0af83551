"""Many images, from a folder, an archive or an array, opened one after the other as they are needed.

A source says what there is and decodes nothing; `LoadedImages` brings each image to what a network wants
when it is asked for, so that a folder of any size takes the room of one batch.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cnnviz.images.class_names import class_folders
from cnnviz.images.image_files import ImageError
from cnnviz.images.loading import LoadedImage, Shape, check_digit_options, load_as
from cnnviz.numbers import brief, counted, shortened
from cnnviz.resources import mapped_array, read_arrays, stated_arrays

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif")
"""Names of the files in a folder that are read; all others are passed over, and that is said."""

MOST_PICTURES, MOST_OTHERS = 2_000_000, 200_000
"""Of a folder's files: that many pictures, and that many files and folders that are none."""

Progress = Callable[[int, int], None]

_IMAGES = ("x_test", "images", "x", "x_train", "arr_0")
_LABELS = ("y_test", "labels", "y", "y_train", "arr_1")
"""What arrays in an .npz file are called, in the order in which they are looked for."""


class Skipped(NamedTuple):
    """A file that was left out, and why."""

    name: str
    why: str


@dataclass(frozen=True, eq=False)
class ImageSource:
    """Images that have not been read yet. Made by `open_images`.

    Parameters
    ----------
    items
        What `load_as` takes: paths, or arrays.
    names
        What each is called: its path within the folder, or its number.
    labels
        (N,) integers from 0, or None if nobody says what the images are.
    classes
        The names of the classes, where the source has them: of a folder's sub-folders.
    skipped
        The files that are no images.
    said
        What was found, in words.
    """

    items: Sequence[Any] | np.ndarray = field(repr=False)
    names: Sequence[str] = field(repr=False)
    labels: np.ndarray | None = field(repr=False, default=None)
    classes: tuple[str, ...] | None = None
    skipped: tuple[Skipped, ...] = ()
    said: str = ""

    def __len__(self) -> int:
        return len(self.items)

    def at_most(self, limit: int | None) -> ImageSource:
        """As many of the images, evenly spread, so that all classes of a folder stay in.

        >>> open_images(np.zeros((9, 5, 5))).at_most(3).names
        ['0', '4', '8']
        """
        if limit is not None and (isinstance(limit, bool) or limit < 1):
            raise ValueError(f"limit must be a positive whole number or None, got {limit!r}")
        if limit is None or limit >= len(self):
            return self
        chosen = np.unique(np.linspace(0, len(self) - 1, limit).round().astype(int))
        return replace(
            self,
            items=[self.items[i] for i in chosen],
            names=[self.names[i] for i in chosen],
            labels=None if self.labels is None else self.labels[chosen],
            said=f"{self.said}; {len(chosen)} of them taken, evenly spread",
        )


def open_images(source: Any, limit: int | None = None, progress: Progress | None = None) -> ImageSource:
    """Say which images there are, without reading them.

    Parameters
    ----------
    source
        A folder, in which each sub-folder is a class and their sorted names are its numbers, as
        `keras.utils.image_dataset_from_directory` has it; or one with images of no class; an .npz file
        with images and, if it has them, labels ("x" and "y", "images" and "labels", "x_test" and "y_test");
        an .npy file; a single image's file; an array (N, H, W) or (N, H, W, C), or one image; a Pillow
        image; or a list of any of these images.
    limit
        How many images at most, evenly spread over those that there are.
    progress
        Called as progress(files, of how many) from the second second on that a folder is walked through; of
        0 while they are still counted.

    Returns
    -------
    ImageSource

    Raises
    ------
    ImageError
        (a ValueError) if there are no images, the file is not such a one, or a folder holds more than
        2,000,000 pictures or 200,000 other files and folders.

    Examples
    --------
    >>> len(open_images(np.zeros((5, 28, 28)))), len(open_images(np.zeros((28, 28, 3))))
    (5, 1)
    """
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        if not os.fspath(source) or not path.exists():
            raise ImageError(f"cannot read images from {os.fspath(source)!r}: No such file or directory")
        if path.is_dir():
            found = _folder(path, _from_a_second_on(progress))
        elif path.suffix.lower() in (".npz", ".npy"):
            found = _archive(path)
        else:
            found = ImageSource([path], [path.name], said=path.name)
    elif isinstance(source, list | tuple):
        found = ImageSource(source, [_called(each, i) for i, each in enumerate(source)], said="a list")
    elif isinstance(source, bytes) or hasattr(source, "read") or hasattr(source, "has_transparency_data"):
        found = ImageSource([source], ["image"], said="an image")
    else:
        if not hasattr(source, "__array__"):
            raise ImageError(
                f"source must be a path, an array, an image or a list of them, got {brief(source)}"
            )
        found = _array(np.asarray(source), None, "an array")
    if not len(found):
        raise ImageError(f"there is no image in {found.said}")
    return found.at_most(limit)


def _called(item: Any, number: int) -> str:
    return Path(item).name if isinstance(item, str | os.PathLike) else str(number)


def _from_a_second_on(progress: Progress | None) -> Progress:
    """`progress`, called now and then, and not for what is done at once."""
    begun = time.monotonic()

    def tell(done: int, total: int) -> None:
        if progress is not None and done % 500 == 0 and time.monotonic() > begun + 1:
            progress(done, total)

    return tell


def _folder(folder: Path, progress: Progress) -> ImageSource:
    """The images in a folder, and in the folders below it."""
    total = _counted(folder, progress)
    classes = None
    if any(each.is_dir() and not each.name.startswith(".") for each in folder.iterdir()):
        classes = class_folders(folder)
    paths: list[Path] = []
    labels: list[int] = []
    skipped: list[Skipped] = []
    for label, each in enumerate(classes or [folder]):
        for path in _files(each):
            progress(len(paths) + len(skipped), total)
            if path.suffix.lower() in ENDINGS:
                paths.append(path)
                labels.append(label)
            else:
                skipped.append(Skipped(path.relative_to(folder).as_posix(), "not the name of an image"))
    if classes:
        beside = sorted(each for each in folder.iterdir() if each.is_file() and each.name[0] != ".")
        skipped += [Skipped(path.name, "in no class's folder") for path in beside]
    said = f"{folder.resolve().name}: {counted(len(paths), 'image')}"
    said += f" in {counted(len(classes), 'class', 'classes')}" if classes else ""
    said += f", {counted(len(skipped), 'other file')} passed over" if skipped else ""
    return ImageSource(
        paths,
        [path.relative_to(folder).as_posix() for path in paths],
        np.array(labels) if classes else None,
        tuple(each.name for each in classes) if classes else None,
        tuple(skipped),
        said,
    )


def _counted(folder: Path, progress: Progress) -> int:
    """How many files and folders are in a folder; ImageError for more than a collection of pictures has.

    Nothing is kept of them, and links are followed where `_folder` follows them: to the classes.
    """
    pictures = others = 0
    folders: list[str | Path] = [folder]
    while folders:
        above = folders.pop()
        with suppress(OSError), os.scandir(above) as entries:
            for entry in entries:
                is_folder = entry.is_dir(follow_symlinks=above is folder)
                if is_folder and not entry.name.startswith("."):
                    folders.append(entry.path)
                if not is_folder and entry.name.lower().endswith(ENDINGS):
                    pictures += 1
                else:
                    others += 1
                progress(pictures + others, 0)
                if pictures > MOST_PICTURES or others > MOST_OTHERS:
                    what = (
                        f"{MOST_PICTURES:,} pictures"
                        if pictures > MOST_PICTURES
                        else (f"{MOST_OTHERS:,} files and folders that are no pictures")
                    )
                    raise ImageError(
                        f"{folder} holds more than {what}: name the folder that holds the pictures"
                    )
    return pictures + others


def _files(folder: Path) -> Iterator[Path]:
    """All files in a folder and below it, in the order of their names."""
    for above, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(above, name) for name in sorted(names) if not name.startswith("."))


def _archive(path: Path) -> ImageSource:
    try:
        if path.suffix.lower() == ".npy":
            return _array(mapped_array(path), None, path.name)
        stated = list(stated_arrays(path))
        images = next((name for name in _IMAGES if name in stated), None)
        if images is None:
            held = shortened(", ".join(stated), 200)
            raise ImageError(f"{path} must hold images under {', '.join(_IMAGES)}; it holds {held}")
        labels = _LABELS[_IMAGES.index(images)]
        content = read_arrays(path, [name for name in (images, labels) if name in stated])
        return _array(content[images], content.get(labels), f"{path.name}, {images}")
    except ImageError:
        raise
    except OSError as error:
        raise ImageError(f"cannot read {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise ImageError(f"{path} is not a NumPy file of images: {error}") from None


def _array(array: np.ndarray, labels: np.ndarray | None, where: str) -> ImageSource:
    one = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 2, 3, 4))
    if array.ndim not in (2, 3, 4) or array.dtype.kind not in "buif":
        raise ImageError(
            f"{where} must be images (N, H, W) or (N, H, W, C), or one, got "
            f"{shortened(str(array.dtype), 80)} {array.shape}"
        )
    if not array.size:
        raise ImageError(f"there is no image in {where}: its shape is {array.shape}")
    images = array[None] if one else array
    if labels is not None:
        labels = checked_labels(labels, len(images), where)
    return ImageSource(
        images, [str(i) for i in range(len(images))], labels, said=f"{where}: {counted(len(images), 'image')}"
    )


def checked_labels(labels: np.ndarray, count: int, where: str) -> np.ndarray:
    """Labels as whole numbers (N,); ImageError, which says where they are from, if they are not that."""
    labels = np.squeeze(labels, 1) if labels.ndim == 2 and labels.shape[1] == 1 else labels
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise ImageError(
            f"{where} must have one whole number as label for each of its {count:,} images, "
            f"got {shortened(str(labels.dtype), 80)} {labels.shape}"
        )
    return labels


class Batch(NamedTuple):
    """Some images as a network wants them, float32 (N, ...), with their labels and names."""

    images: np.ndarray
    labels: np.ndarray | None
    names: tuple[str, ...]


class LoadedImages(Sequence[LoadedImage]):
    """The images of a source as a network wants them, each read when it is asked for.

    Made by `cnnviz.network.image_loading.load_images`. The parameters are `load_as`'s.
    """

    def __init__(self, source: ImageSource, shape: Shape, mode: str, **how: Any) -> None:
        check_digit_options(mode, how.get("ink", "auto"), how.get("crop"))
        self.source = source
        self.shape = tuple(shape)
        self.mode = mode
        self.skipped = list(source.skipped)
        self._how = how

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: Any) -> Any:
        """One image; ImageError if its file is no image."""
        return load_as(self.source.items[index], self.shape, self.mode, **self._how)

    @property
    def said(self) -> str:
        """What there is, what is done to the first of them, and how many were left out."""
        try:
            return f"{self.source.said}; the first: {self[0].said}"
        except ImageError as error:
            return f"{self.source.said}; the first cannot be read: {error}"

    def batches(self, batch_size: int = 32) -> Iterator[Batch]:
        """All images, some at a time; a file that cannot be read is left out, and added to `skipped`.

        Parameters
        ----------
        batch_size
            Images at a time; fewer in the last batch, or where the network takes any size and the next
            image has another one.

        Raises
        ------
        ImageError
            (a ValueError) if none can be read.
        """
        if isinstance(batch_size, bool) or batch_size < 1:
            raise ValueError(f"batch_size must be a positive whole number, got {batch_size!r}")
        self.skipped = list(self.source.skipped)
        images: list[np.ndarray] = []
        chosen: list[int] = []
        for i, name in enumerate(self.source.names):
            try:
                image = self[i]
            except ImageError as error:
                self.skipped.append(Skipped(name, str(error)))
                continue
            if images and (len(images) == batch_size or images[0].shape != image.shape):
                yield self._batch(images, chosen)
                images, chosen = [], []
            images.append(np.asarray(image))
            chosen.append(i)
        if not images:
            name, why = self.skipped[-1]
            raise ImageError(f"no image can be read in {self.source.said}; the last, {name}: {why}")
        yield self._batch(images, chosen)

    def _batch(self, images: list[np.ndarray], chosen: list[int]) -> Batch:
        labels = self.source.labels
        names = tuple(self.source.names[i] for i in chosen)
        return Batch(np.stack(images), None if labels is None else labels[chosen], names)
