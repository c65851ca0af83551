// The receipt as text and LaTeX, the code that reproduces it, and a link to what is shown.

import { range } from "./arrays.js";
import { toBase64 } from "./base64.js";
import { button } from "./dom.js";
import { copyText } from "./files.js";
import { beside, bracketed, exact, number, probability, signed } from "./numbers.js";
import { largestOf } from "./receipt.js";
import { channelName, oneLine, quoted, stageName } from "./words.js";

/** @import { Receipt } from "./receipt.js" */
/** @import { View } from "./view.js" */

/** @type {[string, string, (view: View, steps: Receipt[]) => string][]} */
const KINDS = [
  ["text", "Text", receiptText],
  ["latex", "LaTeX", receiptLatex],
  ["numpy", "NumPy code", numpyCode],
  ["keras", "Keras code", kerasCode],
];

/**
 * @param {View} view
 */
export function copying(view) {
  const copyButton = (text, name, content) =>
    button(text, async (pressed) => {
      const words = content();
      if (words === null) return;
      const copied = await copyText(words, view.root);
      flash(pressed, copied);
      view.say(copied ? `${name} copied.` : `${name === "Link" ? "The link" : name} could not be copied.`);
    });
  if (view.host.link) {
    const link = copyButton("Copy link", "Link", () => linkTo(view));
    link.classList.add("cv-link");
    view.part("tools").append(link);
  }
  return {
    receiptShown(panel) {
      const actions = panel.element.querySelector(".cv-ractions");
      actions.insertAdjacentHTML("beforeend", '<span class="cv-copies" role="group" aria-label="Copy this receipt">Copy</span>');
      const group = actions.lastElementChild;
      for (const [kind, name, write] of KINDS) {
        const copy = copyButton(name, name, () => write(view, panel.steps));
        copy.dataset.copy = kind;
        copy.setAttribute("aria-label", `Copy as ${name}`);
        group.append(copy);
      }
    },
  };
}

/** The address of what is shown; null, and why, where it is longer than those that are opened. @param {View} view */
function linkTo(view) {
  const link = view.host.link?.(view.state()) ?? "";
  if (link.length <= (view.host.longestLink ?? Infinity)) return link;
  view.tell("So much was painted or drawn that its link would be too long to be opened. Save keeps it in a file, which Open takes back.");
  return null;
}

/** @type {WeakMap<HTMLButtonElement, number>} */
const flashing = new WeakMap();

/** Say for a moment on the button itself whether it worked. */
function flash(button, copied) {
  const name = (button.dataset.name ??= button.textContent);
  button.textContent = copied ? "Copied" : "Not copied";
  clearTimeout(flashing.get(button));
  flashing.set(button, setTimeout(() => (button.textContent = name), 1400));
}

// Text -----------------------------------------------------------------------------------------------

/**
 * @param {View} view
 * @param {Receipt[]} steps
 */
function receiptText(view, steps) {
  const { scene } = view;
  const last = steps[steps.length - 1];
  const item = scene.items[view.item];
  const lines = [`${scene.header.model.name}, ${view.image?.title ?? item.title}`, view.receipt.heading(last.cell)];
  for (const step of steps) lines.push("", ...TEXT[step.type](step, scene));
  if (last.total !== undefined) {
    lines.push("", `value ${exact(last.value)}, adds up to ${exact(last.total)}, residual ${number(last.residual, 3)}`);
  }
  return `${lines.map(oneLine).join("\n")}\n`;
}

