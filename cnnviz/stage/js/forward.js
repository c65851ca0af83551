// What each kind of stage computes, in float32. Sums run in double precision and round once.

export const f = Math.fround;

/** One stage's output from the outputs of the stages before it. */
export function computeStage(scene, stage, values) {
  const op = stage.op;
  const inputs = stage.reads.map((source) => values[source]);
  const [height, width, channels] = stage.shape;
  const out = new Float32Array(height * width * channels);
  if (op.type === "conv") return convolve(scene, stage, inputs[0], out);
  if (op.type === "transposed") return spread(scene, stage, inputs[0], out);
  if (op.type === "pool") return pool(scene, stage, inputs[0], out);
  if (op.type === "affine") return affine(scene, stage, inputs[0], out);
  if (op.type === "activation") return activate(scene, stage, inputs[0], out);
  if (op.type === "softmax") return softmax(stage, inputs[0], out);
  if (op.type === "move") return move(scene, stage, inputs, out);
  if (op.type === "merge") return merge(scene, stage, inputs, out);
  throw new Error(`unknown operation ${op.type}`);
}

/** An axis of a window as scene.py sends it. */
export function axisOf([size, kernel, stride, dilation, before, after, out]) {
  return { size, kernel, stride, dilation, before, after, out };
}

/** The shape of what a windowed stage reads: rows and columns from its axes, and the channels. */
export function readShape(scene, stage) {
  const { rows, cols } = stage.op;
  const transposed = stage.op.type === "transposed";
  const height = rows[transposed ? 6 : 0];
  const width = cols[transposed ? 6 : 0];
  const [h, w, c] = scene.stages[stage.reads[0]].shape;
  return [height, width, (h * w * c) / (height * width)];
}

function convolve(scene, stage, x, out) {
  const rows = axisOf(stage.op.rows);
  const cols = axisOf(stage.op.cols);
  const [, width, channels] = readShape(scene, stage);
  const filters = stage.shape[2];
  const groups = stage.op.groups;
  const perGroup = channels / groups;
  const filtersPerGroup = filters / groups;
  const kernel = scene.data(stage.op.kernel);
  const bias = stage.op.bias ? scene.data(stage.op.bias) : null;
  const sums = new Float64Array(filters);
  for (let r = 0; r < rows.out; r++) {
    for (let c = 0; c < cols.out; c++) {
      if (bias) sums.set(bias);
      else sums.fill(0);
      for (let i = 0; i < rows.kernel; i++) {
        const row = r * rows.stride - rows.before + i * rows.dilation;
        if (row < 0 || row >= rows.size) continue;
        for (let j = 0; j < cols.kernel; j++) {
          const col = c * cols.stride - cols.before + j * cols.dilation;
          if (col < 0 || col >= cols.size) continue;
          const pixel = (row * width + col) * channels;
          const tap = (i * cols.kernel + j) * perGroup;
          for (let g = 0; g < groups; g++) {
            for (let k = 0; k < perGroup; k++) {
              const value = x[pixel + g * perGroup + k];
              if (value === 0) continue;
              const weights = (tap + k) * filters;
              const last = (g + 1) * filtersPerGroup;
              for (let n = g * filtersPerGroup; n < last; n++) sums[n] += value * kernel[weights + n];
            }
          }
        }
      }
      out.set(sums, (r * cols.out + c) * filters);
    }
  }
  return out;
}

