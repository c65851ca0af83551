// One pixel through a 1x1 convolution: its channels, the matrix, and what comes out, for whichever pixel is pointed at.
// All numbers come from Python once; only the products, their sum and what it differs by are worked out here.

export function show(component) {
  const root = component.parentElement.querySelector(".root");
  root.view ??= new Mixing(root);
  root.view.tell = (kept) => component.setTriggerValue("kept", kept);
  root.view.show(component.data);
}

class Mixing {
  constructor(root) {
    this.root = root;
    this.find = (selector) => root.querySelector(selector);
    this.pad = this.find(".pad");
    this.sent = [];
    this.listen();
  }

  show(data) {
    const kept = { row: data.row, col: data.column, out: data.channel };
    const place = this.sent.findIndex((one) => same(one, kept));
    const old = place >= 0 && place < this.sent.length - 1; // An answer to something older than what is shown.
    this.sent = old ? this.sent.slice(place + 1) : [];
    if (data.key !== this.key) {
      this.key = data.key;
      this.over = null;
      this.take(data);
      this.kept = kept;
      this.build();
    } else if (!old) {
      this.kept = kept;
    }
    if (!old) this.map = this.map?.kind === "in" && this.map.k < this.inputs ? this.map : { kind: "out", k: this.kept.out };
    this.paint();
  }

  take(data) {
    this.stops = {};
    Object.assign(this, { rows: data.rows, cols: data.cols, scales: data.scales, palettes: data.palettes, then: data.then });
    for (const name of ["x", "matrix", "bias", "before", "after"]) this[name] = floats(data[name]);
    this.inputs = data.inputs;
    this.outputs = data.outputs;
    this.lines = ["+ bias", "= sum", "the network’s", "difference", ...(this.then ? [`after ${this.then}`] : [])];
  }

  get at() {
    return this.over ?? this.kept;
  }

  // What the numbers are at a place: straight out of the arrays that Python sent.
  input(i, { row, col } = this.at) {
    return this.x[(row * this.cols + col) * this.inputs + i];
  }

  output(array, o, { row, col } = this.at) {
    return array[(row * this.cols + col) * this.outputs + o];
  }

  weight(i, o) {
    return this.matrix[i * this.outputs + o];
  }

  sum(o) {
    let sum = this.bias[o];
    for (let i = 0; i < this.inputs; i++) sum += this.input(i) * this.weight(i, o);
    return sum;
  }

  build() {
    const table = document.createElement("table");
    const outs = [...Array(this.outputs).keys()];
    const ins = [...Array(this.inputs).keys()];
    table.innerHTML = `<colgroup><col class="name"><col class="x">${outs.map(() => "<col>").join("")}<col class="w"><col class="product"></colgroup>
      <thead><tr><th scope="col" class="words">in</th><th scope="col" class="words">pixel</th>${outs.map((o) => `<th scope="col" data-out="${o}"></th>`).join("")}<th scope="col" class="words w">weight</th><th scope="col" class="words times"></th></tr></thead>
      <tbody>${ins.map((i) => `<tr><th scope="row"></th><td class="x"></td>${outs.map((o) => `<td data-out="${o}"><span></span></td>`).join("")}<td class="chosen-weight"></td><td class="product"></td></tr>`).join("")}</tbody>
      <tfoot>${this.lines.map((name) => `<tr><th scope="row" colspan="2">${name}</th>${outs.map((o) => `<td data-out="${o}"><span></span></td>`).join("")}<td class="w"></td><td class="product"></td></tr>`).join("")}</tfoot>`;
    this.find(".table").replaceChildren(table);
    const button = (kind, k) => {
      const made = document.createElement("button");
      made.type = "button";
      made.innerHTML = `<span class="thumb"><canvas></canvas><i></i></span><span class="number">${k}</span>`;
      made.setAttribute("aria-label", kind === "in" ? `show map ${k} that comes in` : `output ${k}: show its map and its products`);
      made.onclick = () => this.choose({ kind, k });
      this.draw(made.querySelector("canvas"), { kind, k });
      return made;
    };
    this.buttons = {
      in: ins.map((i) => table.tBodies[0].rows[i].cells[0].appendChild(button("in", i))),
      out: outs.map((o) => table.tHead.querySelector(`[data-out="${o}"]`).appendChild(button("out", o))),
    };
    this.body = [...table.tBodies[0].rows];
    this.foot = [...table.tFoot.rows];
    this.weights();
    this.legends();
    this.pad.setAttribute("aria-label", `A map of ${this.rows} by ${this.cols} pixels. Arrow keys move the pixel, Home and End go to the ends of its row.`);
  }

