// A walk's picture at a step: where every grid stands, its cells, and the window on them.

import { maximum } from "./arrays.js";

/**
 * Rows and columns of a grid, padding included.
 *
 * @returns {[number, number]}
 */
function padded({ rows, cols, before, after = [0, 0] }) {
  return [before[0] + rows + after[0], before[1] + cols + after[1]];
}

/**
 * Where every grid stands: side by side, several channels in two columns where there is room, or the input above
 * the rest where it is narrow; the output last where it is too large to stand beside the kernel.
 *
 * @param {any} scene as cnnviz.animate makes it
 * @param {number} available the width, in CSS pixels
 * @param {number} rem the page's type size in units of 16 pixels
 */
export function arrange(scene, available, rem) {
  const [head, foot, gap, largest] = [22 * rem, 10 * rem, 40 * rem, 42 * rem];
  const { inputs, outputs } = scene;
  const [inRows, inCols] = padded(inputs[0]);
  const [outRows, outCols] = padded(outputs[0]);
  const [kh, kw] = scene.kernels.length ? scene.kernel : [0, 0];
  const narrow = available < 560 * rem;
  const small = kw ? Math.min(34 * rem, ((narrow ? 100 : 190) * rem) / kw) : 0;
  // Several channels keep their kernels beside them, with the outputs below.
  const beside = narrow && kw && inputs.length > 1;
  const left = available - 2 - gap - kw * small;
  // What is left for a cell if inputs with their kernels, and outputs, stand in so many columns.
  const across = (ins, outs) =>
    (available - 2 - gap * ((kw ? 2 : 1) * ins + outs - 1) - ins * kw * small) / (ins * inCols + outs * outCols);
  const apart = outputs.length > 2 ? 2 : 1;
  const inTwo = !narrow && kw && inputs.length > 2 && across(2, apart) >= 24 * rem;
  const [ins, outs] = inTwo ? [2, apart] : [1, 1];
  const lines = [Math.ceil(inputs.length / ins), Math.ceil(outputs.length / outs)];
  const tall = inTwo ? 34 * rem : (620 * rem) / maximum(lines) / Math.max(inRows, outRows);
  const fitting = beside ? left / inCols : narrow ? (available - 2) / inCols : Math.min(across(ins, outs), tall);
  const cell = Math.floor(Math.min(largest, fitting));
  // Under one another, the two sides need not have cells of one size.
  const below = narrow && kw && !beside && left / outCols < 24 * rem;
  const room = beside || below || !kw ? available - 2 : left;
  const outCell = narrow ? Math.floor(Math.min(largest, room / outCols)) : cell;
  const kernelCell = Math.floor(small);
  const kernelWidth = kw * kernelCell;

  const inTall = inRows * cell + head + foot;
  const kernelTall = kh * kernelCell + head + foot;
  // Kernels that stand beside their inputs have the same height to themselves.
  const each = Math.max(inTall, kernelTall);
  const [inEach, kernelEach] = narrow && !beside ? [inTall, kernelTall] : [each, each];
  const outEach = outRows * outCell + head + foot;
  const [insTall, outsTall] = [inEach * lines[0], outEach * lines[1]];
  const kernelsTall = kw ? kernelEach * lines[0] : 0;
  const [inStep, outStep] = [inCols * cell + kernelWidth + 2 * gap, outCols * outCell + gap];

  const signs = [];
  let [inTop, width, height] = [0, available, 0];
  let [kernelLeft, kernelTop, outLeft, outTop] = [1, insTall + 8, 1, insTall + 8];
  if (beside) {
    [kernelLeft, kernelTop, outTop] = [inCols * cell + gap, 0, insTall + 24 * rem];
    signs.push([available / 2, outTop - 8 * rem, "↓"]);
    height = outTop + outsTall + 4;
  } else if (below) {
    outTop += kernelsTall + 20 * rem;
    signs.push([1 + kernelWidth / 2, outTop - 6 * rem, "↓"]);
    height = outTop + outsTall + 4;
  } else if (narrow) {
    height = outTop + Math.max(kernelsTall, outsTall) + 4;
    if (kw) {
      outLeft = kernelWidth + gap;
      signs.push([kernelWidth + gap / 2, outTop + Math.max(kernelsTall, outsTall) / 2, "→"]);
    }
  } else {
    height = Math.max(insTall, outsTall);
    [inTop, outTop] = [(height - insTall) / 2, (height - outsTall) / 2];
    [kernelLeft, kernelTop] = [1 + inCols * cell + gap, inTop];
    outLeft = kw ? kernelLeft + kernelWidth + gap + (ins - 1) * inStep : kernelLeft;
    for (let n = 0; kw && n < ins; n++) {
      signs.push([kernelLeft + n * inStep - gap / 2, height / 2 + 6, scene.backwards ? "×" : "∗"]);
    }
    signs.push([outLeft - gap / 2, height / 2 + 6, "→"]);
    width = Math.min(available, outLeft + (outs - 1) * outStep + Math.max(outCols * cell, 70 * rem) + 4);
  }
  // One under the other; what does not go under the last line goes on beside it, a step further.
  const stack = (grids, [x, top], each, rows, size, many, step) =>
    grids.map((grid, k) => ({
      grid,
      x: x + Math.floor(k / many) * step,
      y: top + (k % many) * each + head + (each - head - foot - rows * size) / 2,
      cell: size,
    }));
  const slices = kw ? inputs.map(() => ({ before: [0, 0], rows: kh, cols: kw })) : [];
  return {
    rem,
    signs,
    width,
    height,
    inputs: stack(inputs, [1, inTop], inEach, inRows, cell, lines[0], inStep),
    kernels: stack(slices, [kernelLeft, kernelTop], kernelEach, kh, kernelCell, lines[0], inStep),
    outputs: stack(outputs, [outLeft, outTop], outEach, outRows, outCell, lines[1], outStep),
  };
}

