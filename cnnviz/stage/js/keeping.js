// What the learner keeps on a component of a page: Python hears of it once they rest, and sends it back with the page
// that follows. What comes back late, when something newer was sent already, must not undo that.

const REST = 350; // Milliseconds without a change.

export class Keeping {
  constructor() {
    /** @type {(kept: unknown) => void} how Python is told */
    this.tell = () => {};
    /** @type {string[]} what Python has not answered yet */
    this.sent = [];
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /**
   * Tell Python, once the learner rests.
   *
   * @param {() => unknown} kept asked for then
   */
  send(kept) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const value = kept();
      this.sent.push(JSON.stringify(value));
      this.tell(value);
    }, REST);
  }

  /**
   * Whether what came from Python answers something older than what was sent last.
   *
   * @param {unknown} value
   */
  isOld(value) {
    const place = this.sent.indexOf(JSON.stringify(value));
    const old = place >= 0 && place < this.sent.length - 1;
    this.sent = old ? this.sent.slice(place + 1) : [];
    return old;
  }
}
