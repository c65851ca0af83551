"""What cnnviz needs from outside itself: the files that come with it, and TensorFlow.

Files are beside the package in a clone and inside it in a wheel. TensorFlow and Keras are imported here
and nowhere else, when a function first needs them.
"""

from __future__ import annotations

import glob
import hashlib
import io
import json
import math
import os
import platform
import re
import secrets
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast
from unicodedata import category

if TYPE_CHECKING:
    import numpy as np

BUNDLED = ("mnist_14k", "mnist_maxpool")
"""The names of the models that come with cnnviz."""

_PACKAGE = Path(__file__).resolve().parent


def _folder(name: str) -> Path:
    installed = _PACKAGE / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


def asset(name: str) -> Path:
    """The path of a bundled file: data, a trained model, a history.

    >>> asset("mnist.npz").name
    'mnist.npz'
    """
    return _folder("assets") / name


def bundled_name(path: Path | None) -> str | None:
    """The name of the bundled model whose file that is; None for any other file.

    >>> bundled_name(asset("mnist_14k.keras")), bundled_name(Path("mnist_14k.keras"))
    ('mnist_14k', None)
    """
    files = {asset(f"{name}.keras").resolve(): name for name in BUNDLED}
    return None if path is None else files.get(path.resolve())


def app() -> Path:
    """The path of the explorer's Streamlit script.

    >>> app().name
    'explorer.py'
    """
    return _folder("apps") / "explorer.py"


def write_atomically(path: Path, write: Callable[[str], Any]) -> None:
    """Call write(temporary path), then put what it wrote in the place of `path`, in one step.

    A link is followed, and a file that is replaced keeps its mode and its owner. What is no regular file (a
    pipe, a device) or is this program's own output is written to as it is. If anything fails, what was
    there before is untouched and nothing is left beside it. An OSError says the path or its folder as
    given, never the temporary file.
    """
    write_together({path: write})


def write_together(
    files: Mapping[Path, Callable[[str], Any]], *, before: Callable[[], None] | None = None
) -> None:
    """Write several files as `write_atomically` does: all of them are ready before the first is replaced.

    They are replaced in the order given, after `before` was called. Only a kill between two replacements
    leaves a part of them, and then it is the first ones.
    """
    _allow_open_files(len(files) + 100)
    with ExitStack() as stack:
        puts = [stack.enter_context(_written(path, write)) for path, write in files.items()]
        if before is not None:
            before()
        for put in puts:
            put()


def _allow_open_files(count: int) -> None:
    """Let this program have so many files open, as far as the system does: 256 are usual on a Mac."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        if 0 <= now < count:
            resource.setrlimit(resource.RLIMIT_NOFILE, (count if most < 0 else min(count, most), most))


@contextmanager
def _written(path: Path, write: Callable[[str], Any]) -> Iterator[Callable[[], None]]:
    """Write a temporary file; what is handed out puts it in its place, and what was not put is deleted."""
    if _TEMPORARY.fullmatch(path.name) and path.exists():
        # A file that is put into its place already: one beside it would be nobody's after a kill.
        write(str(path))
        yield lambda: None
        return
    with _naming(path):
        try:
            there = path.stat()
        except FileNotFoundError:
            there = None
        if there is not None and stat.S_ISDIR(there.st_mode):
            raise IsADirectoryError(f"{path} is a folder, not a file to write")
        stream = None if there is None else _stream(path, there)
        if stream is None and there is not None and not os.access(path, os.W_OK):
            raise PermissionError(f"cannot write {path.name} in {path.parent}: it is write-protected")
    if stream is not None:
        with stream, TemporaryDirectory() as folder:
            temporary = str(Path(folder) / f"written{path.suffix}")
            with _naming(path):
                write(temporary)
            yield lambda: _pour(temporary, stream, path)
        return
    place = Path(os.path.realpath(path))
    remove_leftovers(place)
    with _naming(path):
        temporary = _temporary(place, 0o666 if there is None else 0o600)
    try:
        with _locked(temporary):
            with _naming(path):
                write(temporary)
                _flush(temporary)
                if there is not None:
                    _give(temporary, there)
            yield lambda: os.replace(temporary, place)
    finally:
        Path(temporary).unlink(missing_ok=True)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Let an OSError of the system say the path that was given and what is wrong with it."""
    try:
        yield
    except OSError as error:
        if error.errno is None or isinstance(error, BrokenPipeError):
            raise
        if isinstance(error, FileNotFoundError):
            # It is missing where a link leads to.
            place = Path(os.readlink(path)) if path.is_symlink() else path
            raise FileNotFoundError(f"there is no folder {place.parent} to write {place.name} in") from None
        raise type(error)(f"cannot write {path.name} in {path.parent}: {error.strerror}") from None


