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
)
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
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all that is random (default: 0)")
    parser.add_argument("--resume", action="store_true", help="go on from the last complete epoch in DIR")
    parser.add_argument(
        "--validate", action="store_true", help="hold 5,000 images out and report on them, train on the rest"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace a model that is in DIR, a bundled one included"
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
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
            validation=validation,
            seed=args.seed,
            resume=args.resume,
            progress=progress,
        )
    if args.json:
        print_json({"files": [str(files.model), str(files.history), str(files.epochs)], **history})
    else:
        say(f"saved {files.model}; see how good it is: cnnviz evaluate {files.model}")
    return 0


COMMAND = Command(
    "train",
    "train a bundled architecture on MNIST (needs TensorFlow)",
    arguments,
    run,
    ("cnnviz train mnist_14k --out runs/mine --seed 1", "cnnviz train mnist_maxpool --validate --epochs 3"),
)
