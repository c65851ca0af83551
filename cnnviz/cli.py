"""The command line: explore, predict, evaluate, verify, train and info.

A command is an entry of COMMANDS: its help, its arguments, and the function that runs it. What the
functions need is imported when they run, so that --help is instant. They raise ValueError or OSError
for bad input, which `main` turns into one line on stderr and exit code 2.
"""

from __future__ import annotations

import argparse
import json
import os
import runpy
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

MODELS = ("mnist_14k", "mnist_maxpool")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv
        The arguments; None is sys.argv's.

    Returns
    -------
    int
        The exit code: 0 done, 1 a verification failed, 2 bad input, 130 interrupted.

    Examples
    --------
    >>> main(["info", "no_such_model"])
    2
    """
    try:
        arguments = _parser().parse_args(argv)
        code = arguments.run(arguments)
        sys.stdout.flush()
        return code
    except SystemExit as stopped:
        return stopped.code if isinstance(stopped.code, int) else int(stopped.code is not None)
    except BrokenPipeError:
        # Whoever read our output has seen enough; stdout must not fail again when it is closed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except (ValueError, OSError, ModuleNotFoundError) as error:
        return _complain(str(error))


def _complain(message: str) -> int:
    print(f"cnnviz: {' '.join(message.split())}", file=sys.stderr)
    return 2


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (see {self.prog} --help)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="cnnviz",
        description="See inside a convolutional network, and check every number in it.",
        epilog="examples:\n"
        + "".join(f"  {example}\n" for command in COMMANDS for example in command.examples)
        + "\nMODEL is mnist_14k, mnist_maxpool, or the path of a .keras file.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    for command in COMMANDS:
        sub = commands.add_parser(
            command.name,
            help=command.help,
            description=f"{command.help[0].upper()}{command.help[1:]}.",
            epilog="examples:\n" + "".join(f"  {example}\n" for example in command.examples),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.arguments(sub)
        sub.set_defaults(run=command.run)
    return parser


class _Version(argparse.Action):
    def __call__(self, parser, *_):  # type: ignore[no-untyped-def]
        import cnnviz

        print(f"cnnviz {cnnviz.__version__}")
        parser.exit()


# What commands share ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Command:
    """One command: `arguments` adds its options to its parser, `run` returns the exit code."""

    name: str
    help: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    examples: tuple[str, ...] = ()


def _model(parser: argparse.ArgumentParser, default: str | None = "mnist_14k") -> None:
    shown = default or "both bundled ones"
    parser.add_argument(
        "model", nargs="?", default=default, metavar="MODEL", help=f"the model (default: {shown})"
    )


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def _count(text: str) -> int:
    value = int(text) if text.isascii() and text.isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a positive whole number, got {text!r}")
    return value


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, allow_nan=False))


def _table(rows: Sequence[Sequence[str]], right: frozenset[int]) -> Iterator[str]:
    """Lines of a table; the columns in `right` are flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()


@contextmanager
def _progress(what: str) -> Iterator[Callable[..., None]]:
    """A bar on stderr, if that is a terminal; called with how much is done, of how much."""
    shown = sys.stderr.isatty()

    def show(done: int, total: int, note: str = "") -> None:
        if shown:
            filled = 30 * done // max(total, 1)
            bar = "#" * filled + "." * (30 - filled)
            sys.stderr.write(f"\r{what} [{bar}] {done:,}/{total:,} {note}\x1b[K")
            sys.stderr.flush()

    try:
        yield show
    finally:
        if shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def _import_tensorflow() -> None:
    """Import TensorFlow without the lines that it prints past its own log level."""
    from cnnviz.lazy_tensorflow import tensorflow

    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        tensorflow().constant(0)
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _limit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=_count, metavar="N", help="only the first N test images")


def _test_images(count: int | None) -> tuple[Any, Any]:
    from cnnviz.mnist import load_mnist

    x, y = load_mnist()[1]
    return x[:count], y[:count]


def _require_digits(net: Any) -> Any:
    if net.input_shape not in ((28, 28, 1), (28, 28)):
        raise ValueError(f"{net.name} takes {net.input_shape}, not 28 x 28 digits")
    return net


# explore ----------------------------------------------------------------------------------------


def _explore_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=_port, help="the port (default: the first free one from 8501)")
    parser.add_argument("--address", default="localhost", help="where to listen (default: localhost)")
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")


def _port(text: str) -> int:
    value = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"a port is a number from 1 to 65535, got {text!r}")
    return value


def _explore(args: argparse.Namespace) -> int:
    from cnnviz.resources import app

    script = app()
    if not script.exists():
        raise FileNotFoundError(f"the explorer is missing: {script}; reinstall cnnviz")
    port = _free_port(args.address, args.port)
    options = {
        "server.port": port,
        "server.address": args.address,
        "server.headless": args.no_browser,
        "server.showEmailPrompt": False,
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": False,
        "logger.hideWelcomeMessage": True,
    }
    print(f"The explorer runs at http://{args.address}:{port} (Ctrl-C stops it)", flush=True)
    sys.argv = ["streamlit", "run", str(script)]
    sys.argv += [f"--{name}={str(value).lower()}" for name, value in options.items()]
    runpy.run_module("streamlit", run_name="__main__", alter_sys=True)
    return 0