/** @type {Record<string, (step: Receipt, scene: import("./scene.js").Scene) => string[]>} */
const TEXT = {
  sampled: (step, scene) => TEXT.weighted(step, scene),
  contracted: (step, scene) => TEXT.weighted(step, scene),
  lookup: (step) => [`${stageName(step.stage)}: row ${number(step.groups[0].terms[0].x)} of the table holds ${number(step.value)}`],
  input: (step) => [`pixel ${exact(step.value)}`],
  given: (step) => [`${stageName(step.stage)}: not taken apart, computed by Python: ${number(step.value)}`],
  weighted(step, scene) {
    const lines = [stageName(step.stage)];
    for (const group of step.groups) {
      const products = group.terms.map((term) => `${factor(term.x)}*${factor(term.weight.value)}`);
      const shown = products.length > 9 ? `${products.slice(0, 8).join(" + ")} + … ${products.length} products` : products.join(" + ");
      lines.push(`  ${channelName(scene.stages[step.stage.reads[0]], group.channel)}: ${shown} = ${signed(group.sum)}`);
    }
    const bias = step.bias ? ` + bias ${number(step.bias.value)}` : "";
    return [...lines, `  sum ${signed(step.sum)}${bias} = ${number(step.total)}`];
  },
  affine(step) {
    const x = number(step.groups[0].terms[0].x);
    const formula = step.form === "x*a+b" ? `${x} * ${number(step.a)} + ${factor(step.b)}` : `(${x} - ${factor(step.a)}) / ${number(step.b)}`;
    return [`${stageName(step.stage)}: ${formula} = ${number(step.value)}`];
  },
  activation: (step) => [`${step.stage.label}(${number(step.groups[0].terms[0].x)}) = ${number(step.value)}`],
  max: (step) => [`${stageName(step.stage)}: max(${numbersOf(step)}) = ${number(step.value)}`],
  min: (step) => [`${stageName(step.stage)}: min(${numbersOf(step)}) = ${number(step.value)}`],
  sum: (step) => [`${stageName(step.stage)}: sum(${numbersOf(step)}) = ${number(step.value)}`],
  threshold: (step) => [`${stageName(step.stage)}: threshold(${numbersOf(step)}) = ${number(step.value)}`],
  variance: (step) => [`${stageName(step.stage)}: variance(${numbersOf(step)}) = ${number(step.value)}`],
  mean: (step) => [`${stageName(step.stage)}: mean(${numbersOf(step)}) = ${number(step.value)}`],
  softmax(step) {
    const shift = `x - ${factor(step.most)}`;
    const lines = step.groups[0].terms.map((term, t) => `  ${t}: x = ${number(term.x)}, exp(${shift}) = ${number(term.power)}, ${probability(term.power / step.sum)}`);
    const own = step.groups[0].terms[step.self];
    const result = step.log ? `log of ${number(own.power)} / ${number(step.sum)}` : `${number(own.power)} / ${number(step.sum)}`;
    return ["softmax", ...lines, `  ${result} = ${number(step.value)}`];
  },
  merge: (step) => [`${stageName(step.stage)}: ${step.mode}(${numbersOf(step)}) = ${number(step.value)}`],
  move: (step) => [`${stageName(step.stage)}: ${step.groups[0].terms[0].from ? `copied, ${number(step.value)}` : `padding, ${number(step.value)}`}`],
};

function factor(value) {
  return bracketed(number(value));
}

/** The numbers that a step reads, without padding. */
function numbersOf(step, write = (x) => number(x)) {
  return step.groups[0].terms.filter((term) => term.from || step.type === "merge" || step.type === "move").map((term) => write(term.x)).join(", ");
}

// LaTeX ----------------------------------------------------------------------------------------------

/**
 * @param {View} view
 * @param {Receipt[]} steps
 */
function receiptLatex(view, steps) {
  const lines = steps.flatMap((step) => LATEX[step.type](step));
  return `\\begin{align*}\n${lines.map((line) => `  ${line}`).join(" \\\\\n")}\n\\end{align*}\n`;
}

function tex(value) {
  const text = number(value).replace("−", "-").replace(/,/g, "{,}");
  return text.replace(/^(.*)e([−-]?)(\d+)$/, (_, digits, sign, power) => `${digits} \\cdot 10^{${sign && "-"}${power}}`);
}

function texBracket(value) {
  return value < 0 ? `(${tex(value)})` : tex(value);
}

function texWords(words) {
  return `\\text{${oneLine(words).replace(/[\\{}$&#_%^~]/g, (c) => (c === "\\" ? "\\textbackslash{}" : `\\${c}${c === "^" || c === "~" ? "{}" : ""}`))}}`;
}