/**
 * Everything at a step; the output is filled by all steps up to `filled`.
 *
 * @param {CanvasRenderingContext2D} pen
 * @param {any} scene
 * @param {ReturnType<typeof arrange>} layout
 * @param {any} step one of the scene's
 * @param {number} filled
 * @param {string} font
 */
export function draw(pen, scene, layout, step, filled, font) {
  const { colours, steps, inputs, outputs, backwards } = scene;
  const ink = { pen, colours, font, rem: layout.rem };
  pen.textBaseline = "alphabetic";
  for (const [x, y, sign] of layout.signs) text(ink, sign, x, y, 20 * layout.rem, colours.muted, "center");
  const textsOf = (grids) => grids.flatMap(({ cells }) => cells.flat().map(([words]) => words));
  const inputType = fit(ink, textsOf(inputs), layout.inputs[0].cell);
  inputs.forEach((grid, k) => panel(ink, grid, layout.inputs[k], grid.cells, inputType));
  if (layout.kernels.length) {
    const type = fit(ink, textsOf(scene.kernels.flat()), layout.kernels[0].cell);
    step.sources.forEach((channel, k) => {
      const grid = scene.kernels[step.target][backwards ? channel : k];
      panel(ink, grid, layout.kernels[channel], grid.cells, type);
    });
  }
  const written = outputs.map((grid) => grid.cells.map((row) => row.slice()));
  const outputType = fit(ink, steps.flatMap((s) => s.written.map((cell) => cell[2])), layout.outputs[0].cell);
  for (const s of steps.slice(0, filled + 1)) {
    for (const [row, col, ...cell] of s.written) written[s.target][row][col] = cell;
  }
  outputs.forEach((grid, k) => panel(ink, grid, layout.outputs[k], written[k], outputType));

  const large = backwards ? [layout.outputs[step.target]] : step.sources.map((c) => layout.inputs[c]);
  const small = backwards ? layout.inputs[step.sources[0]] : layout.outputs[step.target];
  for (const place of large) mark(ink, scene, place, step);
  outline(ink, small, step.row + small.grid.before[0], step.col + small.grid.before[1], 1, 1, 3);
}

/**
 * A block of cells in pixels.
 *
 * @returns {[number, number, number, number]}
 */
function blockOf({ x, y, cell }, row, col, rows = 1, cols = 1) {
  return [x + col * cell, y + row * cell, cols * cell, rows * cell];
}

