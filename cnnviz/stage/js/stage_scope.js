// What the expressions of a guided walk may speak of. stage_scope.py says what each function is, and offers the
// same ones by the same rules; a test holds the two together.

import { largestAt, largestFirst } from "./arrays.js";
import { Gradient } from "./backward.js";
import { changedScene } from "./changes.js";
import { activityOf } from "./channels.js";
import { contributionsOf } from "./contributions.js";
import { Engine } from "./engine.js";
import { ExpressionError } from "./expressions.js";
import { affinePlace } from "./forward.js";
import { receiptOf } from "./receipt.js";
import { cellAt, cellIndex } from "./scene.js";
import { cellsOf, entryOf, entryText, nameOf } from "./stage_state.js";
import { blankPaper, toPixels } from "./tracing.js";
import { readShape } from "./windows.js";

/** @import { Contribution } from "./contributions.js" */
/** @import { Cell, Scene, Stage } from "./scene.js" */
/** @import { Change } from "./stage_state.js" */

/** @typedef {[row: number, col: number, side: number, ink: number]} Square of the image, and what fills it */

const MOST_SIDE = 12;
const MOST_PLACES = 8;
const TRACED = ["input", "conv", "pool", "affine", "activation", "softmax"];

export class StageScope {
  /**
   * @param {Scene} scene
   * @param {Float32Array[]} images the numbers of each input
   * @param {Change[]} changes
   * @param {Float32Array[] | null} [shown] every stage's numbers, where they are known
   * @param {Engine} [engine] the scene's, which keeps what it computed last
   */
  constructor(scene, images, changes, shown = null, engine = new Engine(scene)) {
    this.images = images;
    this.changes = changes;
    this.engine = engine;
    this.given = shown;
    /** With the changed weights. */
    this.scene = changedScene(scene, changes);
    /** @type {Map<string, Stage>} */
    this.named = new Map(scene.stages.map((stage) => [stage.name, stage]));
    /** @type {Map<string, any>} what was worked out, by what it is */
    this.kept = new Map();
    /** @type {{ side: number, squares: Square[], next: number, tried: number, found: Square | null, done: boolean }} */
    this.looking = { side: 0, squares: [], next: 0, tried: 0, found: null, done: false };
    this.functions = this.offer();
  }

  // Behind the functions ----------------------------------------------------------------------------

  /**
   * @template T
   * @param {string} what
   * @param {() => T} work
   * @returns {T}
   */
  once(what, work) {
    if (!this.kept.has(what)) this.kept.set(what, work());
    return this.kept.get(what);
  }

  /** @param {string} name */
  about(name) {
    const stage = this.named.get(name);
    if (!stage) throw new ExpressionError(`there is no stage ${name}`);
    return stage;
  }

  /** @param {string} text @returns {Cell} */
  cellOf(text) {
    const path = typeof text === "string" ? entryOf("path", text) : [];
    if (path.length !== 1 || !this.named.has(path[0][0])) throw new ExpressionError(`${text} is no cell`);
    const [cell] = cellsOf(/** @type {any} */ ({ path }), this.scene);
    const { shape } = this.scene.stages[cell.stage];
    const fits = [cell.row, cell.col, cell.channel].every((n, axis) => Number.isInteger(n) && n >= 0 && n < shape[axis]);
    if (!fits) throw new ExpressionError(`${text} is not in its stage`);
    return cell;
  }

  /** @param {Cell} cell */
  textOf(cell) {
    return entryText("path", [nameOf(this.scene, cell)]);
  }

  /** Every stage's numbers as this page computes them: what differs from blank paper differs by more than rounding. */
  get computed() {
    return this.once("computed", () => this.engine.compute(this.images, this.changes).values);
  }

  get values() {
    return this.given ?? this.computed;
  }

  /** @param {Cell} cell */
  number(cell) {
    return this.values[cell.stage][cellIndex(this.scene.stages[cell.stage], cell)];
  }

  get blank() {
    return blankPaper(this.scene);
  }

  get scores() {
    return this.scene.stages[this.scene.output.reads[0]];
  }

  /** Classes, the highest score first. */
  get ranking() {
    return this.once("ranking", () => {
      const scores = this.values[this.scores.index];
      return largestFirst(scores, scores.length);
    });
  }