function spread(scene, stage, x, out) {
  // The axes are those of the convolution that this one transposes: its output is our input.
  const rows = axisOf(stage.op.rows);
  const cols = axisOf(stage.op.cols);
  const [height, width, channels] = readShape(scene, stage);
  const filters = stage.shape[2];
  const kernel = scene.data(stage.op.kernel);
  const bias = stage.op.bias ? scene.data(stage.op.bias) : null;
  const sums = new Float64Array(out.length);
  for (let n = 0; bias && n < sums.length; n++) sums[n] = bias[n % filters];
  for (let r = 0; r < height; r++) {
    for (let c = 0; c < width; c++) {
      for (let i = 0; i < rows.kernel; i++) {
        const row = r * rows.stride - rows.before + i * rows.dilation;
        if (row < 0 || row >= rows.size) continue;
        for (let j = 0; j < cols.kernel; j++) {
          const col = c * cols.stride - cols.before + j * cols.dilation;
          if (col < 0 || col >= cols.size) continue;
          for (let n = 0; n < filters; n++) {
            const weights = ((i * cols.kernel + j) * filters + n) * channels;
            const pixel = (r * width + c) * channels;
            let sum = 0;
            for (let k = 0; k < channels; k++) sum += x[pixel + k] * kernel[weights + k];
            sums[(row * cols.size + col) * filters + n] += sum;
          }
        }
      }
    }
  }
  out.set(sums);
  return out;
}

function pool(scene, stage, x, out) {
  const rows = axisOf(stage.op.rows);
  const cols = axisOf(stage.op.cols);
  const channels = stage.shape[2];
  const largest = stage.op.mode === "max";
  for (let r = 0; r < rows.out; r++) {
    for (let c = 0; c < cols.out; c++) {
      for (let k = 0; k < channels; k++) {
        let most = -Infinity;
        let sum = 0;
        let count = 0;
        for (let i = 0; i < rows.kernel; i++) {
          const row = r * rows.stride - rows.before + i;
          if (row < 0 || row >= rows.size) continue;
          for (let j = 0; j < cols.kernel; j++) {
            const col = c * cols.stride - cols.before + j;
            if (col < 0 || col >= cols.size) continue;
            const value = x[(row * cols.size + col) * channels + k];
            if (value > most || Number.isNaN(value)) most = value;
            sum += value;
            count += 1;
          }
        }
        out[(r * cols.out + c) * channels + k] = largest ? most : sum / count;
      }
    }
  }
  return out;
}

function affine(scene, stage, x, out) {
  const a = scene.data(stage.op.a);
  const b = scene.data(stage.op.b);
  const period = a.length;
  for (let n = 0; n < out.length; n++) {
    const k = n % period;
    out[n] = affineOf(stage.op.form, x[n], a[k], b[k]);
  }
  return out;
}

/** x*a + b or (x - a)/b, each step rounded to float32 as NumPy rounds it. */
export function affineOf(form, x, a, b) {
  return form === "x*a+b" ? f(f(x * a) + b) : f(f(x - a) / b);
}

function activate(scene, stage, x, out) {
  const { name, arguments: given } = stage.op;
  const alpha = name === "prelu" ? scene.data(given.alpha) : null;
  for (let n = 0; n < out.length; n++) out[n] = activationOf(name, given, x[n], alpha && alpha[n]);
  return out;
}

/** One activation of one number, with Keras's definitions and defaults. */
export function activationOf(name, given, x, slope) {
  const sigmoid = (z) => (z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z)));
  const softplus = (z) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)));
  const alpha = given.alpha ?? 1;
  switch (name) {
    case "linear":
      return x;
    case "relu": {
      const threshold = given.threshold ?? 0;
      let y = threshold ? (x > threshold ? x : 0) : Math.max(x, 0);
      if (given.max_value != null) y = Math.min(Math.max(y, 0), f(given.max_value));
      return given.negative_slope
        ? f(y + f(f(given.negative_slope) * Math.min(f(x - f(threshold)), 0)))
        : y;
    }
    case "relu6":
      return Math.min(Math.max(x, 0), 6);
    case "leaky_relu":
      return x > 0 ? x : f(f(given.negative_slope ?? 0.2) * x);
    case "prelu":
      return x > 0 ? x : f(slope * x);
    case "elu":
      return x > 0 ? x : alpha * Math.expm1(x);
    case "selu":
      return 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x));
    case "celu":
      return Math.max(x, 0) + alpha * Math.expm1(Math.min(x, 0) / alpha);
    case "gelu":
      return given.approximate
        ? x * sigmoid(Math.sqrt(8 / Math.PI) * (x + 0.044715 * x ** 3))
        : 0.5 * x * erfc(-x * Math.SQRT1_2);
    case "silu":
      return x * sigmoid(x);
    case "hard_silu":
      return x * Math.min(Math.max(x / 6 + 0.5, 0), 1);
    case "hard_sigmoid":
      return Math.min(Math.max(x / 6 + 0.5, 0), 1);
    case "mish":
      return x * Math.tanh(softplus(x));
    case "sigmoid":
      return sigmoid(x);
    case "tanh":
      return Math.tanh(x);
    case "softplus":
      return softplus(x);
    case "softsign":
      return x / (1 + Math.abs(x));
    case "exponential":
      return Math.exp(x);
    default:
      throw new Error(`unknown activation ${name}`);
  }
}