def _free_port(address: str, wanted: int | None) -> int:
    try:
        family, _, _, _, place = socket.getaddrinfo(address, wanted or 8501, type=socket.SOCK_STREAM)[0]
    except OSError:
        raise ValueError(f"--address must be this machine's name or address, got {address!r}") from None
    for port in [wanted] if wanted else range(8501, 8601):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((place[0], port))
            except OSError as error:
                reason = error.strerror
            else:
                return port
    raise ValueError(f"cannot listen on {address}, port {wanted or '8501 to 8600'}: {reason}")


# predict ----------------------------------------------------------------------------------------


def _predict_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="PNG, JPEG, WebP or GIF of one digit")
    parser.add_argument("--model", default="mnist_14k", help="the model (default: mnist_14k)")
    _json(parser)


def _predict(args: argparse.Namespace) -> int:
    from cnnviz.evaluation import probabilities
    from cnnviz.keras_file import load_model
    from cnnviz.mnist import ImageError, prepare_digit, read_image

    net = _require_digits(load_model(args.model))
    found, code = [], 0
    for path in args.images:
        try:
            chances = probabilities(net, prepare_digit(read_image(path))[None])[0]
        except ImageError as error:
            code = _complain(f"{path}: {error}")
            continue
        top = [{"digit": int(i), "probability": float(chances[i])} for i in chances.argsort()[::-1][:3]]
        found.append({"image": path, "prediction": top[0]["digit"], "top": top})
        if not args.json:
            print(f"{path}: " + ", ".join(f"{one['digit']} {one['probability']:.2%}" for one in top))
    if args.json:
        _print_json({"model": args.model, "images": found})
    return code


# evaluate ---------------------------------------------------------------------------------------


def _evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    _model(parser)
    _limit(parser)
    _json(parser)


def _evaluate(args: argparse.Namespace) -> int:
    from cnnviz.evaluation import evaluate
    from cnnviz.keras_file import load_model

    net = _require_digits(load_model(args.model))
    x, y = _test_images(args.images)
    with _progress(f"evaluating {args.model}") as progress:
        result = evaluate(net, x, y, progress=progress)
    if args.json:
        _print_json({"model": args.model, **asdict(result), "accuracy": result.accuracy})
    else:
        print(
            f"{args.model}: accuracy {result.accuracy:.2%} ({result.correct:,} of {result.images:,} "
            f"test images), loss {result.loss:.4f}"
        )
    return 0


# verify -----------------------------------------------------------------------------------------


def _verify_arguments(parser: argparse.ArgumentParser) -> None:
    _model(parser, default=None)
    _limit(parser)
    parser.add_argument(
        "--record", action="store_true", help="keep the result with the bundled models, for the explorer"
    )
    _json(parser)


def _verify(args: argparse.Namespace) -> int:
    from cnnviz.keras_file import load_model
    from cnnviz.verification import verify, write_record

    if args.record and (args.model or args.images):
        raise ValueError("--record takes the bundled models on all test images: leave out MODEL and --images")
    nets = [_require_digits(load_model(name)) for name in ([args.model] if args.model else MODELS)]
    x, _ = _test_images(args.images)
    _import_tensorflow()
    results = []
    for net in nets:
        with _progress(f"verifying {net.name}") as progress:
            results.append(verify(net, x, progress=progress))
        if not args.json:
            print(results[-1], end="\n\n" if len(nets) > len(results) else "\n", flush=True)
    if args.json:
        _print_json([result.to_dict() for result in results])
    passed = all(result.passed for result in results)
    if args.record and passed:
        write_record(results)
    return 0 if passed else 1


# train ------------------------------------------------------------------------------------------


def _train_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="mnist_14k or mnist_maxpool")
    parser.add_argument("--recipe", help="a recipe by name (default: the model's first)")
    parser.add_argument("--epochs", type=_count, metavar="N", help="another number of epochs")
    parser.add_argument(
        "--data", metavar="FILE", help="an npz file with x_train and y_train (default: MNIST)"
    )
    parser.add_argument("--out", default="runs", metavar="DIR", help="where the files go (default: runs)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all that is random (default: 0)")
    parser.add_argument("--resume", action="store_true", help="go on from the last complete epoch in DIR")
    parser.add_argument(
        "--validate", action="store_true", help="hold 5,000 images out and report on them, train on the rest"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace a model that is in DIR, a bundled one included"
    )
    _json(parser)


