// The terms of a receipt by how much each adds: negative ones count as much as positive ones.

/** @import { Receipt, Term } from "./receipt.js" */

/**
 * A term of a receipt: `key` is "group.term", `adds` what it adds (of a mean or a choice: the number itself),
 * `share` its part of the sum of all magnitudes, null where terms are not added up; `own` whether it is the
 * one that was chosen, or the class's own.
 *
 * @typedef {{ key: string, term: Term, adds: number, share: number | null, own: boolean }} Ranked
 */

/**
 * The terms that were read, those that add most first; of equal ones the first in reading order.
 *
 * @param {Receipt} receipt
 * @returns {Ranked[]}
 */
export function rankedTerms(receipt) {
  const { type, groups, winner, self } = receipt;
  if (!["weighted", "sampled", "max", "mean", "softmax", "merge"].includes(type)) return [];
  const added = type === "weighted" || type === "sampled";
  const all = groups.flatMap((group, g) =>
    group.terms.flatMap((term, t) => {
      if (!term.from) return [];
      const adds = added ? (term.product ?? 0) : type === "softmax" ? (term.power ?? 0) : term.x;
      const own = type === "max" ? t === winner : type === "softmax" && t === self;
      return [{ key: `${g}.${t}`, term, adds, share: /** @type {number | null} */ (null), own }];
    }),
  );
  const total = all.reduce((sum, { adds }) => sum + Math.abs(adds), 0);
  const shared = added || type === "softmax" || type === "mean";
  if (shared && total > 0) for (const each of all) each.share = Math.abs(each.adds) / total;
  return all
    .map((each, place) => ({ each, place }))
    .sort((a, b) => Math.abs(b.each.adds) - Math.abs(a.each.adds) || a.place - b.place)
    .map(({ each }) => each);
}
