// A drawing made into what MNIST's digits are: cnnviz.images.mnist.prepare_digit for light ink on a bare pad.

const SIDE = 28;
const BOX = 20;
const CENTRE = 14;
const STROKE = [1.9, 4.3];

/** A grid of numbers: {rows, cols, data}. */
function grid(rows, cols, data = new Float64Array(rows * cols)) {
  return { rows, cols, data };
}

/**
 * Prepare a drawing.
 *
 * `pad` is {rows, cols, data} with ink from 0 to 1. Returns 28x28 bytes, or null if the pad is blank.
 */
export function prepareDigit(pad) {
  const level = ink(pad);
  return level && frame(level);
}

function ink(pad) {
  const { data } = pad;
  let most = 0;
  for (const value of data) if (value > most) most = value;
  if (most < 0.04) return null;
  const threshold = otsu(data, most);
  const strong = data.filter((value) => value > threshold);
  const rest = data.filter((value) => value <= threshold);
  const bare = quantile(rest, 0.5);
  const noise = quantile(rest.map((value) => Math.abs(value - bare)), 0.25) / 0.3186;
  if (quantile(strong, 0.5) - bare < Math.max(0.06, 4 * noise)) return null;
  const floor = Math.min(bare + 3 * noise, (bare + threshold) / 2);
  const span = quantile(strong, 0.6) - floor;
  const level = grid(pad.rows, pad.cols, data.map((value) => clip((value - floor) / span, 0, 1)));
  const kept = digitParts(level);
  return grid(pad.rows, pad.cols, level.data.map((value, n) => (kept[n] ? value : 0)));
}

/** The threshold that leaves the least variance within its two classes (Otsu, 1979), from 256 bins. */
function otsu(data, most) {
  let least = Infinity;
  for (const value of data) if (value < least) least = value;
  const step = (most - least) / 256;
  const counts = new Float64Array(256);
  for (const value of data) counts[Math.min(255, Math.floor((value - least) / step))] += 1;
  let total = 0;
  counts.forEach((count, n) => (total += count * (least + (n + 0.5) * step)));
  let below = 0;
  let sum = 0;
  let best = -1;
  let chosen = 0;
  for (let n = 0; n < 256; n++) {
    below += counts[n];
    sum += counts[n] * (least + (n + 0.5) * step);
    const above = data.length - below;
    const between = below && above ? ((total * below) / data.length - sum) ** 2 / (below * above) : 0;
    if (between > best) [best, chosen] = [between, n];
  }
  return least + (chosen + 1) * step;
}

/** A quantile with NumPy's linear interpolation. */
function quantile(values, share) {
  const sorted = Float64Array.from(values).sort();
  const place = (sorted.length - 1) * share;
  const low = Math.floor(place);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (place - low) * (sorted[high] - sorted[low]);
}

function clip(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

/** Where the digit is: not specks, nor what runs along the pad's edge beside a digit that stands free. */
function digitParts(level) {
  const { rows, cols, data } = level;
  const parts = new Int32Array(data.length);
  const mass = [0];
  const along = [0];
  for (let start = 0; start < data.length; start++) {
    if (parts[start] || data[start] <= 0.25) continue;
    const label = mass.length;
    const edges = [0, 0, 0, 0];
    let sum = 0;
    const stack = [start];
    parts[start] = label;
    while (stack.length) {
      const n = stack.pop();
      const [r, c] = [Math.floor(n / cols), n % cols];
      sum += data[n];
      [r === 0, r === rows - 1, c === 0, c === cols - 1].forEach((on, i) => (edges[i] += on ? 1 : 0));
      for (let y = Math.max(0, r - 1); y <= Math.min(rows - 1, r + 1); y++) {
        for (let x = Math.max(0, c - 1); x <= Math.min(cols - 1, c + 1); x++) {
          const next = y * cols + x;
          if (parts[next] || data[next] <= 0.25) continue;
          parts[next] = label;
          stack.push(next);
        }
      }
    }
    mass.push(sum);
    along.push(Math.max(edges[0] / cols, edges[1] / cols, edges[2] / rows, edges[3] / rows));
  }
  const largest = Math.max(...mass);
  const all = mass.reduce((a, b) => a + b);
  const free = mass.filter((_, i) => along[i] < 0.15).reduce((a, b) => a + b, 0);
  const kept = mass.map((m, i) => i > 0 && m >= 0.03 * largest && (free < 0.1 * all || along[i] < 0.15));
  return dilate(parts.map((label) => (kept[label] ? 1 : 0)), rows, cols, 2);
}

/** A mask grown by a square of 2*by + 1. */
function dilate(mask, rows, cols, by) {
  const across = new Uint8Array(mask.length);
  const down = new Uint8Array(mask.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) {
      if (!mask[r * cols + c]) continue;
      for (let x = Math.max(0, c - by); x <= Math.min(cols - 1, c + by); x++) across[r * cols + x] = 1;
    }
  }
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) {
      if (!across[r * cols + c]) continue;
      for (let y = Math.max(0, r - by); y <= Math.min(rows - 1, r + by); y++) down[y * cols + c] = 1;
    }
  }
  return down;
}

