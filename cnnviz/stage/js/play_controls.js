// The row of controls that goes with a playback: play and pause, a step back or on, the place, the speed.

import { closest, reducedMotion } from "./dom.js";

/** @import { Playback } from "./playback.js" */

/** @type {(action: string, words?: string) => string} */
const control = (action, words = "") => `<button type="button" class="cv-button ${action}" data-do="${action}" ${words}></button>`;
const CONTROLS = `${control("play")}${control("back", 'aria-label="One step back"')}
  <input type="range" class="place" min="0" step="1" aria-label="Step">
  ${control("on", 'aria-label="One step on"')}${control("speed")}<span class="count"></span>`;

export class PlayControls {
  /**
   * @param {HTMLElement} element what is in it stays, behind the controls
   * @param {Playback} playback
   * @param {(at: number) => string} words of a place: "step 3 of 16"
   * @param {() => void} [chosen] hears of a place that was chosen, not played to
   */
  constructor(element, playback, words, chosen = () => {}) {
    this.playback = playback;
    this.words = words;
    this.chosen = chosen;
    this.still = reducedMotion();
    element.insertAdjacentHTML("afterbegin", CONTROLS);
    /** @type {(name: string) => any} */
    this.part = (name) => element.querySelector(`.${name}`);
    this.part("back").textContent = "‹";
    this.part("on").textContent = "›";
    this.range = /** @type {HTMLInputElement} */ (this.part("place"));
    element.addEventListener("click", (event) => {
      const action = closest(event, "[data-do]")?.dataset.do;
      if (action === "play") playback.toggle();
      if (action === "speed") playback.faster();
      if (action === "back") this.choose(playback.at - 1);
      if (action === "on") this.choose(playback.at + 1);
    });
    this.range.oninput = () => playback.choose(Number(this.range.value));
    this.range.onchange = () => this.chosen();
    this.turnedStill = () => {
      if (this.still.matches) playback.pause();
      this.write();
    };
    this.still.addEventListener("change", this.turnedStill);
  }

  /**
   * Go to a place, which somebody chose.
   *
   * @param {number} at
   */
  choose(at) {
    this.playback.choose(at);
    this.chosen();
  }

  /**
   * The arrow keys go a step back or on, and up or down a row.
   *
   * @param {KeyboardEvent} event
   * @param {(rows: number) => number} beside the place so many rows below
   */
  pressed(event, beside) {
    if (event.altKey || event.ctrlKey || event.metaKey || closest(event, "select, input")) return;
    const { at } = this.playback;
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: beside(-1), ArrowDown: beside(1), Home: 0, End: this.playback.last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.choose(to);
  }

  /** What the controls say, after anything changed. */
  write() {
    const { playback, still } = this;
    const set = (/** @type {string} */ name, /** @type {string} */ words) => this.part(name).textContent !== words && (this.part(name).textContent = words);
    const play = this.part("play");
    set("play", playback.running ? "Pause" : "Play");
    play.disabled = still.matches || playback.last < 1;
    play.title = still.matches ? "Your device asks for no motion; go step by step" : "";
    this.part("back").disabled = playback.at <= 0;
    this.part("on").disabled = playback.at >= playback.last;
    const speed = this.part("speed");
    set("speed", `${playback.speed} a second`);
    speed.setAttribute("aria-label", `Speed: ${playback.speed} steps a second; another`);
    speed.disabled = play.disabled;
    const words = this.words(playback.at);
    set("count", words);
    this.range.max = String(playback.last);
    this.range.value = String(playback.at);
    this.range.setAttribute("aria-valuetext", words);
  }

  destroy() {
    this.playback.pause();
    this.still.removeEventListener("change", this.turnedStill);
  }
}
