// One row of cells of every layer, and the fan of what reaches a unit: the unit is pointed at, dragged, or walked
// to with the arrow keys, here or on its map and the image. Python hears of the unit that is kept.

import { clip, maximum, minimum, range } from "../js/arrays.js";
import { floatsOf } from "../js/base64.js";
import { Colours } from "../js/colours.js";
import { sharesAt } from "../js/dom.js";
import { Keeping } from "../js/keeping.js";

const WIDE = 600; // From here on names stand beside their rungs, else above.

/** @import { Component } from "../js/dom.js" */

/**
 * @param {Component} component
 */
export function show(component) {
  const root = component.parentElement.querySelector(".root");
  root.view ??= new Ladder(root);
  root.view.keeping.tell = (kept) => component.setTriggerValue("kept", kept);
  root.view.show(component.data);
  return () => root.view.sizes.disconnect();
}

class Ladder {
  constructor(root) {
    this.root = root;
    /** @type {(selector: string) => any} */
    this.find = (selector) => root.querySelector(selector);
    this.keeping = new Keeping();
    this.ladder = this.find(".ladder");
    this.image = this.find(".image");
    this.map = this.find(".map");
    this.sizes = new ResizeObserver(() => this.data && this.build());
    this.listen();
  }

  show(data) {
    this.sizes.observe(this.ladder);
    const kept = { rung: data.rung, row: data.row, col: data.col };
    const old = this.keeping.isOld(kept);
    const other = data.key !== this.data?.key;
    this.data = data;
    if (other || !old) this.kept = kept;
    if (other) {
      this.over = null;
      this.places = Boolean(data.image);
      this.find(".places").hidden = !this.places;
      if (this.places) {
        this.colours = new Colours(data, data.theme);
        this.draw(this.image, data.image);
      }
      this.drawn = null;
      this.build();
    } else this.paint();
  }

  get at() {
    return this.over ?? this.kept;
  }

  // An array of numbers as a picture, a device pixel a cell.
  draw(pad, { rows, cols, values, scale }) {
    const numbers = floatsOf(values);
    const canvas = pad.querySelector("canvas");
    Object.assign(canvas, { width: cols, height: rows });
    const context = canvas.getContext("2d");
    context.putImageData(this.colours.picture(context, rows, cols, (n) => numbers[n], scale), 0, 0);
  }

  /** The ladder: cells are made once for a width, and marked whenever another unit is pointed at. */
  build() {
    const { rungs } = this.data;
    const width = this.ladder.clientWidth;
    if (!width) return;
    this.wide = width >= WIDE;
    const all = rungs.flatMap(({ centers }) => centers);
    this.low = minimum(all) - 0.5;
    const span = maximum(all) + 0.5 - this.low;
    this.left = this.wide ? 10 + 7.2 * maximum(rungs.map(({ name }) => name.length)) : 0;
    this.unit = (width - this.left - 2) / span;
    this.step = this.wide ? 36 : 44;
    const high = this.step * rungs.length;
    const thick = Math.min(0.72 * this.unit, 16);
    const made = (name, attributes, parent) => {
      const element = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
      return parent.appendChild(element);
    };
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("height", String(high));
    this.lines = made("g", {}, svg);
    this.made = (attributes) => made("line", attributes, this.lines);
    this.cells = rungs.map((rung, k) =>
      rung.centers.map((centre) =>
        made("rect", { x: this.xOf(centre) - thick / 2, y: this.yOf(k), width: thick, height: 14, class: "cell" }, svg),
      ),
    );
    this.names = rungs.map(({ name }, k) => {
      const y = this.wide ? this.yOf(k) + 11 : this.yOf(k) - 5;
      if (!this.wide) made("rect", { x: 0, y: y - 12, width: 7.4 * name.length, height: 15, class: "under" }, svg);
      const text = made("text", { x: 0, y }, svg);
      text.textContent = name;
      return text;
    });
    this.ladder.replaceChildren(svg);
    this.ladder.setAttribute("aria-label", `${rungs.length} layers, from ${rungs[0].name} at the bottom. Arrow keys move the unit along its layer, and to the layers above and below.`);
    this.paint();
  }