def _stream(path: Path, there: os.stat_result) -> BinaryIO | None:
    """Where to write what cannot be replaced; None for an ordinary file.

    A file that this program prints to is written to through that output: opened anew, each of the two would
    overwrite what the other wrote.
    """
    for number, output in ((1, sys.stdout), (2, sys.stderr)):
        with suppress(OSError):
            if os.path.samestat(there, os.fstat(number)):
                if output is not None:
                    output.flush()
                return os.fdopen(os.dup(number), "wb")
    return None if stat.S_ISREG(there.st_mode) else path.open("wb")


def _pour(temporary: str, stream: BinaryIO, path: Path) -> None:
    with _naming(path), stream, open(temporary, "rb") as written:
        shutil.copyfileobj(written, stream)


def _temporary(place: Path, mode: int) -> str:
    """A new, empty file beside `place`; the mode is what the umask leaves of it."""
    suffix = place.suffix if len(place.suffix) < 12 else ""
    while True:
        temporary = place.with_name(f".{_beginning(place)}.{secrets.token_hex(4)}.part{suffix}")
        with suppress(FileExistsError):
            os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
            return str(temporary)


_TEMPORARY = re.compile(r"\..*\.[0-9a-f]{8}\.part(\..*)?")
"""The names of such files."""


def _beginning(place: Path) -> str:
    """As much of a file's name as leaves room for more: names have 255 bytes, a letter up to 4."""
    return place.name[:40]


def _flush(temporary: str) -> None:
    """Wait until a file is on the disk; a full one may say so only now."""
    with open(temporary, "r+b") as file:
        os.fsync(file)


def _give(temporary: str, there: os.stat_result) -> None:
    """Give a file the owner and the mode of the one that it replaces, as far as its writer may."""
    mode = stat.S_IMODE(there.st_mode)
    try:
        os.chown(temporary, -1, there.st_gid)
    except (OSError, AttributeError):
        mode &= ~stat.S_IRWXG  # What the old group might do, another one may not.
    with suppress(OSError, AttributeError):
        os.chown(temporary, there.st_uid, -1)
    os.chmod(temporary, mode)


@contextmanager
def _locked(temporary: str) -> Iterator[None]:
    """Mark a file as one whose writer lives."""
    with ExitStack() as stack:
        try:
            _lock(stack.enter_context(open(temporary, "rb")))
        except OSError:  # Some network folders have no locks; Windows has none, and moves no open file.
            stack.close()
        yield


def remove_leftovers(place: Path) -> None:
    """Delete what writers of a file left beside it when they were killed."""
    for temporary in place.parent.glob(f".{glob.escape(_beginning(place))}.*.part*"):
        with suppress(OSError), temporary.open("rb") as file:
            _lock(file)
            temporary.unlink()


