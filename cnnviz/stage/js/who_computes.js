// Who computes what follows from a change: this page where that is quick, Python where it is not and where the
// page lacks the weights.

/** @import { Scene } from "./scene.js" */
/** @import { Change } from "./stage_state.js" */

/** Milliseconds that a change may take in the page where Python could compute it. */
const QUICK = 100;
/** Multiply-adds a millisecond, until this page has been seen to compute. */
const RATE = 150_000;
/** No page is taken for slower: what holds it up for a moment holds up Python too. */
const LEAST_RATE = RATE / 4;

/**
 * Who computes: "page", "python", or "" where nobody can. The work is that of the stages behind the change, which
 * the plan says in multiply-adds; how many the page does in a millisecond is measured as it computes.
 *
 * @param {Scene} scene
 * @param {{ changes: Change[], image: unknown, python: boolean, page: boolean, rate?: number | null }} given whether
 * Python can be asked, and whether the page has all weights and knows all operations
 * @returns {{ who: "page" | "python" | "", work: number, milliseconds: number }}
 */
export function whoComputes(scene, { changes, image, python, page, rate }) {
  const work = workBehind(scene, changes, image);
  const milliseconds = work / Math.max(rate ?? RATE, LEAST_RATE);
  if (!page) return { who: python ? "python" : "", work, milliseconds };
  return { who: python && milliseconds > QUICK ? "python" : "page", work, milliseconds };
}

/**
 * The multiply-adds of all stages that are not what they were.
 *
 * @param {Scene} scene
 * @param {Change[]} changes
 * @param {unknown} image in place of the item's
 */
export function workBehind(scene, changes, image) {
  const arrays = new Set(changes.flatMap((change) => (change.kind === "weights" ? [change.array] : [])));
  const edited = new Set(changes.flatMap((change) => ("stage" in change ? [change.stage] : [])));
  const moved = Boolean(image) || changes.some(({ kind }) => kind === "shift");
  const other = new Set();
  let work = 0;
  for (const { index, name, reads, op, work: own } of scene.stages) {
    const behind = reads.some((read) => other.has(read)) || [op.kernel, op.bias, ...Object.values(op.parts ?? {})].some((each) => arrays.has(each));
    if (behind) work += own ?? 0;
    if (behind || edited.has(name) || (moved && op.type === "input")) other.add(index);
  }
  return work;
}