  xOf(centre) {
    return this.left + 1 + (centre - this.low) * this.unit;
  }

  yOf(rung) {
    return this.step * (this.data.rungs.length - 1 - rung) + this.step - 18;
  }

  /** For every rung the cells along the columns that reach a unit. */
  reached({ rung, col }) {
    const found = this.data.rungs.map(() => new Set());
    found[rung].add(col);
    for (let k = rung; k > 0; k--) {
      for (const { below, cells } of this.data.rungs[k].reads) {
        for (const u of found[k]) cells[u].forEach((v) => found[below].add(v));
      }
    }
    return found;
  }

  paint() {
    if (!this.cells) return;
    const { rungs } = this.data;
    const at = this.at;
    const found = this.reached(at);
    this.lines.replaceChildren();
    found.forEach((units, k) => {
      const ends = [minimum([...units]), maximum([...units])];
      this.cells[k].forEach((cell, u) => {
        const within = u >= ends[0] && u <= ends[1];
        cell.setAttribute("class", `cell${units.has(u) ? " on" : within ? " passed" : ""}`);
      });
      this.names[k].setAttribute("class", k === at.rung ? "chosen" : "");
      for (const u of units) {
        for (const { below, cells } of rungs[k].reads) {
          for (const v of cells[u]) {
            this.made({
              x1: this.xOf(rungs[k].centers[u]),
              y1: this.yOf(k) + 14,
              x2: this.xOf(rungs[below].centers[v]),
              y2: this.yOf(below),
            });
          }
        }
      }
    });
    this.find(".shown").textContent = this.words(at, found[0]);
    if (this.places) this.mark(at);
  }

  /** What the unit sees, in a sentence or two. */
  words(at, seen) {
    const { name, sees } = this.data.rungs[at.rung];
    const columns = sees.cols[at.col];
    const [from, to] = columns.kept;
    const wide = to - from + 1;
    if (!this.places) {
      const all = seen.size === wide ? "" : ` It reads ${seen.size} of them: between these are holes.`;
      return `Column ${at.col} of ${name} sees ${counted(wide, "column")} of ${this.data.rungs[0].name}, ${from} to ${to}.${all}`;
    }
    const rows = sees.rows[at.row];
    const [top, bottom] = rows.kept;
    const size = `${bottom - top + 1} × ${counted(wide, "pixel")}`;
    const whole = [rows, columns].every(({ all, kept }) => all[0] === kept[0] && all[1] === kept[1]);
    const cut = whole ? "" : " Its field reaches beyond the image: the dashed part is cut off.";
    return `Row ${at.row}, column ${at.col} of ${name} sees ${size}: rows ${top} to ${bottom}, columns ${from} to ${to}.${cut}`;
  }

  /** The field on the image, and the unit on its map. */
  mark(at) {
    const { image, rungs } = this.data;
    const { name, map, sees } = rungs[at.rung];
    const [rows, columns] = [sees.rows[at.row], sees.cols[at.col]];
    const [cut, kept] = this.image.querySelectorAll(".mark");
    put(kept, rows.kept, columns.kept, image);
    put(cut, rows.all, columns.all, image);
    if (this.drawn !== at.rung) {
      this.draw(this.map, map);
      this.find(".map + figcaption").textContent = map.said;
      this.map.setAttribute("aria-label", `${name}, ${map.rows} by ${map.cols} units. Arrow keys move the unit, Page Up and Page Down go to the layers above and below.`);
      this.find(".image + figcaption").textContent = image.said;
      this.drawn = at.rung;
    }
    put(this.map.querySelector(".mark"), [at.row, at.row], [at.col, at.col], map);
  }

  // What the learner does ----------------------------------------------------------------------

  listen() {
    this.follow(this.ladder, (event) => this.underLadder(event));
    this.follow(this.map, (event) => {
      const { map } = this.data.rungs[this.at.rung];
      const [across, down] = sharesAt(event, this.map);
      return this.inside({ ...this.at, row: Math.floor(down * map.rows), col: Math.floor(across * map.cols) });
    });
    // On the image: the unit of the same layer whose field lies around the pixel.
    this.follow(this.image, (event) => {
      const [across, down] = sharesAt(event, this.image);
      const { image, rungs } = this.data;
      const { sees } = rungs[this.at.rung];
      const row = nearest(sees.rows, down * image.rows - 0.5);
      return { ...this.at, row, col: nearest(sees.cols, across * image.cols - 0.5) };
    });
    for (const place of [this.ladder, this.map]) place.addEventListener("keydown", (event) => this.key(event, place));
  }

