"""The engine in a worker of a page that is a single file: the same numbers as on the page's own thread."""

from __future__ import annotations

import base64
import html
from pathlib import Path

import numpy as np
import pytest

import cnnviz
from cnnviz.stage.bundle import script
from cnnviz.stage.scene import build_scene

ASKED = """async () => {
  const { RemoteEngine } = remote_engine_module;
  const bytes = base64_module.fromBase64(document.querySelector("#scene").textContent);
  const scene = scene_module.sceneOf(bytes);
  const image = scene.valuesOf(0)[0];
  const pixel = (value) => [{ kind: "values", stage: "input", at: [300], values: [value] }];
  const remote = new RemoteEngine(scene);
  const here = new engine_module.Engine(scene);
  const lists = [[], pixel(1), [{ kind: "channel", stage: "conv2d_1 relu", channel: 3 }], pixel(0.5)];
  const same = [];
  for (const changes of lists) {
    const answer = await remote.compute(image, changes);
    const expected = here.compute(image, changes);
    same.push(answer.values.every((each, s) => each.every((x, n) => Object.is(x, expected.values[s][n])))
      && JSON.stringify(answer.changed) === JSON.stringify(expected.changed));
  }
  const waiting = await Promise.all([1, 0.2, 0.3, 0.4].map((value) => remote.compute(image, pixel(value))));
  const refused = await remote.compute(image, [{ kind: "?" }]).catch((error) => error.message);
  const left = waiting.map((each) => each && each.values[0][300]);
  return { same, worker: remote.worker !== null, left, refused };
}"""


def page(folder: Path, policy: str = "") -> str:
    """A file with a scene and the engine's script."""
    run = cnnviz.load_model("mnist_14k").run(cnnviz.load_mnist()[1][0][0])
    scene = base64.b64encode(bytes(build_scene(run, 0))).decode()
    rule = f'<meta http-equiv="Content-Security-Policy" content="{html.escape(policy)}">' if policy else ""
    code = "\n".join(map(script, ("remote_engine", "base64")))
    held = f'<script type="text/plain" id="scene">{scene}</script>'
    text = f'{rule}<meta charset="utf-8">{held}<script>{code}</script>'
    (folder / "engine.html").write_text(text, encoding="utf-8")
    return (folder / "engine.html").as_uri()


@pytest.mark.parametrize("worker", [True, False])
def test_a_file_from_disk_computes_in_a_worker_or_where_that_is_forbidden_here(chromium, tmp_path, worker):
    policy = "" if worker else "worker-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'"
    context = chromium.new_context(offline=True)
    try:
        opened = context.new_page()
        opened.goto(page(tmp_path, policy))
        answer = opened.evaluate(ASKED)
    finally:
        context.close()
    assert answer["same"] == [True] * 4
    assert answer["worker"] == worker
    assert np.allclose([x for x in answer["left"] if x is not None], [1, 0.4])
    assert answer["left"][1:3] == [None, None]
    assert answer["refused"].startswith('kind must be "values"')