  weights() {
    this.body.forEach((row, i) => {
      for (let o = 0; o < this.outputs; o++) {
        const cell = row.cells[2 + o];
        this.tint(cell, this.weight(i, o), this.scales.weights);
        cell.firstChild.textContent = this.words(this.weight(i, o), "weights");
      }
    });
  }

  legends() {
    const words = { in: "what comes in", weights: "weights", out: "what goes out, with bias and products" };
    this.find(".legends").innerHTML = Object.entries(words)
      .map(([name, said]) => {
        const { kind, limit } = this.scales[name];
        const stops = this.palettes[kind].filter((_, n) => n % 4 === 0).join(",");
        const end = this.words(limit, name).replace("+", "");
        const low = kind === "signed" ? `−${end}` : "0";
        return `<div><dt>${said}</dt><dd><div class="bar" style="background:linear-gradient(to right,${stops})"></div><div class="ends"><span>${low}</span><span>${end}</span></div></dd></div>`;
      })
      .join("");
  }

  // A map on a canvas, a device pixel for a cell.
  draw(canvas, { kind, k }) {
    Object.assign(canvas, { width: this.cols, height: this.rows });
    const context = canvas.getContext("2d");
    const image = context.createImageData(this.cols, this.rows);
    const [array, depth] = kind === "in" ? [this.x, this.inputs] : [this.before, this.outputs];
    for (let n = 0; n < this.rows * this.cols; n++) {
      image.data.set([...this.colour(array[n * depth + k], this.scales[kind]), 255], 4 * n);
    }
    context.putImageData(image, 0, 0);
  }

  paint() {
    const { kind, k } = this.map;
    if (this.drawn !== `${this.key} ${kind} ${k}`) {
      this.drawn = `${this.key} ${kind} ${k}`;
      this.draw(this.pad.querySelector("canvas"), this.map);
    }
    for (const name of ["in", "out"]) {
      this.buttons[name].forEach((button, n) => button.setAttribute("aria-pressed", String(kind === name && k === n)));
    }
    const [kept, over] = this.pad.querySelectorAll(".mark");
    this.put(kept, this.kept);
    this.put(over, this.over ?? this.kept);
    over.hidden = !this.over;
    this.point();
  }

  put(mark, { row, col }) {
    Object.assign(mark.style, {
      left: `${(100 * col) / this.cols}%`,
      top: `${(100 * row) / this.rows}%`,
      width: `${100 / this.cols}%`,
      height: `${100 / this.rows}%`,
    });
  }

  // The numbers of the pixel pointed at.
  point() {
    const out = this.kept.out;
    const { row, col } = this.at;
    const { kind, k } = this.map;
    this.find(".shown").textContent = `${kind === "in" ? "Comes in" : "Goes out"}: map ${k}, row ${row}, column ${col}`;
    this.find(".times").textContent = `× column ${out}`;
    this.body.forEach((tr, i) => {
      const value = this.input(i);
      const [x, weight, product] = [tr.cells[1], tr.cells[2 + this.outputs], tr.cells[3 + this.outputs]];
      x.textContent = this.words(value, "in");
      this.tint(x, value, this.scales.in);
      weight.textContent = this.words(this.weight(i, out), "weights");
      this.tint(weight, this.weight(i, out), this.scales.weights);
      product.textContent = fixed(value * this.weight(i, out), 3, true);
      this.tint(product, value * this.weight(i, out), this.scales.out);
      this.outline(tr, out);
      this.follow(this.buttons.in[i], row, col);
    });
    this.buttons.out.forEach((button) => this.follow(button, row, col));
    this.foot.forEach((tr, n) => {
      for (let o = 0; o < this.outputs; o++) {
        const cell = tr.cells[1 + o];
        const { value, words } = this.footing(n, o, false);
        cell.firstChild.textContent = words;
        this.tint(cell, value, n === 3 ? null : this.scales.out);
      }
      this.outline(tr, out);
      tr.cells[2 + this.outputs].textContent = this.footing(n, out, true).words;
    });
  }

  // The lines under the matrix: bias, sum, the network's number, their difference, what the activation makes of it.
  footing(line, o, exactly) {
    const network = this.output(this.before, o);
    const value = [this.bias[o], this.sum(o), network, this.sum(o) - network, this.output(this.after, o)][line];
    if (line === 3) return { value: 0, words: value === 0 ? "0" : Math.abs(value).toExponential(0).replace("-", "−") };
    return { value, words: exactly ? fixed(value, 5, true) : this.words(value, "out") };
  }