def _lock(file: BinaryIO) -> None:
    """Lock an open file until it is closed or its process ends; OSError if another one has it."""
    try:
        import fcntl
    except ImportError:
        raise OSError("there are no such locks on this system") from None
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Replace a file by one that holds arrays by name, as `np.load` reads them."""
    write_atomically(path, arrays_writer(arrays))


def text_writer(text: str) -> Callable[[str], object]:
    """What `write_atomically` calls to write a text in UTF-8; half a character of a name is escaped."""
    content = text.encode(errors="backslashreplace")
    return lambda temporary: Path(temporary).write_bytes(content)


def arrays_writer(arrays: Mapping[str, np.ndarray]) -> Callable[[str], None]:
    """What `write_atomically` calls to write arrays by name."""

    def write(temporary: str) -> None:
        import numpy as np

        with open(temporary, "wb") as file:  # np.savez would put ".npz" behind a path that lacks it.
            np.savez_compressed(file, **cast(Any, arrays))

    return write


ARRAYS_LIMIT = 2 * 10**9
"""Bytes that the arrays of one file may take, if nothing else is said."""


class StatedArray(NamedTuple):
    """What a file says of one of its arrays, before it is read."""

    shape: tuple[int, ...]
    dtype: np.dtype
    nbytes: int


def stated_arrays(path: str | os.PathLike[str]) -> dict[str, StatedArray]:
    """The shapes and types of the arrays in an .npz file, by name; no array is read.

    Raises
    ------
    ValueError
        if it is not an .npz file, holds Python objects, or is cut off; which file is for the caller to say.
    OSError
        if it cannot be read.
    """
    stated: dict[str, StatedArray] = {}
    with _archive(path) as archive:
        for entry in archive.infolist():
            name, ending = os.path.splitext(entry.filename)
            if ending != ".npy":
                raise ValueError(f"{entry.filename} is no array")
            with archive.open(entry) as file:
                shape, _, dtype = _array_header(file)
            nbytes = math.prod(shape) * dtype.itemsize
            if dtype.hasobject:
                raise ValueError(f"{name} holds Python objects")
            if nbytes > entry.file_size:
                raise ValueError(f"{name} {shape} should have {nbytes:,} bytes, but has {entry.file_size:,}")
            stated[name] = StatedArray(shape, dtype, nbytes)
    return stated


def _array_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """The shape, whether it is in Fortran's order, and the type of the array that a file begins with."""
    import numpy as np

    first = np.lib.format.read_magic(file) == (1, 0)
    # Version 3 differs from 2 in the letters of field names alone.
    read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
    return read(file)


def mapped_array(path: str | os.PathLike[str]) -> np.ndarray:
    """The array of an .npy file, which is read where it is needed; it is as long as the file.

    Raises
    ------
    ValueError
        if it is not an .npy file, holds Python objects, or is cut off; which file is for the caller to say.
    OSError
        if it cannot be read.
    """
    import numpy as np

    _check_regular(path)
    with SmallReads(path) as file:
        try:
            shape, fortran, dtype = _array_header(file)
        except Exception as error:  # NumPy raises some ten kinds.
            raise ValueError(f"it is not a sound .npy file: {_why(error)}") from None
        start, there = file.tell(), os.fstat(file.fileno()).st_size
    nbytes = math.prod(shape) * dtype.itemsize
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    if nbytes > there - start:
        raise ValueError(f"its array {shape} should have {nbytes:,} bytes, but has {there - start:,}")
    order: Any = "F" if fortran else "C"
    if not nbytes:  # The system maps no empty piece.
        return np.empty(shape, dtype, order)
    return np.memmap(path, dtype, "r", start, shape, order)


def _check_regular(path: str | os.PathLike[str]) -> None:
    """ValueError for what has no end, or begins when somebody writes into it."""
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise ValueError(f"it is a {'pipe' if stat.S_ISFIFO(mode) else 'device'}, not a file")


def _why(error: Exception) -> str:
    """An error's first line, cut off: zipfile and NumPy put into it what a damaged file holds."""
    words = (str(error) or type(error).__name__).splitlines()[0]
    return words if len(words) <= MOST_SAID else f"{words[:MOST_SAID]}..."


MOST_SAID = 120
"""Letters of what others say of a damaged file."""


