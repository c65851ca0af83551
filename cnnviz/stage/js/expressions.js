// Live numbers in sentences, as expressions.py defines them: the same grammar, the same values, the same
// words. A test evaluates many expressions in both places.

import { decimal, number } from "./numbers.js";

const MOST_LETTERS = 2000;
const MOST_LEVELS = 40;
const LARGE = 1e15;
const TOKEN =
  /\s*(?:(?<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?<text>'[^']*')|(?<name>[A-Za-z_][A-Za-z0-9_]*)|(?<sign>==|!=|<=|>=|[-+*/%<>(),]))/y;
const WORDS = ["if", "else", "or", "and", "not"];

/** @typedef {number | string | boolean} Value */

/** @typedef {Record<string, Value | ((...given: any[]) => Value)>} Scope what names mean */

/** @typedef {[kind: string, ...parts: any[]]} Tree */

export class ExpressionError extends Error {}

/**
 * What an expression comes to; ExpressionError for a text that is none, or that means nothing in this scope.
 *
 * @param {string} text
 * @param {Scope} scope
 * @returns {Value}
 */
export function evaluate(text, scope) {
  return valueOf(parse(text), scope, text);
}

/** @type {Map<string, Tree>} */
const parsed = new Map();

/**
 * @param {string} text
 * @returns {Tree}
 */
export function parse(text) {
  const known = parsed.get(text);
  if (known) return known;
  const tree = new Parser(text).whole();
  if (parsed.size > 1024) parsed.clear();
  parsed.set(text, tree);
  return tree;
}

// Sentences ----------------------------------------------------------------------------------------

/** @type {Record<string, (value: number) => string>} */
const FORMATS = {
  number: numberText,
  signed: (value) => (value > 0 ? `+${numberText(value)}` : numberText(value)),
  percent: percentText,
  probability: (share) => percentText(Math.min(Math.max(share, 1e-300), 1 - 1e-9)),
  count: countText,
  whole: (value) => value.toFixed(0),
};

/**
 * A text whose holes are filled: {expression}, {expression: format} and {expression: one|many}.
 *
 * @param {string} template
 * @param {Scope} scope
 */
export function sentence(template, scope) {
  if (template.length > MOST_LETTERS) throw new ExpressionError(`a sentence may have ${MOST_LETTERS} letters`);
  return template.replace(/\{([^{}]*)\}/g, (_, hole) => filled(hole, scope));
}

/**
 * @param {string} hole
 * @param {Scope} scope
 */
function filled(hole, scope) {
  const colon = hole.indexOf(":");
  const text = colon < 0 ? hole : hole.slice(0, colon);
  const form = colon < 0 ? "" : hole.slice(colon + 1).trim();
  const value = evaluate(text, scope);
  if (typeof value === "boolean") throw new ExpressionError(`{${hole}} is a truth value`);
  if (typeof value === "string") {
    if (colon >= 0) throw new ExpressionError(`{${hole}} is a text, which has no format`);
    return value;
  }
  const bar = form.indexOf("|");
  if (bar >= 0) return value === 1 ? form.slice(0, bar) : form.slice(bar + 1);
  const write = Object.hasOwn(FORMATS, form || "number") && FORMATS[form || "number"];
  if (!write) throw new ExpressionError(`there is no format ${form}`);
  return write(value);
}

/**
 * @param {number} value
 * @returns {string}
 */
function numberText(value) {
  if (Number.isNaN(value)) return "not a number";
  if (value < 0) return `−${numberText(-value)}`;
  if (value === Infinity) return "infinite";
  if (value >= LARGE) return value.toExponential(1).replace("e+", "e");
  return number(value, 3);
}

/** @param {number} value */
function countText(value) {
  if (!(Math.abs(value) < LARGE)) return numberText(value);
  const text = decimal(value, 0);
  return text.replace(/\B(?=(\d{3})+$)/g, ",");
}

/** @param {number} share */
function percentText(share) {
  if (!(Math.abs(share) < LARGE)) return numberText(share);
  if (share > 0 && share <= 5e-5) return "< 0.01 %";
  if (share >= 1 - 5e-5 && share < 1) return "> 99.99 %";
  return `${decimal(100 * share, 2)} %`;
}

// Parsing ------------------------------------------------------------------------------------------

class Parser {
  /**
   * @param {string} text
   */
  constructor(text) {
    if (text.length > MOST_LETTERS) throw new ExpressionError(`an expression may have ${MOST_LETTERS} letters`);
    this.text = text;
    this.levels = 0;
    this.next = 0;
    /** @type {[kind: string, text: string][]} */
    this.tokens = [];
    const end = text.trimEnd().length;
    TOKEN.lastIndex = 0;
    while (TOKEN.lastIndex < end) {
      const found = TOKEN.exec(text);
      if (!found?.groups) throw new ExpressionError(`${text} is no expression`);
      const [kind, token] = Object.entries(found.groups).find(([, value]) => value !== undefined) ?? ["", ""];
      this.tokens.push([kind, token]);
    }
  }

  whole() {
    const tree = this.choice();
    if (this.next < this.tokens.length) throw this.wrong("nothing more");
    return tree;
  }

  /** @param {string} wanted */
  wrong(wanted) {
    const found = this.tokens[this.next]?.[1] ?? "its end";
    return new ExpressionError(`${this.text} is no expression: expected ${wanted}, found ${found}`);
  }

  /**
   * The next token if it is one of these signs or words, else "".
   *
   * @param {string[]} texts
   */
  takes(...texts) {
    const [kind, text] = this.tokens[this.next] ?? ["", ""];
    if ((kind !== "sign" && kind !== "name") || !texts.includes(text)) return "";
    this.next += 1;
    return text;
  }

  /** @param {string} text */
  needs(text) {
    if (!this.takes(text)) throw this.wrong(text);
  }

  /**
   * @param {() => Tree} read
   */
  deeper(read) {
    this.levels += 1;
    if (this.levels > MOST_LEVELS) throw new ExpressionError(`an expression may be ${MOST_LEVELS} levels deep`);
    const tree = read.call(this);
    this.levels -= 1;
    return tree;
  }

  /** @returns {Tree} */
  choice() {
    const then = this.either();
    if (!this.takes("if")) return then;
    const condition = this.either();
    this.needs("else");
    return ["choice", condition, then, this.deeper(this.choice)];
  }

  /** @returns {Tree} */
  either() {
    let tree = this.both();
    while (this.takes("or")) tree = ["or", tree, this.both()];
    return tree;
  }

  /** @returns {Tree} */
  both() {
    let tree = this.negation();
    while (this.takes("and")) tree = ["and", tree, this.negation()];
    return tree;
  }

  /** @returns {Tree} */
  negation() {
    return this.takes("not") ? ["not", this.deeper(this.negation)] : this.comparison();
  }

  /** @returns {Tree} */
  comparison() {
    const tree = this.sum();
    const sign = this.takes("==", "!=", "<=", ">=", "<", ">");
    return sign ? [sign, tree, this.sum()] : tree;
  }

  /** @returns {Tree} */
  sum() {
    let tree = this.product();
    for (let sign = this.takes("+", "-"); sign; sign = this.takes("+", "-")) tree = [sign, tree, this.product()];
    return tree;
  }

  /** @returns {Tree} */
  product() {
    let tree = this.signed();
    for (let sign = this.takes("*", "/", "%"); sign; sign = this.takes("*", "/", "%")) {
      tree = [sign, tree, this.signed()];
    }
    return tree;
  }

  /** @returns {Tree} */
  signed() {
    return this.takes("-") ? ["minus", this.deeper(this.signed)] : this.atom();
  }

  /** @returns {Tree} */
  atom() {
    if (this.takes("(")) {
      const tree = this.deeper(this.choice);
      this.needs(")");
      return tree;
    }
    const [kind, text] = this.tokens[this.next] ?? ["", ""];
    const named = kind === "name" && !WORDS.includes(text);
    if (kind !== "number" && kind !== "text" && !named) throw this.wrong("a number, a text or a name");
    this.next += 1;
    if (kind === "number") return ["number", Number(text)];
    if (kind === "text") return ["text", text.slice(1, -1)];
    if (!this.takes("(")) return ["name", text];
    const given = [];
    if (!this.takes(")")) {
      do given.push(this.deeper(this.choice));
      while (this.takes(","));
      this.needs(")");
    }
    return ["call", text, given];
  }
}

// Evaluating ---------------------------------------------------------------------------------------

/** @type {Record<string, (...given: number[]) => number>} */
const FUNCTIONS = {
  abs: Math.abs,
  floor: Math.floor,
  round: (value) => (Number.isFinite(value) ? Math.floor(value + 0.5) : value),
  sqrt: Math.sqrt,
  exp: Math.exp,
  log: Math.log,
  min: Math.min,
  max: Math.max,
};

/** @type {Record<string, (a: number, b: number) => Value>} */
const ARITHMETIC = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "%": (a, b) => (Number.isFinite(a / b) ? a - b * Math.floor(a / b) : NaN),
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
};