  /** @param {string} text @param {number} rank @returns {Contribution} */
  ranked(text, rank) {
    const all = this.once(`ranked ${text}`, () => {
      const { shown, folded } = contributionsOf(receiptOf(this.scene, this.values, this.cellOf(text)));
      return [...shown, ...folded].filter(({ from }) => from);
    });
    if (!all[rank - 1]) throw new ExpressionError(`${text} has no factor ${rank}`);
    return all[rank - 1];
  }

  /** @param {string} text @returns {[number, number]} */
  affine(text) {
    const cell = this.cellOf(text);
    const stage = this.scene.stages[cell.stage];
    const arrays = [this.scene.data(stage.op.a), this.scene.data(stage.op.b)];
    const place = affinePlace(stage.op, arrays[0].length, cellIndex(stage, cell));
    const [a, b] = arrays.map((array) => array[place]);
    return stage.op.form === "x*a+b" ? [a, b] : [1 / b, -a / b];
  }

  /** @param {string} text @returns {{ cells: Cell[] }} */
  path(text) {
    return this.once(`path ${text}`, () => {
      const cell = this.cellOf(text);
      const { steps } = toPixels(this.scene, this.computed, cell, this.blank);
      return { cells: [cell, ...steps.map(({ to }) => /** @type {Cell} */ (to))] };
    });
  }

  /** @param {Square} square @returns {Change} */
  filled([row, col, side, ink]) {
    const [height, width, channels] = this.scene.stages[0].shape;
    /** @type {number[]} */
    const at = [];
    for (let r = Math.max(row, 0); r < Math.min(row + side, height); r++) {
      for (let c = Math.max(col, 0); c < Math.min(col + side, width); c++) {
        for (let k = 0; k < channels; k++) at.push((r * width + c) * channels + k);
      }
    }
    return { kind: "values", stage: this.scene.stages[0].name, at, values: at.map(() => ink) };
  }

  /** The probabilities after one more change. @param {string} text @returns {Float32Array} */
  after(text) {
    return this.once(`after ${text}`, () => this.valuesAfter(text)[this.scene.output.index]);
  }

  /** Every stage's numbers after one more change. @param {string} text */
  valuesAfter(text) {
    return this.engine.compute(this.images, [...this.changes, ...entryOf("changes", text)]).values;
  }

  // The search --------------------------------------------------------------------------------------

  /** The squares of one side that are tried. @param {number} side @returns {Square[]} */
  candidates(side) {
    const [height, width, channels] = this.scene.stages[0].shape;
    const slopes = this.once("slopes", () => {
      const [first, second] = this.ranking.slice(0, 2).map((channel) =>
        new Gradient(this.scene, this.values, cellAt(this.scores, channel)).wrt(0));
      return first && second ? second.map((slope, n) => slope - first[n]) : null;
    });
    if (!slopes) return [];
    /** @type {Square[]} */
    const squares = [];
    for (const ink of [1, 0]) {
      /** @type {[gain: number, place: number][]} */
      const gains = [];
      const across = width - side + 1;
      for (let place = 0; place < (height - side + 1) * across; place++) {
        let gain = 0;
        for (let r = 0; r < side; r++) {
          for (let c = 0; c < side; c++) {
            const n = ((Math.floor(place / across) + r) * width + (place % across) + c) * channels;
            gain += slopes[n] * (ink - this.values[0][n]);
          }
        }
        if (gain > 0) gains.push([gain, place]);
      }
      gains.sort((a, b) => b[0] - a[0] || a[1] - b[1]);
      for (const [, place] of gains.slice(0, MOST_PLACES)) {
        squares.push([Math.floor(place / across), place % across, side, ink]);
      }
    }
    return squares;
  }

  /**
   * The search, as far as it gets in so many milliseconds; true once it is done. Calls go on where it stopped.
   *
   * @param {number} milliseconds
   */
  search(milliseconds = Infinity) {
    const end = performance.now() + milliseconds;
    const state = this.looking;
    const predicted = largestAt(this.values[this.scene.output.index]);
    const [height, width] = this.scene.stages[0].shape;
    const likeliness = (/** @type {Square} */ square) => {
      const shares = this.after(entryText("changes", [this.filled(square)]));
      const best = largestAt(shares);
      return best === predicted ? 0 : shares[best];
    };
    while (!state.done) {
      if (state.next < state.squares.length) {
        likeliness(state.squares[state.next++]);
        state.tried += 1;
      } else {
        let most = 0;
        for (const square of state.squares) {
          const likely = likeliness(square);
          if (likely > most) [most, state.found] = [likely, square];
        }
        state.side += 1;
        state.done = state.found !== null || state.side > Math.min(MOST_SIDE, height, width);
        if (!state.done) [state.squares, state.next] = [this.candidates(state.side), 0];
      }
      if (performance.now() > end) break;
    }
    return state.done;
  }