/** The edge of a block; `inset` puts lines of one pixel onto whole pixels. */
function edge(pen, [x, y, width, height], colour, thickness, inset = 0) {
  pen.strokeStyle = colour;
  pen.lineWidth = thickness;
  pen.strokeRect(x + inset, y + inset, width, height);
}

function panel(ink, grid, place, cells, type) {
  const { pen, colours } = ink;
  const [rows, cols] = padded(grid);
  const [top, left] = grid.before;
  text(ink, grid.title, place.x, place.y - 7, 12.5 * ink.rem, colours.ink, "left");
  if (rows > grid.rows || cols > grid.cols) {
    const [x, y, width, height] = blockOf(place, 0, 0, rows, cols);
    pen.fillStyle = colours.panel;
    pen.fillRect(x, y, width, height);
    pen.setLineDash([4, 3]);
    edge(pen, [x, y, width - 1, height - 1], colours.muted, 1, 0.5);
    pen.setLineDash([]);
    for (let n = 0; grid.around && place.cell >= 16 && n < rows * cols; n++) {
      const [row, col] = [Math.floor(n / cols), n % cols];
      if (cells[row - top]?.[col - left]) continue;
      write(ink, place, row, col, grid.around, Math.min(11 * ink.rem, place.cell * 0.45), colours.muted);
    }
  }
  cells.forEach((line, r) =>
    line.forEach(([words, fill, colour], c) => {
      const block = blockOf(place, r + top, c + left);
      pen.fillStyle = fill || colours.background;
      pen.fillRect(...block);
      if (place.cell >= 12) edge(pen, block, colours.line, 1, 0.5);
      if (type && words) write(ink, place, r + top, c + left, words, type, colour);
    }),
  );
  edge(pen, blockOf(place, top, left, grid.rows, grid.cols), colours.line, 1, 0.5);
}

/** The window on the large side; taps apart are outlined one by one. */
function mark(ink, scene, place, step) {
  const [kh, kw] = scene.kernel;
  const [dy, dx] = scene.dilation;
  const [before, across] = place.grid.before;
  const [top, left] = [step.first[0] + before, step.first[1] + across];
  const spread = (dy > 1 && kh > 1) || (dx > 1 && kw > 1);
  outline(ink, place, top, left, (kh - 1) * dy + 1, (kw - 1) * dx + 1, spread ? 1 : 3);
  if (spread) {
    for (let u = 0; u < kh; u++) for (let v = 0; v < kw; v++) outline(ink, place, top + u * dy, left + v * dx, 1, 1, 2);
  }
  if (step.winner) {
    const [row, col] = [step.winner[0] + before, step.winner[1] + across];
    const [x, y] = blockOf(place, row, col);
    const side = Math.max(4, place.cell * 0.34);
    const { pen, colours } = ink;
    pen.fillStyle = colours.accent;
    pen.beginPath();
    pen.moveTo(x, y);
    pen.lineTo(x + side, y);
    pen.lineTo(x, y + side);
    pen.fill();
    outline(ink, place, row, col, 1, 1, 2);
  }
}

function outline({ pen, colours }, place, row, col, rows, cols, thickness) {
  const block = blockOf(place, row, col, rows, cols);
  if (thickness > 1) edge(pen, block, colours.background, thickness + 2);
  edge(pen, block, colours.accent, thickness === 3 ? 2.5 : thickness);
}

function write(ink, place, row, col, words, size, colour) {
  const [x, y] = blockOf(place, row + 0.5, col + 0.5);
  text(ink, words, x, y + 0.36 * size, size, colour, "center");
}

function text({ pen, font }, words, x, y, size, colour, align) {
  pen.font = `${size}px ${font}`;
  pen.fillStyle = colour;
  pen.textAlign = align;
  pen.fillText(words, x, y);
}

/** The size of the numbers in cells; 0 where they could not be read. */
function fit({ pen, font, rem }, texts, cell) {
  const longest = texts.reduce((a, b) => (b.length > a.length ? b : a), "");
  pen.font = `13px ${font}`;
  const size = Math.min(13 * rem, cell * 0.5, (13 * (cell - 4)) / (pen.measureText(longest).width || 1));
  return size >= 7.5 ? size : 0;
}