/** The part of a grid where something is above a level. */
function crop({ rows, cols, data }, above) {
  let [top, bottom, left, right] = [rows, -1, cols, -1];
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) {
      if (data[r * cols + c] <= above) continue;
      top = Math.min(top, r);
      bottom = r;
      left = Math.min(left, c);
      right = Math.max(right, c);
    }
  }
  const part = grid(bottom - top + 1, right - left + 1);
  for (let r = 0; r < part.rows; r++) {
    const from = (top + r) * cols + left;
    part.data.set(data.subarray(from, from + part.cols), r * part.cols);
  }
  return part;
}

function frame(level) {
  let digit = crop(level, 0.02);
  const longest = () => Math.max(digit.rows, digit.cols);
  const fits = () => longest() === BOX - 1 || longest() === BOX;
  if (!fits()) digit = crop(level, 0.3);
  const large = fit(digit, 8 * BOX);
  const mask = grid(large.rows, large.cols, large.data.map((value) => (value > 0.5 ? 1 : 0)));
  const width = strokeWidth(mask) / 8;
  const wanted = clip(width, ...STROKE);
  if (wanted !== width) digit = restroke(mask, 4 * (wanted - width));
  if (wanted !== width || !fits()) digit = fit(digit, BOX);
  let most = 0;
  for (const value of digit.data) if (value > most) most = value;
  let [sum, down, across] = [0, 0, 0];
  digit.data.forEach((value, n) => {
    sum += value;
    down += value * Math.floor(n / digit.cols);
    across += value * (n % digit.cols);
  });
  const top = clip(roundEven(CENTRE - down / sum), 0, SIDE - digit.rows);
  const left = clip(roundEven(CENTRE - across / sum), 0, SIDE - digit.cols);
  const framed = new Uint8Array(SIDE * SIDE);
  digit.data.forEach((value, n) => {
    const place = (top + Math.floor(n / digit.cols)) * SIDE + left + (n % digit.cols);
    framed[place] = roundEven((255 * value) / most);
  });
  return framed;
}

/** Halves to the even neighbour, as Python and NumPy round. */
function roundEven(value) {
  const low = Math.floor(value);
  if (value - low !== 0.5) return Math.round(value);
  return low % 2 === 0 ? low : low + 1;
}

/** Scale so that the longer side is `longest`, the aspect ratio kept exactly. */
function fit(digit, longest) {
  const factor = Math.max(digit.rows, digit.cols) / longest;
  if (factor === 1) return digit;
  const lengths = [digit.rows, digit.cols];
  const sizes = lengths.map((length) => Math.max(1, Math.ceil(length / factor - 1e-9)));
  const margins = sizes.map((size, i) => (size * factor - lengths[i]) / 2);
  const borders = margins.map(Math.ceil);
  const padded = grid(digit.rows + 2 * borders[0], digit.cols + 2 * borders[1]);
  for (let r = 0; r < digit.rows; r++) {
    const row = digit.data.subarray(r * digit.cols, (r + 1) * digit.cols);
    padded.data.set(row.map(Math.fround), (r + borders[0]) * padded.cols + borders[1]);
  }
  const [top, left] = borders.map((border, i) => border - margins[i]);
  const right = Math.min(left + sizes[1] * factor, padded.cols);
  const bottom = Math.min(top + sizes[0] * factor, padded.rows);
  const across = resample(padded, sizes[1], left, right, false);
  const scaled = resample(across, sizes[0], top, bottom, true);
  return grid(scaled.rows, scaled.cols, scaled.data.map((value) => clip(value, 0, 1)));
}

/** One pass of Pillow's bicubic resize, along rows or columns of a grid, from a part of it. */
function resample(source, size, from, to, down) {
  const length = down ? source.rows : source.cols;
  const scale = (to - from) / size;
  const filter = Math.max(scale, 1);
  const out = down ? grid(size, source.cols) : grid(source.rows, size);
  const others = down ? source.cols : source.rows;
  for (let n = 0; n < size; n++) {
    const centre = from + (n + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - 2 * filter + 0.5));
    const last = Math.min(length, Math.trunc(centre + 2 * filter + 0.5));
    const weights = [];
    for (let i = first; i < last; i++) weights.push(cubic((i - centre + 0.5) / filter));
    const whole = weights.reduce((a, b) => a + b, 0);
    for (let k = 0; k < others; k++) {
      let sum = 0;
      for (let i = first; i < last; i++) {
        sum += (source.data[down ? i * source.cols + k : k * source.cols + i] * weights[i - first]) / whole;
      }
      out.data[down ? n * out.cols + k : k * out.cols + n] = Math.fround(sum);
    }
  }
  return out;
}

