"""The command line: what it prints, and that bad input is one line and exit code 2."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cnnviz
from cnnviz.commands import cli, explore, main
from cnnviz.commands.cli import COMMANDS
from cnnviz.commands.shared import Interruption
from cnnviz.images.mnist import load_mnist
from cnnviz.layers import ENTRIES
from cnnviz.resources import asset
from cnnviz.training.history import read_history
from cnnviz.training.progress import ProgressBar
from cnnviz.verification.applications import ApplicationCheck
from cnnviz.verification.training_verification import read_training_record

X, Y = load_mnist()[1]
ROOT = Path(cnnviz.__file__).parents[1]


@pytest.fixture
def seven(tmp_path):
    path = tmp_path / "seven.png"
    Image.fromarray(255 - np.kron(X[0], np.ones((8, 8), np.uint8))).save(path)
    return str(path)


def run(capsys, *arguments: str) -> str:
    assert main(arguments) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def refused(capsys, *arguments: str) -> str:
    """The one line that bad input gets."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


# Help -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [command.name for command in COMMANDS])
def test_help_shows_examples(capsys, name):
    assert f"  cnnviz {name}" in run(capsys, "--help")
    own = run(capsys, name, "--help")
    assert re.search(rf"examples:\n  cnnviz {name}", own)


def test_every_example_is_understood():
    parser = cli._parser()
    for command in COMMANDS:
        for example in command.examples:
            assert parser.parse_args(example.split()[1:]).run is command.run


