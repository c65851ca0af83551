// A drawing made into what MNIST's digits are: cnnviz.images.digit_preparation for light ink on a bare pad.

import { boxOfAll, clip, maximum } from "./arrays.js";
import { roundEven } from "./numbers.js";

const SIDE = 28;
const BOX = 20;
const CENTRE = 14;
const STROKE = [1.9, 4.3];

/** @import { Box } from "./scene.js" */

/** @typedef {{ rows: number, cols: number, data: Float64Array }} Grid */

/**
 * @param {number} rows
 * @param {number} cols
 * @param {Float64Array} [data]
 * @returns {Grid}
 */
function grid(rows, cols, data = new Float64Array(rows * cols)) {
  return { rows, cols, data };
}

/**
 * Prepare a drawing.
 *
 * @param {Grid} pad ink from 0 to 1
 * @returns {Uint8Array | null} 28x28 bytes; null if the pad is blank
 */
export function prepareDigit(pad) {
  const level = ink(pad);
  return level && frame(level);
}

/**
 * Each cell's ink, from 0 to 1, of the digit only; null if there is none.
 *
 * @param {Grid} pad
 */
function ink(pad) {
  const level = scaled(pad);
  if (!level) return null;
  const kept = digitParts(level);
  // What was left out may have been the strongest.
  const left = pad.data.map((value, n) => (kept[n] || level.data[n] <= 0.25 ? value : 0));
  const again = scaled(grid(pad.rows, pad.cols, left));
  return again && grid(pad.rows, pad.cols, again.data.map((value, n) => (kept[n] ? value : 0)));
}

/**
 * A pad with what is bare as 0 and ink as 1; null if they are not told apart.
 *
 * @param {Grid} pad
 */
function scaled({ rows, cols, data }) {
  const [least, most] = [-largest(data.map((value) => -value)), largest(data)];
  if (most - least < 0.04) return null;
  const threshold = otsu(data, least, most);
  const strong = data.filter((value) => value > threshold);
  const rest = data.filter((value) => value <= threshold);
  const bare = quantile(rest, 0.5);
  const noise = quantile(rest.map((value) => Math.abs(value - bare)), 0.25) / 0.3186;
  if (quantile(strong, 0.5) - bare < Math.max(0.06, 4 * noise)) return null;
  const floor = Math.min(bare + 3 * noise, (bare + threshold) / 2);
  const span = quantile(strong, 0.6) - floor;
  return grid(rows, cols, data.map((value) => clip((value - floor) / span, 0, 1)));
}

/**
 * @param {Float64Array} data
 */
function largest(data) {
  return data.reduce((a, b) => Math.max(a, b), -Infinity);
}

/**
 * The threshold that leaves the least variance within its two classes (Otsu, 1979), from 256 bins.
 *
 * @param {Float64Array} data
 * @param {number} least
 * @param {number} most
 */
function otsu(data, least, most) {
  const step = (most - least) / 256;
  const edge = (/** @type {number} */ n) => (n < 256 ? n * step + least : most);
  const counts = new Float64Array(256);
  for (const value of data) {
    let n = Math.min(255, Math.floor((value - least) / step));
    // The division may round across an edge.
    if (value < edge(n)) n -= 1;
    else if (n < 255 && value >= edge(n + 1)) n += 1;
    counts[n] += 1;
  }
  const sums = new Float64Array(256);
  counts.forEach((count, n) => (sums[n] = (n && sums[n - 1]) + (count * (edge(n) + edge(n + 1))) / 2));
  let below = 0;
  let best = -1;
  let chosen = 0;
  for (let n = 0; n < 256; n++) {
    below += counts[n];
    const above = data.length - below;
    const between = above ? ((sums[255] * below) / data.length - sums[n]) ** 2 / (below * above) : 0;
    if (between > best) [best, chosen] = [between, n];
  }
  return edge(chosen + 1);
}

/**
 * A quantile with NumPy's linear interpolation.
 *
 * @param {Float64Array} values
 * @param {number} share
 */
function quantile(values, share) {
  const sorted = Float64Array.from(values).sort();
  const place = (sorted.length - 1) * share;
  const low = Math.floor(place);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low] + (place - low) * (sorted[high] - sorted[low]);
}