function matrix(group, value, limit) {
  const texts = group.terms.map((term) => beside(value(term), limit, false).replace("−", "-"));
  const rows = range(group.rows).map((r) => texts.slice(r * group.cols, (r + 1) * group.cols).join(" & "));
  return `\\begin{bmatrix} ${rows.join(" \\\\ ")} \\end{bmatrix}`;
}

const LATEX = {
  sampled: (step) => LATEX.weighted(step),
  contracted: (step) => LATEX.weighted(step),
  lookup: (step) => [`y &= ${tex(step.value)} && \\text{row }${tex(step.groups[0].terms[0].x)}`],
  input: (step) => [`x &= ${tex(step.value)}`],
  given: (step) => [`z &= ${tex(step.value)} && \\text{not taken apart}`],
  weighted(step) {
    const [x, w] = [(term) => term.x, (term) => term.weight.value];
    const lines = step.groups.map((group) => {
      const product = group.terms.length === 1
        ? `${tex(x(group.terms[0]))} \\cdot ${texBracket(w(group.terms[0]))}`
        : `${matrix(group, x, largestOf(step.groups, x))} * ${matrix(group, w, largestOf(step.groups, w))}`;
      return `s_{${group.channel}} &= ${product} = ${tex(group.sum)}`;
    });
    const bias = step.bias ? ` + ${texBracket(step.bias.value)}` : "";
    return [...lines, `z &= \\textstyle\\sum_c s_c${step.bias ? " + b" : ""} = ${tex(step.sum)}${bias} = ${tex(step.total)}`];
  },
  affine(step) {
    const x = texBracket(step.groups[0].terms[0].x);
    const formula = step.form === "x*a+b" ? `${x} \\cdot ${texBracket(step.a)} + ${texBracket(step.b)}` : `(${x} - ${texBracket(step.a)}) / ${tex(step.b)}`;
    return [`${texWords(step.stage.layer)}: \\quad y &= ${formula} = ${tex(step.value)}`];
  },
  activation: (step) => [
    `a &= \\operatorname{${step.name.replace(/_/g, "\\_")}}(${tex(step.groups[0].terms[0].x)}) = ${tex(step.value)}`,
  ],
  max: (step) => [`y &= \\max(${numbersOf(step, tex)}) = ${tex(step.value)}`],
  min: (step) => [`y &= \\min(${numbersOf(step, tex)}) = ${tex(step.value)}`],
  sum: (step) => [`y &= ${numbersOf(step, tex).replace(/, /g, " + ")} = ${tex(step.value)}`],
  threshold: (step) => [`\\tau &= \\tau(${numbersOf(step, tex)}) = ${tex(step.value)}`],
  variance: (step) => [`y &= \\operatorname{var}(${numbersOf(step, tex)}) = ${tex(step.value)}`],
  mean: (step) => [`y &= \\frac{1}{${step.count}} \\left(${numbersOf(step, tex).replace(/, /g, " + ")}\\right) = ${tex(step.value)}`],
  softmax(step) {
    const own = step.groups[0].terms[step.self];
    const fraction = `\\frac{e^{${tex(own.x)}}}{\\sum_j e^{x_j}}`;
    const ratio = `\\frac{${tex(own.power)}}{${tex(step.sum)}}`;
    return [`p &= ${step.log ? `\\log ${fraction}` : `${fraction} = ${ratio}`} = ${tex(step.value)}`];
  },
  merge: (step) => [`y &= \\operatorname{${step.mode}}(${numbersOf(step, tex)}) = ${tex(step.value)}`],
  move: (step) => [`y &= ${tex(step.value)}`],
};

// Code -----------------------------------------------------------------------------------------------

/**
 * @param {View} view
 * @param {Receipt[]} steps
 */
function numpyCode(view, steps) {
  const { cell, stage } = steps[steps.length - 1];
  const place = indicesOf(stage).map((name) => `${name}=${cell[name]}`).join(", ");
  const value = stage.part === "output" ? "" : `\n# ${stage.label}: the pre-activation, before ${quoted(stage.layer)}'s activation`;
  return `${runCode(view, "cnnviz")}
${value ? `print(run.pre_activation(${quoted(stage.layer)})${indexCode(stage, cell)})${value}\n` : ""}print(cnnviz.explain(run, ${quoted(stage.layer)}, ${place}))
${steps.map(arithmeticCode).join("")}`;
}

