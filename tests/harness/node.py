"""The browser's modules without a page: a program for Node, which gets them and answers in JSON."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import Any

import pytest

from cnnviz.stage import bundle

_PROGRAM = """
import {{ readFileSync }} from "node:fs";
const modules = {{}};
for (const name of {names}) modules[name] = await import(`{folder}/${{name}}.js`);
const answer = await ({program})(modules, JSON.parse(readFileSync(0, "utf8")));
console.log(JSON.stringify(answer));
"""


def ask_node(program: str, given: Any, *names: str) -> Any:
    """What `program`, a JavaScript function of (modules, given), returns; `names` are those of js/ it needs.

    Skips the test where there is no Node, but for CI.
    """
    node = shutil.which("node")
    if node is None:
        assert not os.environ.get("CI"), "CI must have Node"
        pytest.skip("there is no Node: apt-get install nodejs")
    folder = (bundle.HERE / "js").as_uri()
    source = _PROGRAM.format(names=json.dumps(names), folder=folder, program=program)
    done = subprocess.run(
        [node, "--input-type=module", "--eval", source],
        input=json.dumps(given, allow_nan=False),
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