/**
 * Where the digit is: not specks, nor what runs along the pad's edge beside a digit that stands free.
 *
 * @param {Grid} level
 */
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
    const part = [start];
    parts[start] = label;
    for (const n of part) {
      const [r, c] = [Math.floor(n / cols), n % cols];
      sum += data[n];
      [r === 0, r === rows - 1, c === 0, c === cols - 1].forEach((on, i) => (edges[i] += on ? 1 : 0));
      around(level, n, 1, (next) => {
        if (parts[next] || data[next] <= 0.25) return;
        parts[next] = label;
        part.push(next);
      });
    }
    mass.push(sum);
    along.push(Math.max(edges[0] / cols, edges[1] / cols, edges[2] / rows, edges[3] / rows));
  }
  const all = mass.reduce((a, b) => a + b);
  const free = mass.map((m, i) => (along[i] < 0.15 ? m : 0));
  const likely = free.reduce((a, b) => a + b) < 0.1 * all ? mass : free;
  const heaviest = maximum(likely);
  const kept = likely.map((m) => m > 0 && m >= 0.03 * heaviest);
  const mask = new Uint8Array(data.length);
  parts.forEach((label, n) => kept[label] && around(level, n, 2, (near) => (mask[near] = 1)));
  return mask;
}

/**
 * Visit the cells of the square around one that are inside, up to so many steps away.
 *
 * @param {Grid} grid
 * @param {number} n
 * @param {number} steps
 * @param {(near: number) => void} visit
 */
function around({ rows, cols }, n, steps, visit) {
  const [r, c] = [Math.floor(n / cols), n % cols];
  for (let y = Math.max(0, r - steps); y <= Math.min(rows - 1, r + steps); y++) {
    for (let x = Math.max(0, c - steps); x <= Math.min(cols - 1, c + steps); x++) visit(y * cols + x);
  }
}

/**
 * A part of a grid from a corner on, which may lie outside: there is nothing there.
 *
 * @param {Grid} source
 * @param {number} top
 * @param {number} left
 * @param {number} height
 * @param {number} width
 */
function region({ rows, cols, data }, top, left, height, width) {
  const out = grid(height, width);
  const [first, last] = [Math.max(0, left), Math.min(cols, left + width)];
  for (let r = Math.max(0, top); r < Math.min(rows, top + height); r++) {
    out.data.set(data.subarray(r * cols + first, r * cols + last), (r - top) * width + first - left);
  }
  return out;
}

/**
 * A grid with so many empty cells more on each side, or fewer.
 *
 * @param {Grid} source
 * @param {number} by
 */
function pad(source, by) {
  return region(source, -by, -by, source.rows + 2 * by, source.cols + 2 * by);
}

/**
 * The part of a grid where something is above a level; something must be.
 *
 * @param {Grid} source
 * @param {number} above
 */
function crop(source, above) {
  const box = /** @type {Box} */ (boxOfAll(source.rows, source.cols, (n) => source.data[n] > above));
  return region(source, box.top, box.left, box.bottom - box.top + 1, box.right - box.left + 1);
}

/**
 * Fit a digit into MNIST's frame: its size, its stroke's width, its centre of mass.
 *
 * @param {Grid} level
 */
function frame(level) {
  let digit = crop(level, 0.02);
  const longest = () => Math.max(digit.rows, digit.cols);
  const fits = () => longest() === BOX - 1 || longest() === BOX;
  if (!fits()) digit = crop(level, 0.3);
  const large = fit(digit, 8 * BOX);
  // A line that is thinner than these cells is fainter in them; what is half ink, up to rounding, counts.
  const half = 0.4999 * largest(large.data);
  const mask = grid(large.rows, large.cols, large.data.map((value) => (value > half ? 1 : 0)));
  const width = strokeWidth(mask) / 8;
  const wanted = clip(width, STROKE[0], STROKE[1]);
  if (wanted !== width) digit = restroke(mask, 4 * (wanted - width));
  if (wanted !== width || !fits()) digit = fit(digit, BOX);
  const most = largest(digit.data);
  let [sum, down, across] = [0, 0, 0];
  digit.data.forEach((value, n) => {
    sum += value;
    down += value * Math.floor(n / digit.cols);
    across += value * (n % digit.cols);
  });
  // Of two places that are as near, up to rounding, the lower and the right one.
  const top = clip(roundEven(CENTRE - down / sum + 1e-6), 0, SIDE - digit.rows);
  const left = clip(roundEven(CENTRE - across / sum + 1e-6), 0, SIDE - digit.cols);
  const framed = new Uint8Array(SIDE * SIDE);
  digit.data.forEach((value, n) => {
    const place = (top + Math.floor(n / digit.cols)) * SIDE + left + (n % digit.cols);
    framed[place] = roundEven((255 * value) / most);
  });
  return framed;
}

