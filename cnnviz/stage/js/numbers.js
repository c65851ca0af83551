// Numbers as text, the same everywhere, and the same as cnnviz's Python writes them.
//
// Three things differ on purpose: what is not finite is spelled as JavaScript spells it; below 0.001 there is
// one digit fewer and the exponent has no leading zero, since columns are narrow; and cells beside each other
// (`beside`) have no thousands' commas and no decimal more at the start of a power of ten.

/** So many tell a float32 from its neighbours. */
const MOST_DIGITS = 9;
/** No scale ends below: its numbers are all 0. */
export const NOTHING = 1e-12;

/**
 * A number with so many significant digits, grouped, with a proper minus sign.
 *
 * @param {number | null | undefined} value null is a dash
 * @param {number} [digits]
 * @returns {string}
 */
export function number(value, digits = 4) {
  if (value === null || value === undefined) return "–";
  if (!Number.isFinite(value)) return String(value).replace("-", "−");
  const size = Math.abs(value);
  let text;
  if (size === 0) text = "0";
  else if (size >= 10 ** (digits - 1)) text = BigInt(roundEven(value)).toLocaleString("en-GB");
  else if (size < 1e-3) text = value.toExponential(Math.max(0, digits - 2)).replace("e-", "e−").replace("e+", "e");
  else text = fixed(value, Math.max(0, digits - 1 - Math.floor(Math.log10(size))));
  // A probability just below 1 is not 1.
  if (size < 1 && Number(text) === 1) text = size > 0.9999995 ? exact(value) : value.toFixed(6);
  return text.replace(/^-/, "−");
}

/**
 * The same with its sign always written.
 *
 * @param {number} value
 * @param {number} [digits]
 */
export function signed(value, digits = 4) {
  return value > 0 ? `+${number(value, digits)}` : number(value, digits);
}

/**
 * Numbers of one equation as text, with so many digits that whoever works it out from what is written gets
 * the result that is written. The result keeps its `digits`.
 *
 * @param {number[]} values
 * @param {number} result
 * @param {(values: number[]) => number} compute the equation
 * @param {number} [digits]
 */
export function agreeing(values, result, compute, digits = 4) {
  const enough = digitsFor(values, result, compute, digits);
  return values.map((value) => number(value, enough));
}

/**
 * How many digits that takes.
 *
 * @param {number[]} values
 * @param {number} result
 * @param {(values: number[]) => number} compute
 * @param {number} [digits]
 */
function digitsFor(values, result, compute, digits = 4) {
  const wanted = number(result, digits);
  for (let more = digits; more < MOST_DIGITS; more++) {
    const shown = values.map((value) => written(number(value, more)));
    if (number(compute(shown), digits) === wanted) return more;
  }
  return MOST_DIGITS;
}

/**
 * The number that a text of `number` says.
 *
 * @param {string} text
 */
function written(text) {
  return Number(text.replace(/,/g, "").replace(/−/g, "-"));
}

/**
 * A text of a number in brackets if it is negative, as behind a sign.
 *
 * @param {string} text
 */
export function bracketed(text) {
  return text.startsWith("−") ? `(${text})` : text;
}

/**
 * Beside others on one scale: as many decimals as the scale's end asks for.
 *
 * @param {number} value
 * @param {number} limit the scale's end
 * @param {boolean} withSign whether what is positive has a plus
 * @param {number} [digits] those of the scale's end
 */
export function beside(value, limit, withSign, digits = 3) {
  const decimals = Math.min(6, Math.max(0, digits - 1 - Math.floor(Math.log10(limit || 1))));
  return decimal(value, decimals, withSign);
}

/**
 * How the numbers of one column are written: in units of a power of ten, if they are all small or large,
 * and with one number of decimals.
 *
 * @typedef {{ power: number, decimals: number }} Form
 */

/**
 * The form in which a column's largest number has so many digits; by default it takes six characters and a sign.
 *
 * @param {number} limit the largest magnitude
 * @param {number} [digits]
 * @param {[number, number]} [plain] from which power of ten to below which it is written without one
 * @returns {Form}
 */
export function formOf(limit, digits = 4, plain = [-1, 4]) {
  const order = Number.isFinite(limit) && limit > NOTHING ? Math.floor(Math.log10(limit)) : 0;
  const power = order < plain[0] || order >= plain[1] ? order : 0;
  return { power, decimals: Math.max(0, digits - 1 - (order - power)) };
}

/**
 * A number in the form of its column.
 *
 * @param {number} value
 * @param {Form} form
 * @param {boolean} [withSign]
 */
export function formed(value, { power, decimals }, withSign) {
  return Number.isFinite(value) ? decimal(value / 10 ** power, decimals, withSign) : number(value);
}

/**
 * The number that is written for a value in a form.
 *
 * @param {number} value
 * @param {Form} form
 */
export function rounded(value, form) {
  return written(formed(value, form)) * 10 ** form.power;
}

/**
 * A form with as many decimals more as it takes.
 *
 * @param {Form} form
 * @param {(form: Form) => boolean} enough
 */
export function finer(form, enough) {
  const most = form.decimals + MOST_DIGITS - 4;
  let { decimals } = form;
  while (decimals < most && !enough({ ...form, decimals })) decimals++;
  return { ...form, decimals };
}

/**
 * What a column's numbers are multiplied by, "×10⁻³"; "" if by nothing.
 *
 * @param {Form} form
 */
export function powerText({ power }) {
  return power ? `×10${[...String(power)].map((c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(c)])).join("")}` : "";
}

/**
 * With so many decimals; what is written as zero has no sign.
 *
 * @param {number} value
 * @param {number} decimals
 * @param {boolean} [withSign]
 */
export function decimal(value, decimals, withSign = false) {
  const text = fixed(Math.abs(value), decimals);
  const sign = value < 0 ? "−" : withSign ? "+" : "";
  return Number(text) === 0 ? text : sign + text;
}

/**
 * All the digits that tell a float32 from its neighbours.
 *
 * @param {number} value
 */
export function exact(value) {
  if (value === 0) return "0";
  return String(Number(value.toPrecision(MOST_DIGITS))).replace("-", "−");
}

/**
 * A softmax's output as a percentage: none is certain, not even what float32 has rounded to 0 or 1.
 *
 * @param {number} share
 */
export function probability(share) {
  if (share <= 5e-5) return "< 0.01 %";
  if (share >= 1 - 5e-5) return "> 99.99 %";
  return `${fixed(100 * share, 2)} %`;
}

/**
 * Halves to the even neighbour, as Python and NumPy round.
 *
 * @param {number} value
 */
export function roundEven(value) {
  const low = Math.floor(value);
  if (value - low !== 0.5) return Math.round(value);
  return low % 2 === 0 ? low : low + 1;
}

/**
 * `toFixed`, which rounds halves away from zero, with Python's halves to the even digit.
 *
 * @param {number} value
 * @param {number} decimals
 */
function fixed(value, decimals) {
  const text = value.toFixed(decimals);
  // Only a whole number of halves of a half ... can lie in the middle, and it has one decimal more.
  const longer = value.toFixed(decimals + 1);
  const half = Number.isInteger(value * 2 ** (decimals + 1)) && longer.endsWith("5");
  return half && Number(text.at(-1)) % 2 ? longer.slice(0, decimals ? -1 : -2) : text;
}
