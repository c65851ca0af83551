// The live view as a Streamlit component: scenes come from Python, changes and drawings go back.

import { comparing } from "./comparing.js";
import { copying } from "./copying.js";
import { drawing } from "./drawing.js";
import { intervening } from "./intervening.js";
import { playing } from "./playing.js";
import { View } from "./view.js";

const views = new WeakMap();

export function showInExplorer({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".live-view");
  const known = views.get(root);
  if (known) {
    known.view.host.ask = setStateValue;
    if (!equal(known.data, data)) {
      known.data = data;
      known.view.update(data);
    }
    return;
  }
  const app = document.querySelector(".stApp");
  const host = {
    kind: "explorer",
    ask: setStateValue,
    theme: () => (app && getComputedStyle(app).colorScheme.startsWith("dark") ? "dark" : "light"),
    link: (state) => {
      const address = new URL(location.href);
      address.searchParams.set("view", new URLSearchParams(state).toString());
      return address.href;
    },
    extensions: [playing, drawing, intervening, comparing, copying],
  };
  // Python hands on what the address asked for, since it may rewrite the address before this runs.
  host.stateOf = (header) => Object.fromEntries(new URLSearchParams(header.host?.link ?? ""));
  views.set(root, { view: new View(root, data, host), data });
}

/** A rerun of the page brings the same bytes again. */
function equal(a, b) {
  return a === b || (a.length === b.length && a.every((byte, n) => byte === b[n]));
}
