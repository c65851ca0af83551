// Guided walks: a card with the step's sentences, forth and back, a question, and the way back to the step for
// those who went off on their own.

import { button } from "./dom.js";
import { Engine } from "./engine.js";
import { applying, suits, told } from "./guided_walk.js";
import { StageScope } from "./stage_scope.js";
import { emptyState } from "./stage_state.js";

/** @import { Told, Walk } from "./guided_walk.js" */
/** @import { View } from "./view.js" */

const TEMPLATE = `
<div class="cv-walkhead"><h2></h2><button type="button" class="cv-plain" data-close aria-label="End the walk" title="End the walk">✕</button></div>
<div class="cv-walktext" aria-live="polite"></div>
<fieldset class="cv-ask" hidden><legend></legend><div class="cv-choices"></div><p class="cv-reply" role="status"></p></fieldset>
<div class="cv-walknav"></div>`;

/** What takes Space or the arrow keys itself. */
const TAKES = "input, select, textarea, [contenteditable], [data-stage], [role=slider], summary, .cv-number, .cv-pad";
/** How long after a change the sentences follow. */
const SETTLES = 250;
/** What the search may take of a frame. */
const SLICE = 12;

/**
 * @param {View} view
 */
export function walking(view) {
  return view.scene.header.host?.walks?.length && view.engine ? new Walking(view) : null;
}

class Walking {
  /**
   * @param {View} view
   */
  constructor(view) {
    this.view = view;
    /** @type {Walk | null} the one that is open */
    this.walk = null;
    this.number = 0;
    /** @type {number[]} the steps that apply */
    this.steps = [];
    /** @type {Told | null} */
    this.told = null;
    this.turn = 0;
    /** What of the height the stage left it. */
    this.tall = 0;
    /** How many answers were handed on. */
    this.count = 0;
    this.strayed = false;
    /** @type {{ of: any[], scope: StageScope } | null} */
    this.kept = null;
    this.card = document.createElement("section");
    this.card.className = "cv-walk";
    this.card.hidden = true;
    this.card.innerHTML = TEMPLATE;
    view.part("body").prepend(this.card);
    this.starts = document.createElement("span");
    this.starts.className = "cv-starts";
    view.part("tools").prepend(this.starts);
    const nav = this.part("walknav");
    this.back = button("Back", () => this.step(-1));
    this.place = document.createElement("span");
    this.place.className = "cv-walkplace";
    this.next = button("Next", () => this.step(1), "cv-next");
    this.resume = button("Resume", () => this.go(this.number), "cv-resume");
    this.resume.title = "Go back to what this step shows";
    nav.append(this.back, this.place, this.resume, this.next);
    this.card.addEventListener("click", (event) => this.clicked(event));
    this.keyed = (/** @type {KeyboardEvent} */ event) => this.pressed(event);
    document.addEventListener("keydown", this.keyed);
    view.root.addEventListener("pointerdown", () => (this.held = true), true);
    this.released = () => {
      this.held = false;
      if (this.waiting) this.settleSoon();
    };
    for (const end of ["pointerup", "pointercancel"]) window.addEventListener(end, this.released);
    this.offer();
    this.follow();
  }

  /** @param {string} name @returns {any} */
  part(name) {
    return this.card.querySelector(`.cv-${name}`);
  }

  /** @returns {Walk[]} */
  get walks() {
    return this.view.scene.header.host?.walks ?? [];
  }

  /** A button for each walk that suits the network. */
  offer() {
    this.starts.replaceChildren();
    if (!this.view.engine) return;
    const { functions } = this.scope();
    const suiting = this.walks.filter((walk) => suits(walk, functions));
    for (const walk of suiting) {
      const each = button(suiting.length > 1 ? walk.title : "Guided walk", () => (this.walk === walk ? this.end() : this.begin(walk, 0)), "cv-guide");
      each.title = walk.title;
      each.dataset.walk = walk.name;
      this.starts.append(each);
    }
    this.mark();
  }

  mark() {
    for (const each of this.starts.querySelectorAll("button")) each.setAttribute("aria-pressed", String(each.dataset.walk === this.walk?.name));
  }

  /** Open the walk that the state names. */
  follow() {
    const [name, number] = this.view.guided ?? ["", 0];
    const walk = this.walks.find((each) => each.name === name);
    const offered = walk && this.starts.querySelector(`[data-walk="${name}"]`);
    if (walk && offered) this.begin(walk, number, false);
    else this.view.guided = null;
  }