/**
 * @param {Tree} tree
 * @param {Scope} scope
 * @param {string} text
 * @returns {Value}
 */
function valueOf([kind, ...parts], scope, text) {
  switch (kind) {
    case "number":
    case "text":
      return parts[0];
    case "name": {
      const found = known(parts[0], scope, text);
      if (typeof found === "function") throw new ExpressionError(`${parts[0]} in ${text} is a function`);
      return found;
    }
    case "call":
      return called(parts[0], parts[1].map((/** @type {Tree} */ part) => valueOf(part, scope, text)), scope, text);
    case "choice":
      return valueOf(truth(parts[0], scope, text) ? parts[1] : parts[2], scope, text);
    case "and":
      return parts.every((part) => truth(part, scope, text));
    case "or":
      return parts.some((part) => truth(part, scope, text));
    case "not":
      return !truth(parts[0], scope, text);
    case "minus":
      return -numberOf(valueOf(parts[0], scope, text), text);
  }
  /** @type {Value[]} */
  const [a, b] = parts.map((part) => valueOf(part, scope, text));
  if (kind === "==" || kind === "!=") {
    if (typeof a !== typeof b) throw new ExpressionError(`${text} compares ${typeof a} with ${typeof b}`);
    return (a === b) === (kind === "==");
  }
  return ARITHMETIC[kind](numberOf(a, text), numberOf(b, text));
}