/**
 * Scale so that the longer side is `longest`, the aspect ratio kept exactly.
 *
 * @param {Grid} digit
 * @param {number} longest
 */
function fit(digit, longest) {
  const factor = Math.max(digit.rows, digit.cols) / longest;
  if (factor === 1) return digit;
  const lengths = [digit.rows, digit.cols];
  const sizes = lengths.map((length) => Math.max(1, Math.ceil(length / factor - 1e-9)));
  const margins = sizes.map((size, i) => (size * factor - lengths[i]) / 2);
  const borders = margins.map(Math.ceil);
  const [rows, cols] = lengths.map((length, i) => length + 2 * borders[i]);
  const padded = region(digit, -borders[0], -borders[1], rows, cols);
  padded.data = padded.data.map(Math.fround);
  const [top, left] = borders.map((border, i) => border - margins[i]);
  const right = Math.min(left + sizes[1] * factor, padded.cols);
  const bottom = Math.min(top + sizes[0] * factor, padded.rows);
  const across = resample(padded, sizes[1], left, right, false);
  const scaled = resample(across, sizes[0], top, bottom, true);
  return grid(scaled.rows, scaled.cols, scaled.data.map((value) => clip(value, 0, 1)));
}

/**
 * One pass of Pillow's bicubic resize, along rows or columns of a grid, from a part of it.
 *
 * @param {Grid} source
 * @param {number} size
 * @param {number} from
 * @param {number} to
 * @param {boolean} down along columns
 */
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
    /** @type {number[]} */
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

/**
 * Keys's cubic kernel with a = -1/2.
 *
 * @param {number} x
 */
function cubic(x) {
  const a = -0.5;
  x = Math.abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

/**
 * Mean width of the strokes: a bar of width w has a mean distance to its edge of w/4.
 *
 * @param {Grid} mask
 */
function strokeWidth(mask) {
  const inside = distanceToEdge(mask).data.filter((distance) => distance > 0);
  return inside.length ? (4 * inside.reduce((a, b) => a + b)) / inside.length : 0;
}

/**
 * Every cell's distance to the nearest without ink; there is none beyond the border.
 *
 * @param {Grid} mask
 */
function distanceToEdge(mask) {
  return pad(distanceTo(pad(mask, 1), 0), -1);
}

/**
 * Move the outline of the ink by `change` pixels, outwards if positive.
 *
 * @param {Grid} mask
 * @param {number} change
 */
function restroke(mask, change) {
  if (change > 0) {
    const wide = pad(mask, Math.ceil(change) + 1);
    const distance = distanceTo(wide, 1);
    const grown = grid(wide.rows, wide.cols, distance.data.map((d) => clip(1 + change - d, 0, 1)));
    return crop(grown, 0.5);
  }
  const distance = distanceToEdge(mask);
  const thinned = distance.data.map((d, n) => {
    let most = 0;
    around(distance, n, 1, (near) => (most = Math.max(most, distance.data[near])));
    // A part thinner than what is taken away keeps its ridge.
    const ridge = d >= 0.9 * most && mask.data[n] ? 1 : 0;
    return Math.max(clip(d + change, 0, 1), ridge);
  });
  return crop(grid(distance.rows, distance.cols, thinned), 0.5);
}

/**
 * Every cell's Euclidean distance to the nearest cell that is `target`, exactly.
 *
 * Source: Felzenszwalb and Huttenlocher, "Distance Transforms of Sampled Functions", 2012.
 *
 * @param {Grid} source
 * @param {number} target
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

/**
 * @param {Float64Array} f
 */
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