  /**
   * @param {Walk} walk
   * @param {number} number
   * @param {boolean} [asked] by the learner, not by a link
   */
  begin(walk, number, asked = true) {
    this.view.use();
    this.walk = walk;
    this.card.hidden = false;
    this.card.setAttribute("aria-label", walk.title);
    this.mark();
    this.go(number);
    if (asked) this.next.focus({ preventScroll: true });
  }

  /** Escape, where there is nothing else to go back from. */
  leave() {
    if (!this.walk) return false;
    this.end();
    return true;
  }

  /** @param {boolean} [asked] by the learner, who is then at the button that begins it */
  end(asked = true) {
    this.turn += 1;
    const { own } = this.view;
    this.walk = null;
    this.view.lent = [];
    this.card.hidden = true;
    delete this.view.root.dataset.walk;
    this.mark();
    this.apply({ ...this.view.state(), image: null, walk: null, changes: own });
    if (asked) this.starts.querySelector("button")?.focus({ preventScroll: true });
  }

  // Steps -------------------------------------------------------------------------------------------

  /** What expressions speak of: the learner's image and changes. */
  scope() {
    const { view } = this;
    const { own } = view;
    const whole = own.length === view.changes.length;
    const of = [view.plain, view.item, view.image, JSON.stringify(own)];
    if (!this.kept || this.kept.of.some((each, i) => each !== of[i])) {
      // Those of an image or a change that is still being computed are older.
      const shown = whole && view.shownTurn === view.turn ? view.values : null;
      this.kept = { of, scope: new StageScope(view.plain, view.inputs, own, shown, this.engineOf(view.plain)) };
    }
    return this.kept.scope;
  }

  /** One engine for a network: what a change does not touch is not computed again. */
  engineOf(scene) {
    if (this.engine?.scene !== scene) this.engine = new Engine(scene);
    return this.engine;
  }

  /** @param {number} by */
  step(by) {
    const at = this.steps.indexOf(this.number) + by;
    if (at >= 0 && at < this.steps.length) this.go(this.steps[at]);
  }

  /**
   * Show a step, or the next one that applies.
   *
   * @param {number} number
   */
  async go(number) {
    const { walk } = this;
    if (!walk) return;
    const turn = ++this.turn;
    const scope = this.scope();
    this.steps = applying(walk, scope.functions);
    this.number = this.steps.find((each) => each >= number) ?? this.steps[this.steps.length - 1];
    if (!(await this.searched(scope, turn))) return;
    this.told = told(walk, this.number, scope.functions);
    const { own } = this.view;
    const lent = (this.view.lent = this.told.state.changes ?? []);
    this.stray(false);
    const { model, item, range, open } = this.view.state();
    const state = { ...emptyState(), model, item, range, open, ...this.told.state };
    this.apply({ ...state, changes: [...own, ...lent], walk: [walk.name, this.number] });
    // Once it stands where the step says.
    if (state.play) queueMicrotask(() => this.view.player?.run());
    this.shown = this.seen;
    this.write(true);
  }

  /**
   * Wait for the search where the step speaks of it; false if another step came in between.
   *
   * @param {StageScope} scope
   * @param {number} turn
   */
  async searched(scope, turn) {
    if (!this.walk?.steps[this.number].searches) return true;
    while (!scope.search(SLICE)) {
      this.part("walktext").innerHTML = `<p class="cv-small">Searching: ${scope.looking.tried} tried.</p>`;
      await new Promise((resolve) => setTimeout(resolve));
      if (turn !== this.turn) return false;
    }
    return true;
  }

  /** @param {any} state */
  apply(state) {
    this.applying = true;
    this.view.goTo(state);
    this.applying = false;
  }

  /** What of the stage a step sets, as it is now. */
  get seen() {
    const { zoom, layer, path } = this.view.state();
    return JSON.stringify([zoom, layer, path]);
  }

  /** @param {boolean} [anew] another step, with a new question */
  write(anew = false) {
    if (!this.told) return;
    const { title, say, ask, choices } = this.told;
    this.part("walkhead").querySelector("h2").textContent = title;
    this.part("walktext").replaceChildren(...say.map(paragraph));
    const at = this.steps.indexOf(this.number);
    this.place.textContent = `${at + 1} of ${this.steps.length}`;
    this.back.disabled = at === 0;
    this.next.disabled = at === this.steps.length - 1;
    const form = this.part("ask");
    form.hidden = !ask;
    form.querySelector("legend").textContent = ask;
    if (anew) {
      this.part("choices").replaceChildren(...choices.map((_, n) => button("", () => this.answer(n))));
      this.chosen = null;
    }
    [...this.part("choices").children].forEach((each, n) => (each.textContent = choices[n][0]));
    this.judge();
  }

