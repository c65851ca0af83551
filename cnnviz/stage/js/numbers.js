// Numbers and names as text, the same everywhere.

/** So many tell a float32 from its neighbours. */
const MOST_DIGITS = 9;

/** A number with so many significant digits, grouped, with a proper minus sign. */
export function number(value, digits = 4) {
  if (value === null || value === undefined) return "–";
  if (!Number.isFinite(value)) return String(value).replace("-", "−");
  const size = Math.abs(value);
  let text;
  if (size === 0) text = "0";
  else if (size >= 10 ** (digits - 1)) text = Math.round(value).toLocaleString("en-GB");
  else if (size < 1e-3) text = value.toExponential(digits - 2).replace("e-", "e−").replace("e+", "e");
  else text = value.toFixed(Math.max(0, digits - 1 - Math.floor(Math.log10(size))));
  // A probability just below 1 is not 1.
  if (size < 1 && Number(text) === 1) text = size > 0.9999995 ? exact(value) : value.toFixed(6);
  return text.replace(/^-/, "−");
}

/** The same with its sign always written. */
export function signed(value, digits = 4) {
  return value > 0 ? `+${number(value, digits)}` : number(value, digits);
}

/**
 * Numbers of one equation as text, with so many digits that whoever works it out from what is written gets
 * the result that is written: `compute` is the equation. The result keeps its `digits`.
 */
export function agreeing(values, result, compute, digits = 4) {
  const enough = digitsFor(values, result, compute, digits);
  return values.map((value) => number(value, enough));
}

/** How many digits that takes. */
export function digitsFor(values, result, compute, digits = 4) {
  const wanted = number(result, digits);
  for (let more = digits; more < MOST_DIGITS; more++) {
    const shown = values.map((value) => written(number(value, more)));
    if (number(compute(shown), digits) === wanted) return more;
  }
  return MOST_DIGITS;
}

/** The number that a text of `number` says. */
function written(text) {
  return Number(text.replace(/,/g, "").replace(/−/g, "-"));
}

/** A text of a number in brackets if it is negative, as behind a sign. */
export function bracketed(text) {
  return text.startsWith("−") ? `(${text})` : text;
}

/** Beside others on one scale: as many decimals as the scale's end asks for. */
export function beside(value, limit, withSign, digits = 3) {
  const decimals = Math.min(6, Math.max(0, digits - 1 - Math.floor(Math.log10(limit || 1))));
  const text = Math.abs(value).toFixed(decimals);
  const sign = value < 0 ? "−" : withSign ? "+" : "";
  return Number(text) === 0 ? text : sign + text;
}

/** All the digits that tell a float32 from its neighbours. */
export function exact(value) {
  if (value === 0) return "0";
  return String(Number(value.toPrecision(9))).replace("-", "−");
}

/** As `cnnviz.colours.probability`: the page around says the same numbers, and none is certain. */
export function percent(share) {
  if (share <= 5e-5) return "< 0.01 %";
  if (share >= 1 - 5e-5) return "> 99.99 %";
  return `${(100 * share).toFixed(2)} %`;
}

export function plural(count, word) {
  return `${count.toLocaleString("en-GB")} ${word}${count === 1 ? "" : "s"}`;
}

export function escapeHtml(text) {
  const names = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return String(text).replace(/[&<>"']/g, (c) => names[c]);
}

/** A cell in words, as a crumb or a heading: "conv2d_3 ReLU (4, 5) channel 7". */
export function cellName(scene, cell) {
  const stage = scene.stages[cell.stage];
  const name = stageName(stage);
  if (stage.op.type === "input") return `${name} (${cell.row}, ${cell.col})${channelOf(stage, cell, " channel ")}`;
  if (stage === scene.output && stage.op.type === "softmax") {
    return `probability of ${scene.classes[cell.channel] ?? cell.channel}`;
  }
  if (leadsToOutput(scene, stage)) return `logit ${scene.classes[cell.channel] ?? cell.channel}`;
  if (stage.shape[0] === 1 && stage.shape[1] === 1) return `${name} unit ${cell.channel}`;
  return `${name} (${cell.row}, ${cell.col}) channel ${cell.channel}`;
}

function channelOf(stage, cell, words) {
  return stage.shape[2] > 1 ? `${words}${cell.channel}` : "";
}

/** Whether a stage holds the logits: what a last softmax reads. */
export function leadsToOutput(scene, stage) {
  const output = scene.output;
  return output.op.type === "softmax" && output.reads[0] === stage.index;
}

/** A stage's layer, and what it is of it. */
export function stageName(stage) {
  if (stage.op.type === "activation" && stage.name !== stage.layer) return `${stage.layer} ${stage.label}`;
  return stage.name;
}

export function shapeText(stage) {
  const [height, width, channels] = stage.shape;
  return stage.vector || (height === 1 && width === 1) ? `${channels}` : `${height}×${width}×${channels}`;
}
