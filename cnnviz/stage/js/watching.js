// A trainer that is watched in a notebook: the panel of the Training page as a widget, which Python sends pictures.

import { hosted } from "./component_host.js";

/** @import { Parts, Show } from "./component_host.js" */

/**
 * What anywidget gives of a widget in Python: here it only sends pictures, and hears what is asked for.
 *
 * @typedef {object} Sender
 * @property {(name: "part") => DataView} get
 * @property {(message: object) => void} send
 * @property {(event: string, heard: () => void) => void} on
 * @property {(event: string, heard: () => void) => void} off
 */

/**
 * The widget, as anywidget takes it.
 *
 * @param {Parts} parts
 * @param {Show} show
 */
export function widget(parts, show) {
  return {
    /** @param {{ model: Sender, el: HTMLElement }} given */
    render({ model, el }) {
      const holder = document.createElement("div");
      el.append(holder);
      let stop = () => {};
      const draw = (/** @type {ShadowRoot} */ root) => {
        const part = model.get("part");
        if (!part?.byteLength) return;
        const data = new Uint8Array(part.buffer.slice(part.byteOffset, part.byteOffset + part.byteLength));
        const ends = show({
          data,
          parentElement: root,
          setStateValue: () => {},
          // Python hears it once no cell runs.
          setTriggerValue: (_, asked) => model.send(/** @type {object[]} */ (asked).at(-1) ?? {}),
        });
        if (ends) stop = ends;
      };
      const stopTheme = hosted(holder, parts, draw);
      const came = () => draw(/** @type {ShadowRoot} */ (holder.shadowRoot));
      model.on("change:part", came);
      return () => {
        model.off("change:part", came);
        stop();
        stopTheme();
        holder.remove();
      };
    },
  };
}
