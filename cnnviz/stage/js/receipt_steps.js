// How each kind of step of a receipt reads, as HTML for the receipt panel.

import { maximum } from "./arrays.js";
import { activationOf, mergeOf } from "./forward.js";
import { agreeing, bracketed, finer, formed, formOf, NOTHING, number, powerText, probability, rounded } from "./numbers.js";
import { escapeHtml, placeText, plural, stageName } from "./words.js";

/** @import { Receipt } from "./receipt.js" */
/** @import { ReceiptPanel } from "./receipt_panel.js" */

/** A step's t-th number, which can be followed to the cell it came from. */
function numberButton(i, t, text, label) {
  return `<button type="button" tabindex="-1" class="cv-number" data-term="${i}.0.${t}" data-role="x"
    aria-label="${escapeHtml(label)}">${text}</button>`;
}

/** A step's only number. */
function link(panel, i, text) {
  const { term } = panel.termOf(`${i}.0.0`);
  return numberButton(i, 0, text, term.from ? `${panel.heading(term.from)}: ${text}` : text);
}

/** All numbers that one is made of, beside each other. */
function allOf(panel, step, i, made, name) {
  return `<h3>${escapeHtml(stageName(step.stage))}: ${made} of ${plural(step.count, "cell")}</h3>
    <p class="cv-line">${name} <i>=</i> ${panel.outcome(step, i)}</p>`;
}

/** How products are written: what is written multiplies to what is written, but for the last digit. */
export function factorForms(terms, products) {
  const [x, w] = [terms.map((term) => term.x), terms.map((term) => term.weight.value)];
  const unit = 10 ** (products.power - products.decimals);
  const more = (/** @type {import("./numbers.js").Form} */ form, by) => ({ ...form, decimals: form.decimals + by });
  const [ofX, ofW] = [formOf(largest(x)), formOf(largest(w))];
  // Both get as many decimals more.
  const { decimals: by } = finer({ power: 0, decimals: 0 }, ({ decimals }) =>
    terms.every(({ product }, t) => {
      const shown = rounded(x[t], more(ofX, decimals)) * rounded(w[t], more(ofW, decimals));
      return Math.abs(shown - rounded(product, products)) <= unit;
    }));
  return { x: more(ofX, by), w: more(ofW, by), p: products };
}

function largest(values) {
  return maximum(values.map(Math.abs), NOTHING);
}

/** What is added behind a sum, and what that comes to; it can be turned like a weight. */
function biasOf(panel, step, i, added) {
  if (!step.bias) return panel.setByHand(step);
  const words = `bias ${added}: drag it up or down, or press Enter to type`;
  return ` <i>+</i> bias <button type="button" class="cv-number cv-turn" data-turn="bias" aria-label="${escapeHtml(words)}">${bracketed(added)}</button>
    <i>=</i> ${panel.outcome(step, i, step.total)}`;
}

/** All classes of a softmax, with their powers and shares. */
export function softmaxTable(panel, step, i) {
  const { scene, colours } = panel.view;
  const names = step.stage === scene.output ? scene.classes : null;
  const own = step.groups[0].terms[step.self];
  const [, , power, sum] = agreeing([own.x, step.most, own.power, step.sum], step.total, ([x, most, power, sum]) =>
    step.log ? x - most - Math.log(sum) : power / sum,
  );
  const logits = formOf(largest(step.groups[0].terms.map((term) => term.x)));
  // As exact as the powers of the line below.
  const powers = { power: 0, decimals: maximum([power, sum].map((text) => text.split(".")[1]?.length ?? 0), 4) };
  const rows = step.groups[0].terms.map((term, t) => {
    const share = term.power / step.sum;
    const itself = t === step.self;
    const name = names?.[t] ?? t;
    return `<tr class="${itself ? "cv-own" : ""}"><th scope="row">${escapeHtml(name)}</th>
      <td>${numberButton(i, t, formed(term.x, logits), `logit ${name}: ${number(term.x)}`)}</td>
      <td>${formed(term.power, powers)}</td><td>${step.log ? "" : probability(share)}</td>
      <td class="cv-spark"><i style="width:${100 * share}%;background:${colours.around.positive}"></i></td></tr>`;
  });
  const shift = `x ${step.most < 0 ? "+" : "−"} ${number(Math.abs(step.most))}`;
  return `<table class="cv-table"><thead><tr><th scope="col">${names ? "class" : "unit"}</th><th scope="col">logit x ${powerText(logits)}</th>
      <th scope="col">e to the (${shift})</th><th scope="col">share</th><td></td></tr></thead><tbody>${rows.join("")}</tbody>
      <tfoot><tr><th scope="row">sum</th><td></td><td>${formed(step.sum, powers)}</td><td></td><td></td></tr></tfoot></table>`;
}

/**
 * By the kinds of receipts: HTML of the i-th step in a panel.
 *
 * @type {Record<string, (panel: ReceiptPanel, step: Receipt, i: number) => string>}
 */