  get flip() {
    this.search();
    return this.looking;
  }

  // The functions -----------------------------------------------------------------------------------

  /** @returns {Record<string, (...given: any[]) => string | number | boolean>} */
  offer() {
    const { scene, named } = this;
    const { stages } = scene;
    const about = (/** @type {string} */ name) => this.about(name);
    const at = (/** @type {string} */ text) => this.cellOf(text);
    const window = (/** @type {string} */ name) => [about(name).op.rows[1], about(name).op.cols[1]];
    const shape = (/** @type {string} */ name) => about(name).shape;
    const field = (/** @type {string} */ name) => about(name).rf.split("×").map(Number);
    const numbers = (/** @type {string} */ name) => this.values[about(name).index];
    const count = (/** @type {string} */ name, /** @type {(x: number) => boolean} */ holds) =>
      numbers(name).reduce((sum, x) => sum + Number(holds(x)), 0);
    const read = (/** @type {string} */ name) =>
      about(name).op.type === "pool" ? 1 : readShape(scene, about(name))[2] / (about(name).op.groups ?? 1);
    const classAt = (/** @type {number} */ n) => scene.classes[n] ?? String(n);
    const ranked = (/** @type {Stage} */ stage, /** @type {number} */ rank) => {
      if (this.ranking[rank - 1] === undefined) throw new ExpressionError(`there is no class of rank ${rank}`);
      return cellAt(stage, this.ranking[rank - 1]);
    };
    const largest = (/** @type {string} */ name) => cellAt(about(name), largestAt(numbers(name)));
    const end = (/** @type {string} */ text) => this.path(text).cells.at(-1) ?? at(text);

    return {
      stage: (kind, number) => stages.filter(({ op }) => op.type === kind)[number - 1]?.name ?? "",
      last: () => scene.output.name,
      order: (name) => named.get(name)?.index ?? -1,
      kind: (name) => (name ? about(name).op.type : ""),
      source: (name) => (about(name).reads.length ? stages[about(name).reads[0]].name : ""),
      reader: (name) => stages.find(({ reads }) => reads.includes(about(name).index))?.name ?? "",
      pointwise: () =>
        stages.find(({ op, shape }) => op.type === "conv" && shape[0] * shape[1] > 1 && op.rows[1] === 1 && op.cols[1] === 1)?.name ?? "",
      rows: (name) => shape(name)[0],
      columns: (name) => shape(name)[1],
      channels: (name) => shape(name)[2],
      cells: (name) => numbers(name).length,
      window_rows: (name) => window(name)[0],
      window_columns: (name) => window(name)[1],
      stride: (name) => (about(name).op.rows[2] === about(name).op.cols[2] ? about(name).op.rows[2] : 0),
      products: (name) => window(name)[0] * window(name)[1] * read(name),
      channels_read: read,
      parameters: (name = "") => (name ? about(name).params : scene.header.model.params[0]),
      field_rows: (name) => field(name)[0],
      field_columns: (name) => /** @type {number} */ (field(name).at(-1)),
      fields: () => {
        const sides = [0];
        const way = [];
        for (let s = scene.output.index; stages[s].reads.length; s = stages[s].reads[0]) way.unshift(stages[s].name);
        for (const name of way) if (field(name)[0] > sides[sides.length - 1]) sides.push(field(name)[0]);
        return sides.slice(1).join(", ");
      },
      rectifies: (name) => Boolean(name) && about(name).op.name === "relu" && !Object.keys(about(name).op.arguments).length,
      takes_largest: (name) => Boolean(name) && about(name).op.mode === "max",
      traceable: () =>
        stages.every(({ op, reads }) => TRACED.includes(op.type) && reads.length <= 1 && (op.type !== "pool" || op.mode === "max")),

      cell: (name, row, col, channel) =>
        this.textOf(at(entryText("path", [[name, Math.trunc(row), Math.trunc(col), Math.trunc(channel)]]))),
      value: (text) => this.number(at(text)),
      row: (text) => at(text).row,
      column: (text) => at(text).col,
      channel: (text) => at(text).channel,
      largest: (name) => this.textOf(largest(name)),
      smallest: (name) => this.textOf(cellAt(about(name), largestAt(numbers(name).map((x) => -x)))),
      liveliest: (name) => largestAt(activityOf(about(name), this.values)),
      nonzero: (name) => count(name, (x) => x !== 0),
      negative: (name) => count(name, (x) => x < 0),
      silent: (name) => {
        const seen = new Set();
        numbers(name).forEach((x, n) => x !== 0 && seen.add(n % shape(name)[2]));
        return shape(name)[2] - seen.size;
      },
      on_blank: (text) => {
        const blank = this.blank[at(text).stage];
        if (!blank) throw new ExpressionError(`it is not known what ${text} is on blank paper`);
        return blank[cellIndex(stages[at(text).stage], at(text))];
      },

      bias: (text) => {
        const { op } = stages[at(text).stage];
        return op.bias ? scene.data(op.bias)[at(text).channel] : 0;
      },
      sum: (text) =>
        receiptOf(scene, this.values, at(text)).groups.reduce(
          (sum, { terms }) => terms.reduce((all, { product = 0 }) => all + product, sum), 0),
      factor: (text, rank) => this.textOf(/** @type {Cell} */ (this.ranked(text, rank).from)),
      weight: (text, rank) => this.ranked(text, rank).weight?.value ?? NaN,
      product: (text, rank) => this.ranked(text, rank).product,
      scale: (text) => this.affine(text)[0],
      shift: (text) => this.affine(text)[1],

      predicted: (rank) => classAt(ranked(scene.output, rank).channel),
      score: (rank) => this.number(ranked(this.scores, rank)),
      probability: (rank) => this.number(ranked(scene.output, rank)),
      scored: (rank) => this.textOf(ranked(this.scores, rank)),
      answer: (rank) => this.textOf(ranked(scene.output, rank)),

      path: (text) => entryText("path", this.path(text).cells.map((cell) => nameOf(scene, cell))),
      path_length: (text) => this.path(text).cells.length - 1,
      path_end: (text) => this.textOf(end(text)),
      ends_on_ink: (text) => stages[end(text).stage].op.type === "input" && this.number(end(text)) !== 0,

      wiped: (text, around) => {
        const { row, col } = at(text);
        return entryText("changes", [this.filled([row - around, col - around, 2 * around + 1, 0])]);
      },
      shifted: (rows, cols) => entryText("changes", [{ kind: "shift", rows: Math.trunc(rows), cols: Math.trunc(cols) }]),
      off: (name, channel) => {
        const k = Math.trunc(channel);
        at(entryText("path", [[name, 0, 0, k]]));
        return entryText("changes", [{ kind: "channel", stage: name, channel: k }]);
      },
      swapped: (name, channel, kernel) => {
        const values = scene.header.kernels?.[window(name).join("x")]?.[kernel];
        if (!values || read(name) !== 1) return "";
        const places = values.map((/** @type {number} */ _, /** @type {number} */ place) => place * shape(name)[2] + Math.trunc(channel));
        return entryText("changes", [{ kind: "weights", array: about(name).op.kernel, at: places, values }]);
      },
      value_after: (text, change) => this.once(`value ${text} ${change}`, () => {
        const cell = at(text);
        return this.valuesAfter(change)[cell.stage][cellIndex(stages[cell.stage], cell)];
      }),
      predicted_after: (text) => classAt(largestAt(this.after(text))),
      probability_after: (text) => this.after(text)[largestAt(this.after(text))],
      same_after: (text) => largestAt(this.after(text)) === largestAt(this.values[scene.output.index]),
      flip: () => (this.flip.found ? entryText("changes", [this.filled(this.flip.found)]) : ""),
      flip_row: () => this.flip.found?.[0] ?? -1,
      flip_column: () => this.flip.found?.[1] ?? -1,
      flip_side: () => this.flip.found?.[2] ?? 0,
      flip_inks: () => this.flip.found?.[3] === 1,
      tried: () => this.flip.tried,
      most_side: () => MOST_SIDE,
      most_places: () => MOST_PLACES,
    };
  }
}
