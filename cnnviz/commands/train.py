"""cnnviz train: a bundled architecture, trained by one of its recipes."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from cnnviz.commands.shared import (
    Command,
    Interruption,
    add_json,
    count,
    import_tensorflow,
    print_json,
    say,
    table,
    whole_numbers,
)
from cnnviz.numbers import percent
from cnnviz.training.progress import ProgressBar

FIGURES = ("loss", "accuracy", "val_loss", "val_accuracy")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="mnist_14k or mnist_maxpool")
    parser.add_argument("--recipe", help="a recipe by name (default: the model's first)")
    parser.add_argument("--epochs", type=count, metavar="N", help="another number of epochs")
    parser.add_argument(
        "--data", metavar="FILE", help="an npz file with x_train and y_train (default: MNIST)"
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
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all that is random (default: 0)")
    parser.add_argument("--resume", action="store_true", help="go on from the last complete epoch in DIR")
    parser.add_argument(
        "--validate", action="store_true", help="hold 5,000 images out and report on them, train on the rest"
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

    if args.model not in training.RECIPES:
        raise ValueError(f"train takes one of {', '.join(training.RECIPES)}, got {args.model!r}")
    if args.selections:
        return list_selections(args.model, args.json)
    recipes = training.RECIPES[args.model]
    name = args.recipe or next(iter(recipes))
    if name not in recipes:
        raise ValueError(f"recipes of {args.model} are {', '.join(recipes)}, got {name!r}")
    if args.seed < 0:
        raise ValueError(f"--seed must be 0 or more, got {args.seed}")
    recipe = replace(recipes[name], epochs=args.epochs) if args.epochs else recipes[name]
    if args.name is not None and (not args.name or Path(args.name).name != args.name):
        raise ValueError(f"--name must be what files are called, without a folder, got {args.name!r}")
    files = training.RunFiles(Path(args.out), args.name or args.model)
    if args.keep and max(args.keep) > recipe.epochs:
        raise ValueError(f"--keep must be epochs up to the last one, {recipe.epochs}, got {max(args.keep)}")
    if files.model.exists() and not (args.resume or args.overwrite):
        raise ValueError(
            f"{files.model} is there already: choose another --out, or --overwrite it, or --resume its run"
        )
    images, labels = training.read_data(args.data)
    validation = None
    if args.validate:
        if len(images) <= training.VALIDATION_IMAGES:
            raise ValueError(
                f"--validate holds {training.VALIDATION_IMAGES:,} images out, "
                f"but there are only {len(images):,}"
            )
        (images, labels), validation = training.split(images, labels)
    with Interruption() as interruption, ProgressBar(f"training {args.model}", interruption.check) as bar:
        import_tensorflow()

        def progress(epoch: int, epochs: int, step: int, steps: int, logs: dict[str, float]) -> None:
            if step:
                bar(step, steps, f"epoch {epoch + 1}/{epochs} loss {logs['loss']:.4f}")
                return
            if not args.json:
                bar.clear()
                shown = [f"{key} {logs[key]:.4f}" for key in FIGURES if key in logs]
                say(f"epoch {epoch}/{epochs}: {', '.join(shown)}", flush=True)

        history = training.train(
            args.model,
            recipe,
            args.out,
            images,
            labels,
            name=args.name,
            validation=validation,
            seed=args.seed,
            resume=args.resume,
            progress=progress,
        )
    if args.keep is not None:
        files.thin(args.keep)
    if args.json:
        print_json({"files": [str(files.model), str(files.history), str(files.epochs)], **history})
    else:
        say(f"saved {files.model}; see how good it is: cnnviz evaluate {files.model}")
    return 0


def list_selections(model: str, as_json: bool) -> int:
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
    "train a bundled architecture on MNIST (needs TensorFlow)",
    arguments,
    run,
    ("cnnviz train mnist_14k --out runs/mine --seed 1", "cnnviz train mnist_maxpool --validate --epochs 3"),
)