export const STEPS = {
  input(panel, step) {
    const { picture } = panel.view.scene;
    const plane = step.stage.index === 0 && picture?.planes[step.cell.channel];
    if (plane) {
      const full = step.value * picture.factor[step.cell.channel] + picture.offset[step.cell.channel];
      const said = picture.said ? `, ${picture.said}` : "";
      return `<p class="cv-line">pixel <b>${number(step.value)}</b>: ${plane} ${number(255 * full)} of 255${escapeHtml(said)}</p>`;
    }
    const byte = step.value * 255;
    const whole = !picture && Math.abs(byte - Math.round(byte)) < 1e-3 && step.value >= 0 && step.value <= 1;
    const note = whole ? ` = ${Math.round(byte)}/255, where 0 is paper and 1 is ink` : "";
    return `<p class="cv-line">pixel <b>${number(step.value)}</b>${note}</p>`;
  },

  given(panel, step, i) {
    return `<h3>${escapeHtml(stageName(step.stage))}: not taken apart</h3>
      <p class="cv-line">computed by Python: ${panel.outcome(step, i, step.value)}</p>
      <p class="cv-small">This page knows no operation for a ${escapeHtml(step.stage.kind)} layer, so it shows Python's numbers.</p>`;
  },

  weighted(panel, step, i) {
    const [group] = step.groups;
    const count = step.groups.length;
    const patch = group.terms.length === 1 ? "one cell" : `a patch of ${group.rows}×${group.cols}`;
    const channels = count > 1 ? ` in each of ${count} channels` : "";
    const parts = step.bias ? [step.sum, step.bias.value] : [step.sum];
    const [sum, added] = agreeing(parts, step.total, (all) => all.reduce((a, b) => a + b));
    const sums = count > 1 ? `the ${count} sums together` : "sum";
    const sign = step.sum > 0 ? "+" : "";
    return `<h3>${escapeHtml(stageName(step.stage))}: ${patch}${channels}, times the kernel</h3>
      <p class="cv-line">${sums} <b>${sign}${sum}</b>${biasOf(panel, step, i, added)}</p>`;
  },

  contracted(panel, step, i) {
    const parts = step.bias ? [step.sum, step.bias.value] : [step.sum];
    const [sum, added] = agreeing(parts, step.total, (all) => all.reduce((a, b) => a + b));
    return `<h3>${escapeHtml(stageName(step.stage))}: the sum of ${plural(step.groups.length, "product")}</h3>
      <p class="cv-line">sum <b>${sum}</b>${biasOf(panel, step, i, added)}</p>`;
  },

  lookup(panel, step, i) {
    return `<h3>${escapeHtml(stageName(step.stage))}: a row of a table</h3>
      <p class="cv-line">row ${link(panel, i, number(step.groups[0].terms[0].x))} holds ${panel.outcome(step, i)} here</p>`;
  },

  sampled(panel, step, i) {
    const count = step.groups[0].terms.length;
    return `<h3>${escapeHtml(stageName(step.stage))}: ${plural(count, "cell")} of one channel, each with its weight</h3>
      <p class="cv-line">sum ${panel.outcome(step, i)}</p>
      <p class="cv-small">A weight is that of the row times that of the column; they say how near the cell is.</p>`;
  },

  affine(panel, step, i) {
    const { scene } = panel.view;
    const { parts, epsilon } = step.stage.op;
    const given = [step.groups[0].terms[0].x, step.a, step.b];
    const texts = agreeing(given, step.total, ([x, a, b]) => (step.form === "x*a+b" ? x * a + b : (x - a) / b));
    const x = link(panel, i, bracketed(texts[0]));
    const [a, b] = texts.slice(1).map(bracketed);
    const sum = step.form === "x*a+b"
      ? `${x} <i>×</i> scale <b>${a}</b> <i>+</i> shift <b>${b}</b>`
      : `(${x} <i>−</i> mean <b>${a}</b>) <i>/</i> deviation <b>${b}</b>`;
    let words = "";
    if (parts) {
      const at = (name) => (parts[name] ? scene.data(parts[name])[step.place] : { gamma: 1, beta: 0 }[name]);
      const [gamma, beta, mean, variance] = ["gamma", "beta", "mean", "variance"].map(at);
      const scale = agreeing([gamma, variance], step.a, ([g, v]) => g / Math.sqrt(v + epsilon));
      const shift = agreeing([beta, mean, step.a], step.b, ([b, m, s]) => b - m * s);
      words = `<p class="cv-small">scale = γ / √(variance + ε) = ${scale[0]} / √(${scale[1]} + ${number(epsilon, 1)})
        = ${number(step.a)}; shift = β − mean × scale = ${shift[0]} − ${bracketed(shift[1])} × ${bracketed(shift[2])} = ${number(step.b)}</p>`;
    }
    const { statistics } = step;
    if (statistics) {
      words = `<p class="cv-small">The scale and the shift come from ${plural(statistics.count, "number")} of this image, this one
        among them: mean ${number(statistics.mean)}, variance ${number(statistics.variance)}.</p>`;
    }
    if (step.form !== "x*a+b" && step.stage.params) {
      words = `<p class="cv-small">The mean and the deviation were measured on training data before the training; they cannot be changed here.</p>`;
    }
    const of = statistics ? "for the group" : "for the channel";
    return `<h3>${escapeHtml(stageName(step.stage))}: a scale and a shift ${of}</h3>
      <p class="cv-line">${sum} <i>=</i> ${panel.outcome(step, i)}</p>${words}`;
  },

  activation(panel, step, i) {
    const x = step.groups[0].terms[0].x;
    const plainRelu = step.name === "relu" && !Object.keys(step.stage.op.arguments).length;
    const label = escapeHtml(step.stage.label);
    const formula = plainRelu ? `${label}: the larger of 0 and` : `${label} of`;
    const note = plainRelu && x < 0 ? " <span>negative, so nothing passes</span>" : "";
    const { name, arguments: given } = step.stage.op;
    const [text] = agreeing([x], step.total, ([z]) => activationOf(name, given, z, step.slope));
    return `<p class="cv-line">${formula} ${link(panel, i, text)} <i>=</i> ${panel.outcome(step, i)}${note}</p>`;
  },

  min: (panel, step, i) => STEPS.max(panel, step, i).replaceAll("the largest", "the smallest"),

  sum(panel, step, i) {
    return allOf(panel, step, i, "the sum", "sum");
  },

  variance(panel, step, i) {
    return allOf(panel, step, i, "the mean squared distance from their mean,", "variance");
  },

  threshold(panel, step, i) {
    return allOf(panel, step, i, "the threshold of the sparsemax", "threshold");
  },

  max(panel, step, i) {
    const winner = step.groups[0].terms[step.winner];
    const where = winner?.from ? ` at ${placeText(panel.view.scene.stages[winner.from.stage], winner.from)}` : "";
    const won = winner?.from ? numberButton(i, step.winner, number(step.total), panel.heading(winner.from)) : number(step.total);
    return `<h3>${escapeHtml(stageName(step.stage))}: the largest of ${plural(step.groups[0].terms.length, "cell")}, in one channel</h3>
      <p class="cv-line">the largest${where} is ${won}${panel.setByHand(step)}</p>`;
  },

  mean(panel, step, i) {
    return `<h3>${escapeHtml(stageName(step.stage))}: the mean of ${plural(step.count, "cell")}, in one channel</h3>
      <p class="cv-line">sum <b>${agreeing([step.groups[0].sum], step.total, ([sum]) => sum / step.count)[0]}</b>
      <i>/</i> <b>${step.count}</b> <i>=</i> ${panel.outcome(step, i)}</p>`;
  },

  softmax(panel, step, i) {
    const own = step.groups[0].terms[step.self];
    const [x, most, power, sum] = agreeing([own.x, step.most, own.power, step.sum], step.total, ([x, most, power, sum]) =>
      step.log ? x - most - Math.log(sum) : power / sum,
    );
    const line = step.log
      ? `${x} <i>−</i> ${bracketed(most)} <i>−</i> log <b>${sum}</b>`
      : `<b>${power}</b> <i>/</i> <b>${sum}</b>`;
    return `<h3>Softmax: each exponential over the sum of them all</h3>
      <p class="cv-line">${line} <i>=</i> ${panel.outcome(step, i)}</p>
      <p class="cv-small">The largest logit is taken off first, which changes no share and keeps e to the x small.</p>`;
  },

  merge(panel, step, i) {
    const sign = { add: "+", subtract: "−", multiply: "×", average: "+", divide: "/" }[step.mode] ?? ",";
    const { terms } = step.groups[0];
    const texts = agreeing(terms.map(({ x }) => x), step.total, (all) => mergeOf(step.mode, all));
    const numbers = terms.map((term, t) =>
      term.from ? numberButton(i, t, bracketed(texts[t]), panel.heading(term.from)) : `<b>${bracketed(texts[t])}</b>`);
    const joined = numbers.join(` <i>${sign}</i> `);
    const whole = {
      average: `(${joined}) <i>/</i> ${numbers.length}`,
      maximum: `the largest of ${joined}`,
      minimum: `the smallest of ${joined}`,
    }[step.mode] ?? (sign === "," ? `${escapeHtml(step.mode.replaceAll("_", " "))}(${joined})` : joined);
    return `<h3>${escapeHtml(stageName(step.stage))}: cell by cell</h3>
      <p class="cv-line">${whole} <i>=</i> ${panel.outcome(step, i)}</p>`;
  },

  move(panel, step, i) {
    const [term] = step.groups[0].terms;
    const line = term.from
      ? `copied from ${escapeHtml(panel.heading(term.from))}: ${link(panel, i, number(term.x))}${panel.setByHand(step)}`
      : `padding: <b>${number(term.x)}</b>, read from nowhere`;
    return `<h3>${escapeHtml(stageName(step.stage))}: numbers are moved, not changed</h3><p class="cv-line">${line}</p>`;
  },
};