def _train(args: argparse.Namespace) -> int:
    from cnnviz import training

    if args.model not in training.RECIPES:
        raise ValueError(f"train takes one of {', '.join(training.RECIPES)}, got {args.model!r}")
    recipes = training.RECIPES[args.model]
    name = args.recipe or next(iter(recipes))
    if name not in recipes:
        raise ValueError(f"recipes of {args.model} are {', '.join(recipes)}, got {name!r}")
    if args.seed < 0:
        raise ValueError(f"--seed must be 0 or more, got {args.seed}")
    recipe = replace(recipes[name], epochs=args.epochs) if args.epochs else recipes[name]
    files = training.RunFiles(Path(args.out), args.model)
    if files.model.exists() and not (args.resume or args.overwrite):
        raise ValueError(
            f"{files.model} is there already: choose another --out, or --overwrite it, or --resume its run"
        )
    images, labels = training.read_data(args.data)
    validation = None
    if args.validate:
        (images, labels), validation = training.split(images, labels)
    _import_tensorflow()
    with _progress(f"training {args.model}") as bar:

        def progress(epoch: int, epochs: int, step: int, steps: int, logs: dict[str, float]) -> None:
            if step:
                bar(step, steps, f"epoch {epoch + 1}/{epochs} loss {logs['loss']:.4f}")
                return
            shown = (
                f"{key} {logs[key]:.4f}"
                for key in ("loss", "accuracy", "val_loss", "val_accuracy")
                if key in logs
            )
            if not args.json:
                print(
                    ("\r\x1b[K" if sys.stderr.isatty() else "")
                    + f"epoch {epoch}/{epochs}: "
                    + ", ".join(shown),
                    flush=True,
                )

        history = training.train(
            args.model,
            recipe,
            args.out,
            images,
            labels,
            validation=validation,
            seed=args.seed,
            resume=args.resume,
            progress=progress,
        )
    if args.json:
        _print_json({"files": [str(files.model), str(files.history), str(files.epochs)], **history})
    else:
        print(f"saved {files.model}; see how good it is: cnnviz evaluate {files.model}")
    return 0


# info -------------------------------------------------------------------------------------------


def _info_arguments(parser: argparse.ArgumentParser) -> None:
    _model(parser)
    _json(parser)


def _info(args: argparse.Namespace) -> int:
    from cnnviz.keras_file import load_model
    from cnnviz.receptive_fields import receptive_field

    net = load_model(args.model)
    fields = receptive_field(net)
    total, trainable, fixed = net.count_params()
    layers: list[dict[str, Any]] = [
        {
            "name": layer.name,
            "kind": layer.kind,
            "output_shape": layer.output_shape,
            "params": layer.params if layer.owner == layer.name else 0,
            "multiply_adds": layer.multiply_adds,
            "receptive_field": fields[layer.name].size if layer.name in fields else None,
        }
        for layer in net
    ]
    counts = [row["multiply_adds"] for row in layers]
    products = None if None in counts else sum(counts)
    if args.json:
        params = {"total": total, "trainable": trainable, "non_trainable": fixed}
        _print_json({"model": args.model, "layers": layers, "params": params, "multiply_adds": products})
        return 0
    heads = ("layer", "kind", "output", "parameters", "multiply-adds", "receptive field")
    rows = [
        (
            layer.name,
            layer.kind,
            " x ".join("?" if n is None else str(n) for n in layer.output_shape),
            f"{row['params']:,}",
            _number(row["multiply_adds"]),
            fields[layer.name].label if layer.name in fields else "-",
        )
        for layer, row in zip(net, layers, strict=True)
    ]
    print("\n".join(_table([heads, *rows], right=frozenset({3, 4, 5}))))
    print(f"{total:,} parameters: {trainable:,} trainable, {fixed:,} non-trainable")
    print(f"{_number(products)} multiply-adds for one image")
    return 0


def _number(value: int | None) -> str:
    return "?" if value is None else f"{value:,}"


COMMANDS: Iterable[Command] = (
    Command(
        "explore",
        "open the explorer in the browser",
        _explore_arguments,
        _explore,
        ("cnnviz explore", "cnnviz explore --port 8600 --no-browser"),
    ),
    Command(
        "predict",
        "name the digit on a picture: the three likeliest, with probabilities",
        _predict_arguments,
        _predict,
        ("cnnviz predict seven.png photo.jpg", "cnnviz predict seven.png --model mnist_maxpool --json"),
    ),
    Command(
        "evaluate",
        "accuracy and loss on the 10,000 test images, by the NumPy engine",
        _evaluate_arguments,
        _evaluate,
        ("cnnviz evaluate", "cnnviz evaluate runs/mnist_14k.keras --json"),
    ),
    Command(
        "verify",
        "compare every layer with TensorFlow on the 10,000 test images (needs TensorFlow)",
        _verify_arguments,
        _verify,
        ("cnnviz verify", "cnnviz verify mnist_14k --images 500"),
    ),
    Command(
        "train",
        "train a bundled architecture on MNIST (needs TensorFlow)",
        _train_arguments,
        _train,
        (
            "cnnviz train mnist_14k --out runs/mine --seed 1",
            "cnnviz train mnist_maxpool --validate --epochs 3",
        ),
    ),
    Command(
        "info",
        "the layer table: output shape, parameters, multiply-adds, receptive field",
        _info_arguments,
        _info,
        ("cnnviz info", "cnnviz info mnist_maxpool --json"),
    ),
)
