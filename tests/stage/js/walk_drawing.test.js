// Where the grids of a walk stand: on the canvas, none on another, whatever their number, sizes and the width.

import assert from "node:assert/strict";
import { test } from "node:test";

import { arrange } from "../../../cnnviz/stage/js/walk_drawing.js";

const grid = (rows, cols, border = 0) => ({ rows, cols, before: [border, border], after: [border, border] });

/** Where a grid lies, from its left and top to its right and bottom. */
function boxOf({ grid: { rows, cols, before, after = [0, 0] }, x, y, cell }) {
  return [x, y, x + (before[1] + cols + after[1]) * cell, y + (before[0] + rows + after[0]) * cell];
}

function layoutOf({ inputs, outputs, side, kernel, width, border = 0 }) {
  const scene = {
    inputs: Array.from({ length: inputs }, () => grid(side, side, border)),
    outputs: Array.from({ length: outputs }, () => grid(side - kernel + 1, side - kernel + 1)),
    kernels: kernel ? [[]] : [],
    kernel: [kernel, kernel],
  };
  return arrange(scene, width, 1);
}

test("grids lie on the canvas and apart from each other", () => {
  for (const width of [300, 420, 560, 640, 704, 800, 942, 1200]) {
    for (const [inputs, outputs] of [[1, 1], [2, 2], [3, 1], [4, 2], [4, 4], [5, 3]]) {
      for (const [side, kernel] of [[5, 3], [8, 3], [6, 1], [11, 5]]) {
        const asked = { inputs, outputs, side, kernel, width };
        const layout = layoutOf(asked);
        const boxes = [...layout.inputs, ...layout.kernels, ...layout.outputs].map(boxOf);
        for (const [n, [left, top, right, bottom]] of boxes.entries()) {
          const said = JSON.stringify([asked, n, boxes[n]]);
          assert.ok(left >= 0 && top >= 0 && bottom <= layout.height + 1 && right <= width + 1, said);
          for (const [l, t, r, b] of boxes.slice(0, n)) {
            assert.ok(left >= r || l >= right || top >= b || t >= bottom, said);
          }
        }
      }
    }
  }
});

test("where there is room four channels stand in two lines, and a kernel beside its channel", () => {
  const { inputs, kernels, outputs, height } = layoutOf({ inputs: 4, outputs: 4, side: 5, kernel: 3, width: 942 });
  assert.deepEqual([...new Set(inputs.map(({ y }) => y))].length, 2);
  assert.deepEqual([...new Set(outputs.map(({ y }) => y))].length, 2);
  inputs.forEach((input, k) => {
    const [, top, right, bottom] = boxOf(input);
    const [left, above, , below] = boxOf(kernels[k]);
    assert.ok(left > right && left < right + 50 && above >= top && below <= bottom);
  });
  assert.ok(height < 450);
  const narrow = layoutOf({ inputs: 4, outputs: 4, side: 5, kernel: 3, width: 330 });
  assert.equal(new Set(narrow.inputs.map(({ y }) => y)).size, 4);
});
