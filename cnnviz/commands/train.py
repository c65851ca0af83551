"""cnnviz train: a bundled architecture, trained by one of its recipes, or a network of one's own."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnviz.commands.shared import (
    Command,
    Interruption,
    add_json,
    complain,
    count,
    import_tensorflow,
    print_json,
    progress_bar,
    say,
    seed,
    table,
    whole_numbers,
)

if TYPE_CHECKING:
    from cnnviz.training import Recipe

ENGINES = ("numpy", "tensorflow")
FIGURES = ("loss", "accuracy", "val_loss", "val_accuracy")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model", metavar="MODEL", help="mnist_14k or mnist_maxpool from random weights; or a .keras file"
    )
    parser.add_argument("--recipe", help="a recipe by name (default: the model's first)")
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default="numpy",
        help="what computes (default: numpy; tensorflow is for the bundled architectures)",
    )
    parser.add_argument("--epochs", type=count, metavar="N", help="another number of epochs")
    parser.add_argument("--batch-size", type=count, metavar="N", help="another number of images a step")
    parser.add_argument("--learning-rate", type=float, metavar="X", help="another learning rate")
    parser.add_argument(
        "--data",
        metavar="PATH",
        help="an npz file with x_train and y_train, or a folder with a sub-folder for each class "
        "(default: MNIST)",
    )
    parser.add_argument("--out", default="runs", metavar="DIR", help="where the files go (default: runs)")
    parser.add_argument(
        "--name", metavar="NAME", help="what the files are called (default: the model's name)"
    )
    parser.add_argument(
        "--keep",
        type=whole_numbers,
        metavar="N,N,...",
        help="of which epochs to keep the weights, beside the first and the last (default: of all)",
    )
    parser.add_argument(
        "--seed", type=seed, default=0, metavar="N", help="of all that is random (default: 0)"
    )
    parser.add_argument(
        "--initialize", action="store_true", help="begin a file's network with random weights, by --seed"
    )
    parser.add_argument("--resume", action="store_true", help="go on with the run in DIR where it was left")
    parser.add_argument(
        "--validate",
        action="store_true",
        help="hold images out (5,000, of fewer than 50,000 a tenth) and report on them, train on the rest",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace a model that is in DIR, a bundled one included"
    )
    parser.add_argument(
        "--selections",
        action="store_true",
        help="train nothing; list the runs that chose between the recipes",
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from cnnviz import training
    from cnnviz.network.keras_file import load_model

    if args.selections:
        if args.model not in training.RECIPES:
            raise ValueError(f"--selections is for {' and '.join(training.RECIPES)}, got {args.model!r}")
        return list_selections(args.model, args.json)
    model: Any = args.model
    if args.model in training.RECIPES:
        if args.initialize:
            raise ValueError(f"--initialize is for a file: {args.model} begins with random weights")
        net = load_model(args.model)
    else:
        net = load_model(args.model)
        model = net = net.initialized(args.seed) if args.initialize else net
    recipe = recipe_of(args)
    name = args.name or (args.model if isinstance(model, str) else Path(args.model).stem)
    if Path(name).name != name:
        raise ValueError(f"--name must be what files are called, without a folder, got {args.name!r}")
    files = training.RunFiles(Path(args.out), name)
    if args.keep and max(args.keep) > recipe.epochs:
        raise ValueError(f"--keep must be epochs up to the last one, {recipe.epochs}, got {max(args.keep)}")
    if files.model.exists() and not (args.resume or args.overwrite):
        raise ValueError(
            f"{files.model} is there already: choose another --out, or --overwrite it, or --resume its run"
        )
    with progress_bar(f"reading {args.data or 'MNIST'}") as reading:
        images, labels = training.read_data(args.data, net, progress=reading, skip=_say_skipped)
    validation = None
    if args.validate:
        (images, labels), validation = training.split(images, labels)
    with Interruption() as interruption, progress_bar(f"training {name}", interruption.check) as bar:
        if args.engine == "tensorflow":
            import_tensorflow()

        ended = 0

        def progress(epoch: int, epochs: int, step: int, steps: int, logs: Mapping[str, float]) -> None:
            nonlocal ended
            if step:
                bar(step, steps, f"epoch {epoch + 1}/{epochs} loss {logs['loss']:.4f}")
                return
            ended = epoch
            if not args.json:
                bar.clear()
                shown = [f"{key} {logs[key]:.4f}" for key in FIGURES if key in logs]
                say(f"epoch {epoch}/{epochs}: {', '.join(shown)}", flush=True)

        try:
            history = training.train(
                model,
                recipe,
                args.out,
                images,
                labels,
                engine=args.engine,
                name=name,
                validation=validation,
                seed=args.seed,
                resume=args.resume,
                progress=progress,
            )
        except training.LossNotFinite as error:
            kept = f"{files.model} holds the weights after epoch {ended}" if ended else "nothing was saved"
            raise ValueError(f"{error}; {kept}") from None
    if args.keep is not None:
        files.thin(args.keep)
    if args.json:
        print_json({"files": [str(files.model), str(files.history), str(files.epochs)], **history})
    else:
        data = "" if args.data is None else f" --images {args.data}"
        say(f"saved {files.model}; see how good it is: cnnviz evaluate {files.model}{data}")
    return 0


def _say_skipped(name: str, why: str) -> None:
    complain(f"{name}: {why}")


def recipe_of(args: argparse.Namespace) -> Recipe:
    """The recipe that was asked for, with the options that were given beside it."""
    from cnnviz import training

    recipes = training.RECIPES.get(args.model, {"plain": training.OWN_RECIPE})
    name = args.recipe or next(iter(recipes))
    if name not in recipes:
        raise ValueError(f"recipes of {args.model} are {', '.join(recipes)}, got {name!r}")
    if args.learning_rate is not None and not 0 <= args.learning_rate < math.inf:
        raise ValueError(f"--learning-rate must be a finite number, 0 or more, got {args.learning_rate}")
    given = {option: getattr(args, option) for option in ("epochs", "batch_size", "learning_rate")}
    return replace(recipes[name], **{option: value for option, value in given.items() if value is not None})


def list_selections(model: str, as_json: bool) -> int:
    from cnnviz.numbers import percent
    from cnnviz.training.selection import read_selections

    found = read_selections(model)
    if as_json:
        print_json(
            [
                {
                    "recipe": one.name,
                    "seeds": one.seeds,
                    "validation_accuracies": one.accuracies.tolist(),
                    "validation_losses": one.losses.tolist(),
                }
                for one in found
            ]
        )
        return 0
    rows = [("recipe", "seeds", "validation accuracy", "mean", "spread in points", "mean loss")]
    for one in found:
        rows.append(
            (
                one.name,
                ", ".join(map(str, one.seeds)),
                ", ".join(percent(accuracy) for accuracy in one.accuracies),
                percent(one.accuracies.mean(), 3),
                "-" if len(one.runs) < 2 else f"{100 * one.spread:.3f}",
                f"{one.losses.mean():.4f}",
            )
        )
    for line in table(rows, frozenset({3, 4, 5})):
        say(line)
    return 0


COMMAND = Command(
    "train",
    "train a bundled architecture on MNIST, or a network of your own",
    arguments,
    run,
    (
        "cnnviz train mnist_maxpool --epochs 3 --validate",
        "cnnviz train mnist_14k --out runs/mine --seed 1",
        "cnnviz train my_model.keras --data pictures/",
    ),
)