def read_arrays(
    path: str | os.PathLike[str], names: Iterable[str] | None = None, *, limit: int = ARRAYS_LIMIT
) -> dict[str, np.ndarray]:
    """The arrays of an .npz file by name, read if what the file says of them is within a limit.

    Parameters
    ----------
    path
        The file.
    names
        Those to read; None reads all.
    limit
        Bytes that they may take together.

    Raises
    ------
    ValueError
        if it is not an .npz file, lacks a name, is damaged, or holds more than `limit`.
    OSError
        if it cannot be read.
    """
    import numpy as np

    stated = stated_arrays(path)
    names = stated if names is None else list(names)
    missing = [name for name in names if name not in stated]
    if missing:
        raise ValueError(f"it has no {missing[0]}")
    size = sum(stated[name].nbytes for name in names)
    if size > limit:
        raise ValueError(f"it holds arrays of {size:,} bytes, but at most {limit:,} bytes are read")
    with _archive(path) as archive:
        arrays = {}
        for name in names:
            with archive.open(f"{name}.npy") as file:
                arrays[name] = np.lib.format.read_array(file, allow_pickle=False)
        return arrays


@contextmanager
def _archive(path: str | os.PathLike[str]) -> Iterator[zipfile.ZipFile]:
    """An .npz file that is open; whatever is wrong in it is a ValueError."""
    _check_regular(path)
    with SmallReads(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                yield archive
        except Exception as error:  # zipfile and NumPy raise some ten kinds.
            raise ValueError(f"it is not a sound .npz file: {_why(error)}") from None


MOST_AT_ONCE = 4 * 2**20
"""Bytes that `SmallReads` reads in one piece."""


class SmallReads(io.FileIO):
    """A file for `zipfile.ZipFile`, which reads a whole directory of names at once, whatever size it has."""

    def read(self, size: int | None = -1, /) -> bytes:
        """As any file's; ValueError where more is asked for than an archive of a few files needs."""
        if size is None or size < 0:
            size = max(0, os.fstat(self.fileno()).st_size - self.tell())
        if size > MOST_AT_ONCE:
            raise ValueError(f"an archive with {size:,} bytes of names; at most {MOST_AT_ONCE:,} are read")
        return super().read(size)


def read_member(archive: zipfile.ZipFile, name: str, limit: int) -> io.BytesIO:
    """What a file in a ZIP archive unpacks to, piece by piece, and never more than it states.

    ValueError if there is no such file or two of them, for one that states more than `limit` bytes, and for
    one that is encrypted or damaged.
    """
    entries = [entry for entry in archive.infolist() if entry.filename == name]
    if len(entries) != 1:
        raise ValueError(f"it has {len(entries) or 'no'} {name}")
    (entry,) = entries
    if entry.file_size > limit:
        raise ValueError(
            f"{name} unpacks to {entry.file_size:,} bytes, more than the {limit:,} that are read"
        )
    if entry.flag_bits & 1:
        raise ValueError(f"{name} is encrypted; save it without a password")
    content = io.BytesIO()
    try:
        with archive.open(entry) as file:
            # What bzip2 and LZMA unpack a piece to has no limit; a small piece has one.
            step = 2**16 if entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) else 2**12
            while piece := file.read(step):
                content.write(piece)
    except Exception as error:  # Each compression method has its own exceptions.
        raise ValueError(f"{name} is damaged ({error})") from None
    if content.tell() != entry.file_size:
        raise ValueError(f"{name} is damaged (it has {content.tell():,} of its {entry.file_size:,} bytes)")
    content.seek(0)
    return content


MOST_JSON_BYTES = 16 * 2**20
MOST_JSON_VALUES = 2_000_000
"""Limits of a JSON text: a network of 10,000 layers has a tenth of either."""