  /** @param {number} n */
  answer(n) {
    this.chosen = n;
    this.judge();
    const { view, told } = this;
    if (!told || !view.scene.header.host?.keeps) return;
    const [choice, right] = told.choices[n];
    this.count += 1;
    view.host.ask("answered", { count: this.count, question: told.ask, choice, right });
  }

  judge() {
    const n = this.chosen;
    const choice = n === null || n === undefined ? null : this.told?.choices[n];
    const noted = Boolean(this.view.scene.header.host?.noted);
    [...this.part("choices").children].forEach((each, m) => {
      each.setAttribute("aria-pressed", String(m === n));
      each.dataset.right = m === n && choice && !noted ? String(choice[1]) : "";
    });
    this.part("reply").textContent = !choice ? "" : noted ? "Noted. What is right, you will hear later." : choice[2];
    this.fit();
  }

  /** On a narrow screen the card is as tall as its words are long, and the stage has what is left. */
  fit() {
    const { view } = this;
    const tall = this.card.offsetHeight;
    if (tall === this.tall) return;
    this.tall = tall;
    if (view.root.dataset.room === "narrow") view.again();
  }

  // What the learner does in between ------------------------------------------------------------------

  /** Another place was looked at. */
  walked() {
    if (!this.walk || this.applying) return;
    const was = this.strayed;
    this.stray(this.seen !== this.shown || !this.whole);
    if (was !== this.strayed && this.view.root.dataset.room === "narrow") this.view.again();
  }

  /** @param {boolean} strayed whether the stage shows something else than the step */
  stray(strayed) {
    this.strayed = strayed;
    this.resume.hidden = !strayed;
    this.view.root.dataset.walk = strayed ? "off" : "yes";
  }

  /** Whether all is there that the step brought. */
  get whole() {
    const { own, lent, changes } = this.view;
    return own.length + lent.length === changes.length;
  }

  changed() {
    if (!this.walk || this.applying) return;
    this.walked();
    this.settleSoon();
  }

  updated() {
    if (this.applying) return;
    this.kept = null;
    this.offer();
    if (this.view.guided && this.view.guided[0] !== this.walk?.name) this.follow();
    // The page around is another one, whose walk is another.
    else if (this.walk && !this.walks.some(({ name }) => name === this.walk.name)) this.end(false);
    else if (this.walk) this.settleSoon();
  }

  /** The sentences follow once a change is done. */
  settleSoon() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => {
      if (this.held) return;
      this.waiting = 0;
      this.settle();
    }, SETTLES);
  }

  async settle() {
    if (!this.walk) return;
    const turn = ++this.turn;
    const scope = this.scope();
    this.steps = applying(this.walk, scope.functions);
    if (!this.steps.includes(this.number)) {
      this.go(this.number);
      return;
    }
    if (!(await this.searched(scope, turn))) return;
    const whole = this.whole;
    const { own, lent } = this.view;
    this.told = told(this.walk, this.number, scope.functions);
    const brings = this.told.state.changes ?? [];
    if (whole && JSON.stringify(brings) !== JSON.stringify(lent)) {
      this.view.lent = brings;
      this.apply({ ...this.view.state(), image: null, changes: [...own, ...brings] });
    }
    this.walked();
    this.write();
  }

  // Events ------------------------------------------------------------------------------------------

  /** @param {MouseEvent} event */
  clicked(event) {
    event.stopPropagation();
    if (event.target instanceof Element && event.target.closest("[data-close]")) this.end();
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    if (!this.walk || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const target = event.composedPath()[0];
    const element = target instanceof Element ? target : document.body;
    const nowhere = element === document.body || element === document.documentElement;
    if (nowhere ? !this.view.isLastUsed() : !this.view.root.contains(element)) return;
    if (element.closest(TAKES) || (event.key === " " && element.closest("button, a"))) return;
    const by = { ArrowRight: 1, ArrowDown: 1, " ": 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    this.step(by);
  }

  destroy() {
    clearTimeout(this.waiting);
    document.removeEventListener("keydown", this.keyed);
    for (const end of ["pointerup", "pointercancel"]) window.removeEventListener(end, this.released);
  }
}

/** @param {string} text */
function paragraph(text) {
  const element = document.createElement("p");
  element.textContent = text;
  return element;
}