  // The mouse previews and a click keeps; a finger drags, and keeps where it is lifted.
  follow(place, unitAt) {
    const look = (event) => {
      this.over = unitAt(event);
      this.paint();
    };
    place.addEventListener("pointermove", (event) => (event.pointerType !== "touch" || event.buttons) && look(event));
    place.addEventListener("pointerdown", (event) => {
      if (place !== this.ladder) place.setPointerCapture(event.pointerId);
      look(event);
    });
    place.addEventListener("pointerup", (event) => this.keep(unitAt(event)));
    for (const end of ["pointerleave", "pointercancel"]) {
      place.addEventListener(end, () => {
        this.over = null;
        this.paint();
      });
    }
  }

  underLadder(event) {
    const { rungs } = this.data;
    const box = this.ladder.getBoundingClientRect();
    const rung = clip(rungs.length - 1 - Math.floor((event.clientY - box.top) / this.step), this.places ? 1 : 0, rungs.length - 1);
    const x = event.clientX - box.left;
    const { centers } = rungs[rung];
    const col = range(centers.length).reduce((best, u) => (Math.abs(this.xOf(centers[u]) - x) < Math.abs(this.xOf(centers[best]) - x) ? u : best), 0);
    return this.inside({ ...this.onRung(rung), col });
  }

  key(event, place) {
    const { rung, row, col } = this.kept;
    const onMap = place === this.map;
    const to = {
      ArrowLeft: { rung, row, col: col - 1 },
      ArrowRight: { rung, row, col: col + 1 },
      ArrowUp: onMap ? { rung, row: row - 1, col } : this.onRung(rung + 1),
      ArrowDown: onMap ? { rung, row: row + 1, col } : this.onRung(rung - 1),
      PageUp: this.onRung(rung + 1),
      PageDown: this.onRung(rung - 1),
      Home: { rung, row, col: 0 },
      End: { rung, row, col: Infinity },
    }[event.key];
    if (!to || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.keep(this.inside(to));
  }

  /** The unit of another layer that lies over or under this one. */
  onRung(rung) {
    const { rungs } = this.data;
    const to = clip(rung, this.places ? 1 : 0, rungs.length - 1);
    const { sees } = rungs[this.kept.rung];
    if (to === this.kept.rung) return this.kept;
    const other = rungs[to].sees;
    const row = this.places ? nearest(other.rows, middle(sees.rows[this.kept.row])) : 0;
    return { rung: to, row, col: nearest(other.cols, middle(sees.cols[this.kept.col])) };
  }

  inside({ rung, row, col }) {
    const { sees } = this.data.rungs[rung];
    return { rung, row: this.places ? clip(row, 0, sees.rows.length - 1) : 0, col: clip(col, 0, sees.cols.length - 1) };
  }

  keep(unit) {
    this.over = null;
    this.kept = unit;
    this.paint();
    this.find(".said").textContent = this.find(".shown").textContent;
    this.keeping.send(() => ({ rung: unit.rung, row: unit.row, col: unit.col }));
  }
}

function put(mark, [top, bottom], [left, right], { rows, cols }) {
  mark.hidden = top > bottom || left > right;
  Object.assign(mark.style, {
    left: `${(100 * left) / cols}%`,
    top: `${(100 * top) / rows}%`,
    width: `${(100 * (right - left + 1)) / cols}%`,
    height: `${(100 * (bottom - top + 1)) / rows}%`,
  });
}

function middle({ all }) {
  return (all[0] + all[1]) / 2;
}

/** Which of the units has its field's middle nearest to a place. */
function nearest(units, place) {
  return range(units.length).reduce((best, u) => (Math.abs(middle(units[u]) - place) < Math.abs(middle(units[best]) - place) ? u : best), 0);
}

function counted(count, word) {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}