def read_json(text: bytes | str, what: str) -> Any:
    """A JSON text from a file, if it is within limits; `what` is what its errors call it.

    >>> read_json(b"[1, 2]", "the list")
    [1, 2]

    Raises ValueError for what is not JSON, is too long or nested too deeply, or holds half a character.
    """
    if len(text) > MOST_JSON_BYTES:
        raise ValueError(f"{what} has {len(text):,} bytes; at most {MOST_JSON_BYTES:,} are read")
    try:
        text = text if isinstance(text, str) else text.decode(json.detect_encoding(text))
        # Texts can hold such marks too: there are at most as many values.
        values = sum(map(text.count, ",[{"))
        value = json.loads(text) if values <= MOST_JSON_VALUES else None
        if re.search(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]", text):
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what} has a text with half of a character in it (a lone surrogate)") from None
    except RecursionError:
        raise ValueError(f"{what} is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"{what} is not JSON ({error})") from None
    if values > MOST_JSON_VALUES:
        raise ValueError(f"{what} holds {values:,} values; at most {MOST_JSON_VALUES:,} are read")
    return value


def checksum(path: Path) -> str:
    """The SHA-256 of a file, which records keep of what they were made with."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def tensorflow() -> Any:
    """The tensorflow module; ModuleNotFoundError with the line to type where it is not installed."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import tensorflow
    except ModuleNotFoundError as error:
        if error.name != "tensorflow":
            raise
        raise ModuleNotFoundError(
            "TensorFlow is not installed; training and live verification need it: "
            "pip install 'cnnviz[tensorflow]'",
            name="tensorflow",
        ) from None
    return tensorflow


def keras() -> Any:
    """The keras module, on TensorFlow."""
    tensorflow()
    import keras

    return keras


def versions() -> dict[str, str]:
    """The versions of what computes: TensorFlow, Keras and NumPy."""
    import numpy as np

    return {"tensorflow": tensorflow().__version__, "keras": keras().__version__, "numpy": np.__version__}


def memory() -> float:
    """Bytes that a program may have here: the machine's, or fewer where the system allows it fewer."""
    limits = [math.inf]
    with suppress(AttributeError, ValueError, OSError):  # Not every system tells.
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with suppress(OSError, ValueError):  # A container's; "max" is no number.
        limits.append(int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")))
    return min(*limits, address_space())


def address_space() -> float:
    """Bytes that a program may ask for here (`ulimit -v`)."""
    try:
        import resource
    except ImportError:  # There are no such limits on this system.
        return math.inf
    most = resource.getrlimit(resource.RLIMIT_AS)[0]
    return most if most >= 0 else math.inf


def limit_address_space(most: int) -> None:
    """Let this program ask for at most so many bytes, where the system knows such limits."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def limit_processor_time(most: float) -> None:
    """Let this program compute for so many seconds, on all cores together; then the system ends it."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(most), math.ceil(most) + 5))


def start_python(
    *arguments: str, environment: Mapping[str, str] = MappingProxyType({}), **streams: Any
) -> subprocess.Popen[bytes]:
    """Start another Python, which finds this very package; Ctrl-C is not for it, but for who started it.

    Parameters
    ----------
    arguments
        Python's own: "-m", the program's module, and what it is called with.
    environment
        What is set besides.
    streams
        `stdin`, `stdout` and `stderr` as `subprocess.Popen` takes them.
    """
    paths = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    return subprocess.Popen(
        # -P: a numpy.py in the current folder is not NumPy.
        [sys.executable, "-P", *arguments],
        start_new_session=True,  # With a group of its own what it starts ends with it.
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(_PACKAGE.parent), *paths]), **environment},
        **streams,
    )


def processor() -> str:
    """What the system calls its processor, for what is measured on it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def one_line(words: str) -> str:
    """A text without line breaks and other marks that do not print: names come from files.

    Spaces of all widths stay, as the one between a number and its percent sign.

    >>> one_line("conv\\nimport os")
    'conv?import os'
    """
    return "".join(c if c.isprintable() or category(c) == "Zs" else "?" for c in words)