def test_help_imports_nothing_heavy():
    program = (
        "import sys; from cnnviz.commands import main; main(['--help']);"
        "print(sorted(set(sys.modules) & {'numpy', 'tensorflow', 'streamlit'}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.stderr.strip() == "[]"


def test_it_runs_as_a_module_and_knows_its_version():
    done = subprocess.run(
        [sys.executable, "-m", "cnnviz", "info", "nothing"], capture_output=True, text=True, cwd=ROOT
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("cnnviz: there is no file 'nothing'")


# The commands -----------------------------------------------------------------------------------


def test_info_prints_the_counts(capsys):
    out = run(capsys, "info")
    assert "14,060 parameters: 13,848 trainable, 212 non-trainable" in out
    row = next(line for line in out.splitlines() if line.startswith("conv2d_3 "))
    assert row.split() == ["conv2d_3", "Conv2D", "10", "x", "10", "x", "16", "1,456", "144,000", "10"]
    data = json.loads(run(capsys, "info", "mnist_14k", "--json"))
    assert data["params"] == {"total": 14060, "trainable": 13848, "non_trainable": 212}
    sizes = {layer["name"]: layer["receptive_field"] for layer in data["layers"]}
    assert [sizes[name] for name in ("conv2d", "max_pooling2d", "conv2d_7")] == [[3, 3], [6, 6], [28, 28]]
    assert sum(layer["params"] for layer in data["layers"]) == 14060
    assert data["multiply_adds"] == sum(layer["multiply_adds"] for layer in data["layers"]) == 1_930_432


def test_predict_prints_the_three_likeliest(capsys, seven):
    one = r"\d \([<>]? ?\d+\.\d\d %\)"
    out = run(capsys, "predict", seven)
    assert re.fullmatch(rf".*seven\.png: {one}, {one}, {one}\n", out)
    assert ": 7 (> 99.99 %), " in out, "no softmax is certain"
    data = json.loads(run(capsys, "predict", seven, seven, "--json"))
    assert [image["prediction"] for image in data["images"]] == [7, 7]
    chances = [one["probability"] for one in data["images"][0]["top"]]
    assert chances == sorted(chances, reverse=True)
    assert len(chances) == 3


def test_predict_draws_nothing(seven):
    program = (
        f"import sys; from cnnviz.commands import main; main(['predict', {seven!r}]);"
        "print('matplotlib' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.stderr.strip() == "False"


def test_predict_goes_on_after_a_bad_picture(capsys, seven, tmp_path):
    text = tmp_path / "text.png"
    text.write_text("no picture")
    assert main(["predict", str(text), seven]) == 2
    captured = capsys.readouterr()
    assert captured.err == f"cnnviz: {text}: the file is not a PNG, JPEG, WebP or GIF image\n"
    assert captured.out.startswith(f"{seven}: 7")


def test_evaluate_reports_accuracy_and_loss(capsys):
    assert re.fullmatch(
        r"mnist_14k: accuracy \d+\.\d\d% \(\d+ of 200 test images\), loss 0\.\d{4}\n",
        run(capsys, "evaluate", "--images", "200"),
    )
    data = json.loads(run(capsys, "evaluate", str(asset("mnist_14k.keras")), "--images", "200", "--json"))
    net = cnnviz.load_model("mnist_14k")
    assert data["correct"] == int((net.predict(X[:200]).argmax(axis=1) == Y[:200]).sum())
    assert data["images"] == 200


def test_verify_passes_and_fails_with_its_exit_code(capsys, monkeypatch, tmp_path):
    assert "PASSED" in run(capsys, "verify", "mnist_14k", "--images", "4")
    data = json.loads(run(capsys, "verify", "mnist_14k", "--images", "4", "--json"))
    assert data[0]["passed"]
    assert data[0]["identical"] == 4
    broken = cnnviz.load_model("mnist_14k").with_weights({"conv2d/bias": np.full(16, 0.5)})
    monkeypatch.setattr("cnnviz.network.keras_file.load_model", lambda name: broken)
    assert main(["verify", "mnist_14k", "--images", "4"]) == 1
    assert "FAILED" in capsys.readouterr().out


def test_training_is_verified_with_its_exit_code_and_record(capsys, monkeypatch, tmp_path):
    """The command around what `verify_training` finds, which is tested where it is made."""
    found = read_training_record()
    module, kept = "cnnviz.verification.training_verification", []
    monkeypatch.setattr(f"{module}.write_training_record", kept.append)

    def verified(words, *, pairs, progress):
        assert (words, pairs) == ([], 1)
        for check in found.checks:
            progress(check)
        return found

    monkeypatch.setattr(f"{module}.verify_training", verified)
    printed = run(capsys, "verify", "--training", "--record")
    assert printed.endswith("PASSED\n")
    assert "mnist_14k, AdamW" in printed
    assert kept == [found]
    assert len(json.loads(run(capsys, "verify", "--training", "--json"))["checks"]) == len(found.checks)
    found = replace(found, checks=(replace(found.checks[0], shares={1: 2.0}),))
    assert main(["verify", "--training", "--record"]) == 1
    assert "FAILED: 1 of 1" in capsys.readouterr().out
    assert len(kept) == 1


def small(folder: Path, *layers, shape=(None, None, 1)) -> str:
    """An untrained network, in a file."""
    keras = pytest.importorskip("keras")
    path = folder / "small.keras"
    model = keras.Sequential([keras.Input(shape), *layers], name="small")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save(path)
    return str(path)


def test_a_network_that_takes_any_size_takes_digits(capsys, tmp_path, seven):
    from keras import layers as L

    conv = L.Conv2D(10, 3, name="conv")
    path = small(tmp_path, conv, L.GlobalAveragePooling2D(), L.Softmax())
    assert "of 20 test images" in run(capsys, "evaluate", path, "--images", "20")
    assert "PASSED" in run(capsys, "verify", path, "--images", "5")
    assert "? x ? x 10" in run(capsys, "verify", path, "--images", "5")
    assert seven in run(capsys, "predict", seven, "--model", path)
    assert "test digit" in run(capsys, "exciting", "conv", "3", "--model", path)
    of_colours = small(tmp_path, L.GlobalAveragePooling2D(), shape=(None, None, 3))
    assert main(["evaluate", of_colours]) == 2
    assert "small takes (None, None, 3), not 28 x 28 digits" in capsys.readouterr().err


def test_a_network_without_maps_excites_no_channel(capsys, tmp_path):
    from keras import layers as L

    path = small(tmp_path, L.Flatten(), L.Dense(2, name="scores"), shape=(28, 28, 1))
    assert main(["exciting", "scores", "1", "--model", path]) == 2
    assert "has no layer with maps, so no channel to excite" in capsys.readouterr().err


def test_half_precision_is_said(capsys, tmp_path):
    from keras import layers as L

    layers = [L.Conv2D(2, 3, dtype="bfloat16"), L.Flatten(dtype="bfloat16"), L.Dense(2)]
    path = small(tmp_path, *layers, shape=(28, 28, 1))
    note = "Keras computes 2 of 4 layers in bfloat16; here they run in float32."
    assert note in run(capsys, "info", path)
    assert json.loads(run(capsys, "info", path, "--json"))["notes"] == [note]
    assert f"{note}\nPASSED" in run(capsys, "verify", path, "--images", "5")


def test_supported_lists_every_class(capsys):
    said = run(capsys, "supported")
    listed, legend = said.split("\n\n")
    assert set(re.findall(r"[\w.]+", listed)) >= set(ENTRIES)
    assert "GroupQueryAttention*," in listed
    rows = json.loads(run(capsys, "supported", "--json"))
    # The page computes every class: no mark says otherwise, and none is explained that no class bears.
    assert all(row["browser"] for row in rows)
    assert {line[0] for line in legend.splitlines()} == set(re.findall(r"[*°+]", listed))
    assert [row["class"] for row in rows if row["family"] == "dense"] == ["Dense"]
    assert sorted(row["class"] for row in rows) == sorted(ENTRIES)


def test_supported_compares_applications(capsys, monkeypatch):
    def check(name):
        good = ApplicationCheck(name, 32, 91, 3_239_114, 0.331, "conv1", (0.24, 4.1), 2.0)
        return {
            "MobileNet": good,
            "Xception": replace(good, name="Xception", share=1.5),
            "VGG16": ApplicationCheck("VGG16", problem="skipped: too large"),
        }[name]

    monkeypatch.setattr("cnnviz.verification.applications.check_application", check)
    heads, row, last = run(capsys, "supported", "--applications", "MobileNet", "VGG16").splitlines()
    assert heads.split()[:2] == ["network", "input"]
    assert row.split() == ["MobileNet", "32", "x", "32", "91", "3,239,114", "33%", "0.24", "to", "4.1", "2"]
    assert last == "VGG16: skipped: too large"
    assert main(["supported", "--applications", "Xception"]) == 1
    assert "150% in conv1  FAILED" in capsys.readouterr().out
    data = json.loads(run(capsys, "supported", "--applications", "VGG16", "--json"))
    assert data[0]["share"] is None


def test_evaluate_goes_through_the_epochs(capsys):
    said = run(capsys, "evaluate", "mnist_maxpool", "--epochs", "--images", "100").splitlines()
    assert re.split(r" {2,}", said[0])[1:3] == ["test accuracy", "test loss"]
    assert [line.split()[0] for line in said[1:]] == [str(epoch) for epoch in range(21)]
    data = json.loads(run(capsys, "evaluate", "mnist_maxpool", "--epochs", "--images", "100", "--json"))
    assert data["images"] == 100
    assert said[-1].split()[1] == f"{data['test_accuracy'][20]:.2%}" == "100.00%"
    assert data["test_loss"][0] > 2


def test_train_writes_a_model_that_evaluate_takes(capsys, tmp_path):
    data = tmp_path / "few.npz"
    np.savez(data, x_train=X[:300], y_train=Y[:300])
    out = tmp_path / "runs"
    command = ("train", "mnist_maxpool", "--epochs", "1", "--data", str(data), "--out", str(out))
    assert re.search(r"epoch 1/1: loss \d\.\d+, accuracy 0\.\d+\nsaved ", run(capsys, *command))
    assert sorted(path.name for path in out.iterdir()) == [
        "mnist_maxpool.epochs.npz",
        "mnist_maxpool.history.json",
        "mnist_maxpool.keras",
    ]
    assert "accuracy" in run(capsys, "evaluate", str(out / "mnist_maxpool.keras"), "--images", "10")
    assert "is there already" in refused(capsys, *command)
    assert "val_accuracy" in run(capsys, *command, "--validate", "--overwrite")
    assert "nothing to resume" in refused(capsys, *command, "--resume")
    run(capsys, *command, "--epochs", "3", "--name", "mine", "--keep", "1")
    assert read_history("mine", out).kept == (0, 1, 3)


def test_train_lists_the_runs_that_chose_a_recipe(capsys):
    lines = run(capsys, "train", "mnist_14k", "--selections").splitlines()
    found = json.loads(run(capsys, "train", "mnist_14k", "--selections", "--json"))
    assert [line.split()[0] for line in lines] == ["recipe", *(one["recipe"] for one in found)]
    for line, one in zip(lines[1:], found, strict=True):
        assert f"{100 * np.mean(one['validation_accuracies']):.3f} %" in line
        assert len(one["seeds"]) == len(one["validation_accuracies"])
        if len(one["seeds"]) > 1:
            assert f" {100 * np.std(one['validation_accuracies'], ddof=1):.3f} " in line


# Bad input --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["explain"], "invalid choice: 'explain'"),
        (["predict"], "the following arguments are required: IMAGE"),
        (["predict", "nothing.png"], "nothing.png: cannot read the image: No such file or directory"),
        (["predict", "x.png", "--model", "no.keras"], "there is no file 'no.keras'"),
        (["evaluate", "no.keras"], "there is no file 'no.keras'; bundled models are mnist_14k"),
        (["evaluate", "--record"], "--record keeps what --epochs finds: give both"),
        (["evaluate", "--epochs", "--record", "--images", "9"], "--record takes all test images"),
        (["evaluate", "no.keras", "--epochs"], "--epochs takes mnist_14k or mnist_maxpool, got 'no.keras'"),
        (["evaluate", "--images", "0"], "must be a positive whole number, got '0'"),
        (["info", __file__], "test_cli.py"),
        (["verify", "no.keras"], "there is no file 'no.keras'"),
        (["verify", "mnist_14k", "--record"], "leave out MODEL"),
        (["verify", "--pairs", "3"], "--pairs is about training: add --training"),
        (["verify", "--training", "--images", "9"], "--training makes its own images: leave out --images"),
        (["verify", "--training", "--record", "Dense"], "--record takes everything: leave out MODEL"),
        (["verify", "--training", "Dance"], "nothing that is trained is called Dance: name a class of Keras"),
        (["explore", "--port", "http"], "a port is a number from 1 to 65535, got 'http'"),
        (["explore", "--port", "70000"], "a port is a number from 1 to 65535, got '70000'"),
        (["explore", "--images", "photos"], "are for a network: name its FILE"),
        (["explore", "mnist_maxpool"], "mnist_maxpool is in the explorer anyway: name a FILE of your own"),
        (["explore", "no.keras"], "there is no file 'no.keras'"),
        (["explore", "--address", "no.such.host.invalid"], "--address must be this machine's name"),
        (
            ["export", "--digits", "0", "-o", "no/x.html"],
            "cnnviz: there is no folder no to write x.html in\n",
        ),
        (["train", "lenet"], "there is no file 'lenet'; bundled models are mnist_14k, mnist_maxpool"),
        (["train", "mnist_14k", "--initialize"], "--initialize is for a file"),
        (["train", "mnist_14k", "--learning-rate", "nan"], "--learning-rate must be a finite number"),
        (["train", "mnist_14k", "--recipe", "worst"], "recipes of mnist_14k are best, notes"),
        (["train", "mnist_14k", "--data", "no.npz"], "cannot read no.npz: No such file or directory"),
        (["train", "mnist_14k", "--data", __file__], "is not an npz file with x_train and y_train"),
        (["train", "mnist_14k", "--seed", "-1"], "--seed: must be a whole number from 0, got '-1'"),
        (
            ["train", "mnist_14k", "--seed", str(2**63)],
            "--seed: must be a whole number from 0, at most 2,147",
        ),
        (
            ["train", "mnist_14k", "--epochs", "9" * 5000],
            "--epochs: must be a positive whole number, at most",
        ),
        (["train", "mnist_14k", "--keep", "9" * 5000], "--keep: must be whole numbers with commas between"),
        (["predict", "x.png", "--limit", "9" * 30], "--limit: must be a positive whole number, at most"),
        (["bench", "--threads", str(10**17)], "--threads must be from 1 to 256, got 100000000000000000"),
        (["train", "mnist_14k", "--name", "runs/mine"], "--name must be what files are called, without a"),
        (["train", "mnist_14k", "--keep", "1,41"], "--keep must be epochs up to the last one, 40, got 41"),
        (["train", "mnist_14k", "--keep", "1,-2"], "must be whole numbers with commas between, got '1,-2'"),
        (["train", "mnist_14k", "--out", str(asset(""))], "mnist_14k.keras is there already"),
    ],
)
def test_bad_input_gets_one_line(capsys, arguments, message):
    assert message in refused(capsys, *arguments)


def test_a_port_that_is_taken_is_named(capsys):
    with socket.create_server(("localhost", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"cannot listen on localhost, port {port}" in refused(capsys, "explore", "--port", port)


@pytest.mark.parametrize(
    "command",
    [
        ["verify", "mnist_14k"],
        ["verify", "--training"],
        ["train", "mnist_14k", "--engine", "tensorflow"],
        ["supported", "--applications"],
    ],
)
def test_without_tensorflow_it_says_what_to_type(capsys, monkeypatch, tmp_path, command):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    monkeypatch.chdir(tmp_path)
    assert "pip install 'cnnviz[tensorflow]'" in refused(capsys, *command)


def test_interrupting_is_quiet(capsys, monkeypatch):
    def interrupt(name):
        raise KeyboardInterrupt

    monkeypatch.setattr("cnnviz.network.keras_file.load_model", interrupt)
    assert main(["info"]) == 130
    assert capsys.readouterr() == ("", "")


@pytest.fixture
def interruptible():
    """A process that was started in the background may be deaf to Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("dropped_as", [None, RuntimeError])
def test_an_interruption_that_a_library_drops_is_raised_at_the_next_step(dropped_as):
    steps = []
    before = signal.getsignal(signal.SIGINT)

    def work(step):
        try:
            if step == 2:
                signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            if dropped_as is not None:
                raise dropped_as("an operation failed") from None

    def work_through():
        with Interruption() as interruption:
            bar = ProgressBar("working", interruption.check)
            for step in range(5):
                bar(step, 5)
                steps.append(step)
                work(step)

    with pytest.raises(KeyboardInterrupt):
        work_through()
    assert steps == [0, 1, 2]
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.usefixtures("interruptible")
def test_an_interruption_that_python_drops_is_no_traceback(capsys):
    """What comes into a finaliser or another callback is printed and forgotten."""

    class Dropping:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    reached = []

    def drop_it():
        with Interruption():
            Dropping()
            reached.append("outer")
            with Interruption() as inner:
                reached.append("inner")
                inner.check()
                reached.append("too far")

    hook = sys.unraisablehook
    with pytest.raises(KeyboardInterrupt):
        drop_it()
    assert reached == ["outer", "inner"]
    assert capsys.readouterr() == ("", "")
    assert sys.unraisablehook is hook


@pytest.mark.usefixtures("interruptible")
def test_an_interruption_before_a_command_begins_is_quiet(capsys, monkeypatch):
    monkeypatch.setattr("cnnviz.commands.cli._make_outputs_safe", lambda: signal.raise_signal(signal.SIGINT))
    assert main(["info"]) == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("interruptible")
def test_an_interruption_at_the_very_end_is_not_lost_and_a_process_deaf_to_it_stays_so():
    with pytest.raises(KeyboardInterrupt), Interruption(), contextlib.suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruption():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    with ThreadPoolExecutor() as threads, Interruption():
        threads.submit(Interruption().__enter__).result()


@pytest.fixture
def foreign(tmp_path):
    """A folder whose files say "foreign" when they are run in the place of those that cnnviz imports."""
    names = [
        "numpy",
        "scipy",
        "matplotlib",
        "PIL",
        "h5py",
        "streamlit",
        "threadpoolctl",
        "tensorflow",
        "keras",
    ]
    names += ["argparse", "json", "hashlib", "zipfile", "cached", "cnnviz_stage", "altair", "pandas", "click"]
    names += ["sitecustomize", "usercustomize"]
    for name in names:
        (tmp_path / f"{name}.py").write_text("print('foreign', flush=True)\nraise SystemExit(99)\n")
    return tmp_path


@pytest.mark.parametrize("arguments", [("info",), ("evaluate", "--images", "5"), ("predict", "{seven}")])
def test_nothing_of_the_current_folder_is_run(foreign, seven, arguments):
    command = [part.format(seven=seven) for part in arguments]
    done = subprocess.run(
        [sys.executable, "-m", "cnnviz", *command],
        capture_output=True,
        text=True,
        cwd=foreign,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "foreign" not in done.stdout


def test_what_is_exported_to_stdout_is_the_page_alone(tmp_path):
    command = [sys.executable, "-m", "cnnviz", "export", "--digits", "3", "-o", "/dev/stdout"]
    piped = subprocess.run(command, capture_output=True, cwd=ROOT, check=True)
    assert piped.stdout.startswith(b"<!doctype html>")
    assert piped.stdout.rstrip().endswith(b"</html>")
    assert b"opens in any browser" in piped.stderr
    file = tmp_path / "page.html"
    file.write_text("before\n")
    with file.open("a") as opened:
        subprocess.run(command, stdout=opened, stderr=subprocess.DEVNULL, cwd=ROOT, check=True)
    written = file.read_bytes()
    assert written.startswith(b"before\n<!doctype html>")
    assert written.rstrip().endswith(b"</html>")


def test_a_reader_that_leaves_is_no_error():
    command = [sys.executable, "-m", "cnnviz", "info"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as writer:
        writer.stdout.close()
        assert writer.stderr.read() == b""
    assert writer.returncode == 0


# Terminals and servers --------------------------------------------------------------------------


def test_the_progress_bar_is_for_terminals_only(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert main(["evaluate", "--images", "20"]) == 0
    assert "evaluating mnist_14k [##############################] 20/20" in capsys.readouterr().err


def test_explore_keeps_no_memory_that_is_free_where_the_c_library_can(monkeypatch):
    asked = []

    class Library:
        def mallopt(self, option: int, value: int) -> None:
            asked.append((option, value))

    monkeypatch.setattr(explore.ctypes, "CDLL", lambda name: Library())
    explore._give_memory_back()
    assert asked == [(-8, 2), (-3, 8 * 2**20)], "M_ARENA_MAX and M_MMAP_THRESHOLD of malloc.h"
    monkeypatch.setattr(explore.ctypes, "CDLL", lambda name: object())
    explore._give_memory_back()


def test_explore_serves_the_app_from_any_directory_and_runs_nothing_that_lies_there(foreign):
    with socket.create_server(("localhost", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(foreign)}
    server = subprocess.Popen(
        [sys.executable, "-m", "cnnviz", "explore", "--no-browser", "--port", str(port)],
        cwd=foreign,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert server.stdout.readline() == f"The explorer runs at http://localhost:{port} (Ctrl-C stops it)\n"
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"http://localhost:{port}/_stcore/health") as answer:
                    assert answer.read() == b"ok"
                break
            except OSError:
                assert server.poll() is None, server.stdout.read()
                assert time.monotonic() < deadline, "the server did not answer"
                time.sleep(0.2)
        with urllib.request.urlopen(f"http://localhost:{port}/") as page:
            assert b"<title>Streamlit</title>" in page.read()
    finally:
        server.send_signal(signal.SIGINT)
        rest, _ = server.communicate(timeout=20)
    assert "Traceback" not in rest
    assert "foreign" not in rest


@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited")
@pytest.mark.parametrize("megabytes", [160, 200, 400])
def test_with_little_memory_a_command_ends_with_a_sentence(megabytes):
    """OpenBLAS waited for ever for a thread or for memory that it did not get."""
    import resource

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (megabytes * 10**6,) * 2)

    command = [sys.executable, "-m", "cnnviz", "predict", "mnist_maxpool", "no_such.png"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=ROOT, preexec_fn=limit)
    assert ended.returncode == 2
    assert ended.stderr.startswith("cnnviz: ")
    assert ("ulimit -v" in ended.stderr) == (megabytes < 320)