/** Keys's cubic kernel with a = -1/2. */
function cubic(x) {
  const a = -0.5;
  x = Math.abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

/** Mean width of the strokes: a bar of width w has a mean distance to its edge of w/4. */
function strokeWidth(mask) {
  const distance = distanceTo(pad(mask, 1), 0);
  const inner = unpad(distance, 1);
  let [sum, count] = [0, 0];
  mask.data.forEach((on, n) => {
    if (on) [sum, count] = [sum + inner.data[n], count + 1];
  });
  return count ? (4 * sum) / count : 0;
}

/** Move the outline of the ink by `change` pixels, outwards if positive. */
function restroke(mask, change) {
  if (change > 0) {
    const wide = pad(mask, Math.ceil(change) + 1);
    const distance = distanceTo(wide, 1);
    const grown = grid(wide.rows, wide.cols, distance.data.map((d) => clip(1 + change - d, 0, 1)));
    return crop(grown, 0.5);
  }
  const distance = unpad(distanceTo(pad(mask, 1), 0), 1);
  const { rows, cols, data } = distance;
  const thinned = grid(rows, cols);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) {
      const n = r * cols + c;
      let largest = 0;
      for (let y = Math.max(0, r - 1); y <= Math.min(rows - 1, r + 1); y++) {
        for (let x = Math.max(0, c - 1); x <= Math.min(cols - 1, c + 1); x++) {
          largest = Math.max(largest, data[y * cols + x]);
        }
      }
      // A part thinner than what is taken away keeps its ridge.
      const ridge = data[n] >= 0.9 * largest && mask.data[n] ? 1 : 0;
      thinned.data[n] = Math.max(clip(data[n] + change, 0, 1), ridge);
    }
  }
  return crop(thinned, 0.5);
}

function pad({ rows, cols, data }, by) {
  const out = grid(rows + 2 * by, cols + 2 * by);
  for (let r = 0; r < rows; r++) out.data.set(data.subarray(r * cols, (r + 1) * cols), (r + by) * out.cols + by);
  return out;
}

function unpad({ rows, cols, data }, by) {
  const out = grid(rows - 2 * by, cols - 2 * by);
  for (let r = 0; r < out.rows; r++) {
    const from = (r + by) * cols + by;
    out.data.set(data.subarray(from, from + out.cols), r * out.cols);
  }
  return out;
}

/**
 * Every cell's Euclidean distance to the nearest cell that is `target`, exactly.
 *
 * Source: Felzenszwalb and Huttenlocher, "Distance Transforms of Sampled Functions", 2012.
 */
function distanceTo({ rows, cols, data }, target) {
  const far = 1e12;
  const out = grid(rows, cols, Float64Array.from(data, (on) => (on === target ? 0 : far)));
  const line = new Float64Array(Math.max(rows, cols));
  for (let c = 0; c < cols; c++) {
    for (let r = 0; r < rows; r++) line[r] = out.data[r * cols + c];
    lowerEnvelope(line.subarray(0, rows)).forEach((d, r) => (out.data[r * cols + c] = d));
  }
  for (let r = 0; r < rows; r++) {
    line.set(out.data.subarray(r * cols, (r + 1) * cols));
    out.data.set(lowerEnvelope(line.subarray(0, cols)), r * cols);
  }
  return grid(rows, cols, out.data.map(Math.sqrt));
}

function lowerEnvelope(f) {
  const n = f.length;
  const places = new Int32Array(n);
  const bounds = new Float64Array(n + 1);
  let k = 0;
  bounds[0] = -Infinity;
  bounds[1] = Infinity;
  for (let q = 1; q < n; q++) {
    let s;
    do {
      const p = places[k];
      s = (f[q] + q * q - (f[p] + p * p)) / (2 * q - 2 * p);
    } while (s <= bounds[k] && --k >= 0);
    places[++k] = q;
    bounds[k] = s;
    bounds[k + 1] = Infinity;
  }
  k = 0;
  return Float64Array.from(f, (_, q) => {
    while (bounds[k + 1] < q) k++;
    return (q - places[k]) ** 2 + f[places[k]];
  });
}