/** The complementary error function, by Lentz's continued fraction or the Taylor series of erf. */
function erfc(x) {
  const z = Math.abs(x);
  let result;
  if (z < 2.5) {
    let term = z;
    let sum = z;
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum) && n < 100; n++) {
      term *= (-z * z) / n;
      sum += term / (2 * n + 1);
    }
    result = 1 - (2 / Math.sqrt(Math.PI)) * sum;
  } else {
    let fraction = 0;
    for (let n = 60; n > 0; n--) fraction = n / 2 / (z + fraction);
    result = Math.exp(-z * z) / Math.sqrt(Math.PI) / (z + fraction);
  }
  return x >= 0 ? result : 2 - result;
}

/** The places, in a stage's numbers, that one softmax runs over: those of a cell's line. */
export function lineOf(shape, axis, index) {
  const strides = [shape[1] * shape[2], shape[2], 1];
  const step = strides[axis];
  const place = Math.floor(index / step) % shape[axis];
  return Array.from({ length: shape[axis] }, (_, i) => index + (i - place) * step);
}

function softmax(stage, x, out) {
  const done = new Uint8Array(out.length);
  for (let n = 0; n < out.length; n++) {
    if (done[n]) continue;
    const line = lineOf(stage.shape, stage.op.axis, n);
    const most = Math.max(...line.map((i) => x[i]));
    const sum = line.reduce((total, i) => total + Math.exp(x[i] - most), 0);
    for (const i of line) {
      out[i] = stage.op.log ? x[i] - most - Math.log(sum) : Math.exp(x[i] - most) / sum;
      done[i] = 1;
    }
  }
  return out;
}

function move(scene, stage, inputs, out) {
  const from = scene.data(stage.op.from);
  for (let n = 0; n < out.length; n++) {
    const source = locate(from[n], inputs);
    out[n] = source ? inputs[source.input][source.index] : 0;
  }
  return out;
}

/** Which input, and where in it, a number of a move's table means; null is padding. */
export function locate(place, inputs) {
  if (place === 0) return null;
  let index = place - 1;
  let input = 0;
  while (index >= inputs[input].length) index -= inputs[input++].length;
  return { input, index };
}

function merge(scene, stage, inputs, out) {
  const maps = stage.op.maps.map((name) => (name ? scene.data(name) : null));
  for (let n = 0; n < out.length; n++) {
    out[n] = mergeOf(stage.op.mode, inputs.map((x, i) => x[maps[i] ? maps[i][n] : n]));
  }
  return out;
}

/** Several numbers as Keras's merging layers join them, rounded at each step. */
export function mergeOf(mode, numbers) {
  switch (mode) {
    case "add":
      return numbers.reduce((a, b) => f(a + b));
    case "subtract":
      return f(numbers[0] - numbers[1]);
    case "multiply":
      return numbers.reduce((a, b) => f(a * b));
    case "average":
      return f(numbers.reduce((a, b) => f(a + b)) / numbers.length);
    case "maximum":
      return Math.max(...numbers);
    case "minimum":
      return Math.min(...numbers);
    default:
      throw new Error(`unknown merge ${mode}`);
  }
}