const MOST_WRITTEN = 2000; // Numbers of an array that is written out.

/**
 * A step as NumPy computes it, on the numbers that the page shows; "" for what is not taken apart.
 *
 * @param {Receipt} step
 */
export function arithmeticCode(step) {
  const write = ARITHMETIC[step.type];
  const count = step.groups?.reduce((sum, { terms }) => sum + terms.length, 0) ?? 0;
  if (!write || !count || count > MOST_WRITTEN) return "";
  return `
# ${oneLine(stageName(step.stage))}, with the numbers that the page shows
${write(step)}
`;
}

const SUMMED = (step) => `patch = ${arrayCode(step, (term) => term.x)}
kernel = ${arrayCode(step, (term) => term.weight.value)}${step.bias ? `\nbias = ${floatCode(step.bias.value)}` : ""}
print((patch * kernel).sum()${step.bias ? " + bias" : ""})`;
const PICKED = (method) => (step) => `patch = ${listCode(step)}
print(patch.${method}())`;

/** @type {Record<string, (step: Receipt) => string>} */
const ARITHMETIC = {
  weighted: SUMMED,
  sampled: SUMMED,
  contracted: SUMMED,
  max: PICKED("max"),
  min: PICKED("min"),
  sum: PICKED("sum"),
  mean: PICKED("mean"),
  variance: PICKED("var"),
  affine: (step) => `x, a, b = ${[step.groups[0].terms[0].x, step.a, step.b].map(floatCode).join(", ")}
print(${step.form === "x*a+b" ? "x * a + b" : "(x - a) / b"})`,
  softmax: (step) => `z = ${listCode(step)}
powers = np.exp(z - z.max())
print(${step.log ? "np.log" : ""}(powers / powers.sum())[${step.self}])`,
  activation(step) {
    const z = `z = ${floatCode(step.groups[0].terms[0].x)}`;
    const given = Object.entries(step.stage.op.arguments ?? {});
    if (step.name === "relu" && !given.length) return `${z}\nprint(np.maximum(z, 0))`;
    if (step.slope !== undefined) given.splice(0, Infinity, ["alpha", step.slope]);
    const named = given.map(([name, value]) => `, ${name}=${pythonLiteral(value)}`).join("");
    return `${z}\nprint(cnnviz.ops.${step.name}(z${named}))`;
  },
  merge: (step) => `x = ${listCode(step)}\n${MERGED[step.mode] ?? `print(np.float32(np.${step.mode}(*x)))`}`,
  move: (step) => `x = ${listCode(step)}\nprint(x[0])`,
};

/**
 * What NumPy has no function of that name for.
 *
 * @type {Record<string, string>}
 */
const MERGED = {
  add: "print(x.sum())",
  subtract: "print(x[0] - x[1])",
  multiply: "print(x.prod())",
  average: "print(x.mean())",
  maximum: "print(x.max())",
  minimum: "print(x.min())",
  add_scaled: "print(x[0] + x[1] * x[2])",
  rsqrt: "print(1 / np.sqrt(x[0]))",
  erf: "from scipy import special\nprint(special.erf(x[0]))",
};

/** What a step reads as an array (rows, columns, channels). */
function arrayCode({ groups }, value) {
  const [{ rows, cols }] = groups;
  const cells = range(rows * cols).map((t) => `[${groups.map(({ terms }) => pythonNumber(value(terms[t]))).join(", ")}]`);
  const lines = range(rows).map((r) => `    [${cells.slice(r * cols, (r + 1) * cols).join(", ")}],`);
  return `np.float32([\n${lines.join("\n")}\n])  # (${rows}, ${cols}, ${groups.length}): rows, columns, channels`;
}

/** The numbers that a step reads, without padding, as an array. */
function listCode(step) {
  return `np.float32([${numbersOf(step, pythonNumber)}])`;
}

