// Colours of numbers: the stops that cnnviz.colours decides, as look-up tables.

const STEPS = 1024;

export class Colours {
  constructor(header) {
    this.header = header;
    this.tables = new Map();
    this.theme = "light";
  }

  get around() {
    return this.header.themes[this.theme];
  }

  /** A palette of the current theme as packed RGBA, STEPS + 1 of them. */
  table(name) {
    const key = `${this.theme}.${name}`;
    if (!this.tables.has(key)) {
      const stops = this.header.palettes[this.theme][name].map(channels);
      const table = new Uint32Array(STEPS + 1);
      for (let n = 0; n <= STEPS; n++) {
        const place = (n / STEPS) * (stops.length - 1);
        const low = Math.min(Math.floor(place), stops.length - 2);
        const [r, g, b] = [0, 1, 2].map((k) =>
          Math.round(stops[low][k] + (place - low) * (stops[low + 1][k] - stops[low][k])),
        );
        table[n] = (255 << 24) | (b << 16) | (g << 8) | r;
      }
      this.tables.set(key, table);
    }
    return this.tables.get(key);
  }

  packed(value, scale) {
    return this.table(scale.kind)[place(value, scale)];
  }

  css(value, scale) {
    const packed = this.packed(value, scale);
    return `rgb(${packed & 255},${(packed >> 8) & 255},${(packed >> 16) & 255})`;
  }

  /** Black or white, whichever reads better on a value's colour: at least 4.5 to 1 (WCAG 2.2, 1.4.3). */
  inkOn(value, scale) {
    const packed = this.packed(value, scale);
    const [r, g, b] = [0, 8, 16].map((shift) => linear(((packed >> shift) & 255) / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
  }

  gradient(scale) {
    const stops = this.header.palettes[this.theme][scale.kind];
    return `linear-gradient(to right, ${stops.filter((_, i) => i % 4 === 0).join(", ")})`;
  }
}

/** sRGB decoded (IEC 61966-2-1). */
function linear(v) {
  return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
}

function channels(hex) {
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
}

function place(value, { kind, limit }) {
  if (!Number.isFinite(value)) value = Number.isNaN(value) ? 0 : Math.sign(value) * limit;
  const share = kind === "signed" ? (value / limit + 1) / 2 : value / limit;
  return Math.round(Math.min(Math.max(share, 0), 1) * STEPS);
}

/** The scales of every stage, for one image: by map, by layer, or over the whole network. */
export class Scales {
  constructor(scene, values) {
    this.scene = scene;
    const bars = (stage) => stage.op.type === "input" || stage.op.type === "softmax";
    this.extents = scene.stages.map((stage, s) => extentsOf(stage, values[s]));
    this.signs = scene.stages.map((stage, s) => this.extents[s].some((extent) => extent.low < 0));
    const shared = scene.stages.filter((stage) => !bars(stage)).map((stage) => stage.index);
    this.network = Math.max(0, ...shared.map((s) => largest(this.extents[s]))) || 1;
    this.apart = scene.stages.map(bars);
  }

  of(s, channel, range) {
    const stage = this.scene.stages[s];
    const unit = stage.op.type === "input" && largest(this.extents[s]) <= 1 && !this.signs[s];
    if (unit) return { kind: "ink", limit: 1 };
    const kind = this.signs[s] ? "signed" : "positive";
    if (stage.op.type === "softmax" && !stage.op.log) return { kind, limit: 1 };
    if (range === "network" && !this.apart[s]) return { kind, limit: this.network };
    if (range === "map") return { kind, limit: this.extents[s][channel].size || 1 };
    return { kind, limit: largest(this.extents[s]) || 1 };
  }
}

function largest(extents) {
  return Math.max(0, ...extents.map((extent) => extent.size));
}

const known = new WeakMap();

function extentsOf(stage, values) {
  if (!known.has(values)) known.set(values, measured(stage, values));
  return known.get(values);
}

function measured(stage, values) {
  const channels = stage.shape[2];
  const low = new Float64Array(channels);
  const size = new Float64Array(channels);
  let k = 0;
  for (let n = 0; n < values.length; n++) {
    const value = values[n];
    if (value < low[k]) low[k] = value;
    const magnitude = value < 0 ? -value : value;
    if (magnitude > size[k] && magnitude !== Infinity) size[k] = magnitude;
    if (++k === channels) k = 0;
  }
  return Array.from(low, (value, i) => ({ low: value, size: size[i] }));
}