  // A number with the decimals that its scale's end asks for.
  words(value, name) {
    const { kind, limit } = this.scales[name];
    return fixed(value, Math.min(Math.max(2 - Math.floor(Math.log10(limit)), 0), 6), kind === "signed");
  }

  // Where the pixel is, on a thumbnail.
  follow(button, row, col) {
    const dot = button.querySelector("i");
    dot.style.left = `${(100 * (col + 0.5)) / this.cols}%`;
    dot.style.top = `${(100 * (row + 0.5)) / this.rows}%`;
  }

  outline(tr, out) {
    for (const cell of tr.querySelectorAll("[data-out]")) cell.classList.toggle("of-chosen", Number(cell.dataset.out) === out);
  }

  tint(cell, value, scale) {
    cell.style.background = "";
    cell.style.color = "";
    if (!scale) return;
    const [r, g, b] = this.colour(value, scale);
    cell.style.backgroundColor = `rgb(${r},${g},${b})`;
    // Black or white, whichever reads better: at least 4.5 to 1 (WCAG 2.2, 1.4.3).
    const [x, y, z] = [r, g, b].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    cell.style.color = 0.2126 * x + 0.7152 * y + 0.0722 * z > 0.179 ? "#000" : "#fff";
  }

  colour(value, { kind, limit }) {
    const stops = (this.stops[kind] ??= this.palettes[kind].map((hex) => [1, 3, 5].map((n) => parseInt(hex.slice(n, n + 2), 16))));
    const share = kind === "signed" ? (value / limit + 1) / 2 : value / limit;
    const place = Math.min(Math.max(share || 0, 0), 1) * (stops.length - 1);
    const low = Math.min(Math.floor(place), stops.length - 2);
    return [0, 1, 2].map((n) => Math.round(stops[low][n] + (place - low) * (stops[low + 1][n] - stops[low][n])));
  }

  // What the learner does ----------------------------------------------------------------------

  listen() {
    const cell = (event) => {
      const box = this.pad.getBoundingClientRect();
      const within = (share, count) => Math.min(Math.max(Math.floor(share * count), 0), count - 1);
      const row = within((event.clientY - box.top) / box.height, this.rows);
      return { row, col: within((event.clientX - box.left) / box.width, this.cols) };
    };
    this.pad.onpointermove = (event) => {
      if (event.pointerType === "touch") return;
      const { row, col } = cell(event);
      if (this.over?.row === row && this.over?.col === col) return;
      this.over = { row, col };
      this.paint();
    };
    this.pad.onpointerleave = () => {
      this.over = null;
      this.paint();
    };
    this.pad.onclick = (event) => this.keep(cell(event));
    this.pad.onkeydown = (event) => {
      const { row, col } = this.at;
      const to = {
        ArrowUp: [row - 1, col],
        ArrowDown: [row + 1, col],
        ArrowLeft: [row, col - 1],
        ArrowRight: [row, col + 1],
        Home: [row, 0],
        End: [row, this.cols - 1],
        PageUp: [0, col],
        PageDown: [this.rows - 1, col],
      }[event.key];
      if (!to) return;
      event.preventDefault();
      const inside = (n, count) => Math.min(Math.max(n, 0), count - 1);
      this.keep({ row: inside(to[0], this.rows), col: inside(to[1], this.cols) });
    };
  }

  keep({ row, col }) {
    this.over = null;
    this.kept = { ...this.kept, row, col };
    this.paint();
    this.say(`Row ${row}, column ${col}: output ${this.kept.out} is ${fixed(this.output(this.before, this.kept.out), 4, true)}.`);
    this.send();
  }

  choose(map) {
    this.map = map;
    if (map.kind === "out") {
      this.kept = { ...this.kept, out: map.k };
      this.say(`Output ${map.k} is ${fixed(this.output(this.before, map.k), 4, true)} here.`);
      this.send();
    }
    this.paint();
  }

  say(words) {
    this.find(".said").textContent = words;
  }

  // The address follows when the learner rests.
  send() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.sent.push({ ...this.kept });
      this.tell({ ...this.kept });
    }, 350);
  }
}

function same(a, b) {
  return a.row === b.row && a.col === b.col && a.out === b.out;
}

function floats(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

// So many decimals, a proper minus, and the sign always written where there may be either; what is written
// as zero has none.
function fixed(value, decimals, signs) {
  if (value === 0) return "0";
  const text = Math.abs(value).toFixed(decimals);
  if (Number(text) === 0) return text;
  return value < 0 ? `−${text}` : signs ? `+${text}` : text;
}