function floatCode(value) {
  return `np.float32(${pythonNumber(value)})`;
}

/** An argument as Python writes it. */
function pythonLiteral(value) {
  if (typeof value === "number") return pythonNumber(value);
  return value === null ? "None" : typeof value === "boolean" ? (value ? "True" : "False") : JSON.stringify(value);
}

/** A number as Python reads it. */
function pythonNumber(value) {
  if (Number.isFinite(value)) return exact(value).replace("−", "-");
  return Number.isNaN(value) ? "np.nan" : value > 0 ? "np.inf" : "-np.inf";
}

/**
 * @param {View} view
 * @param {Receipt[]} steps
 */
export function kerasCode(view, steps) {
  const { cell, stage } = steps[steps.length - 1];
  if (/[/:]/.test(stage.layer)) {
    return `${runCode(view, "keras").replace("import keras\n", "").trimStart()}

# A layer of a nested model, or a layer's later call: what Keras's own gives there, after its activation.
from cnnviz.verification.comparison import KerasFile

outputs = KerasFile(net.source)({name: run[name] for name in net.inputs})
print(outputs[${quoted(stage.layer)}]${indexCode(stage, cell)})
`;
  }
  const before = stage.part === "output" ? "" : `
layer = model.get_layer(${quoted(stage.layer)})
layer.activation = keras.activations.linear  # to see the number before the activation`;
  return `${runCode(view, "keras")}
model = keras.models.load_model(file)${before}
part = keras.Model(model.inputs, ${kerasOutput(stage)})
print(part.predict({name: run[name] for name in net.inputs})${indexCode(stage, cell)})
`;
}

/** The output of a stage's layer in Keras. An operation is no layer, and may have several: "split[1]". */
function kerasOutput({ kind, layer }) {
  if (!kind.startsWith("ops.")) return `model.get_layer(${quoted(layer)}).output`;
  const [, name, part] = /^(.*?)(\[\d+\])?$/.exec(layer);
  return `next(op for op in model.operations if op.name == ${quoted(name)}).output${part ?? ""}`;
}

/** The indices of a layer's cells, as `cnnviz.explain` calls them. */
function indicesOf(stage) {
  return { 1: ["channel"], 2: ["row", "channel"] }[stage.axes] ?? ["row", "col", "channel"];
}

function indexCode(stage, cell) {
  return `[${[0, ...indicesOf(stage).map((name) => cell[name])].join(", ")}]`;
}

const UNKNOWN = "  # Put your network's file here: the view was not told where it is.";

/** Lines that load the network and run it on the image: by name where it has one, else by its numbers. */
function runCode(view, library) {
  const { scene } = view;
  const item = scene.items[view.item];
  const { name, file, bundled } = scene.header.model;
  const keras = library === "keras";
  const lines = [keras ? "import keras" : "import numpy as np", "", keras && bundled ? "import cnnviz.resources" : "import cnnviz"];
  if (view.before) lines.push("", "# The numbers on the page were changed by hand; this is the network as it came.");
  lines.push("");
  const where = keras && bundled ? `cnnviz.resources.asset(${quoted(file)})` : `${quoted(bundled ? name : file)}${bundled ? "" : UNKNOWN}`;
  lines.push(...(keras || !bundled ? [`file = ${where}`, "net = cnnviz.load_model(file)"] : [`net = cnnviz.load_model(${where})`]));
  if (item.code && !view.shown) lines.push(`image = ${item.code}  # ${oneLine(item.title)}`);
  else {
    lines.unshift("import base64");
    if (keras) lines.splice(2, 0, "import numpy as np");
    const given = scene.stages.filter(({ op }) => op.type === "input").map((stage) => {
      const text = toBase64(new Uint8Array(Float32Array.from(view.values[stage.index]).buffer));
      return `    ${quoted(stage.layer)}: np.frombuffer(base64.b64decode(${quoted(text)}), "<f4").reshape(${stage.shape.slice(-stage.axes).join(", ")}),`;
    });
    lines.push("image = {", ...given, "}");
  }
  lines.push("run = net.run(image)");
  return lines.join("\n");
}