/**
 * @param {string} name
 * @param {Value[]} given
 * @param {Scope} scope
 * @param {string} text
 * @returns {Value}
 */
function called(name, given, scope, text) {
  const found = known(name, scope, text);
  if (typeof found !== "function") throw new ExpressionError(`${name} in ${text} is no function`);
  if (!Object.hasOwn(scope, name)) {
    const takesMany = name === "min" || name === "max";
    if (!given.length || (given.length > 1 && !takesMany)) {
      throw new ExpressionError(`${name} in ${text} takes another number of arguments, got ${given.length}`);
    }
    given.forEach((each) => numberOf(each, text));
  }
  return /** @type {(...given: any[]) => Value} */ (found)(...given);
}

/**
 * @param {string} name
 * @param {Scope} scope
 * @param {string} text
 */
function known(name, scope, text) {
  if (Object.hasOwn(scope, name)) return scope[name];
  if (Object.hasOwn(FUNCTIONS, name)) return FUNCTIONS[name];
  throw new ExpressionError(`${name} in ${text} is not known`);
}

/**
 * @param {Value} value
 * @param {string} text
 */
function numberOf(value, text) {
  if (typeof value !== "number") throw new ExpressionError(`${text} counts with a ${typeof value}`);
  return value;
}

/**
 * @param {Tree} tree
 * @param {Scope} scope
 * @param {string} text
 */
function truth(tree, scope, text) {
  const value = valueOf(tree, scope, text);
  if (typeof value !== "boolean") throw new ExpressionError(`${text} takes a ${typeof value} for a truth value`);
  return value;
}
