"""The stage: one interactive picture of a network on an image, in which every number answers.

What its parts agree on:

- **Operations.** What the page computes for a layer is said by the layer's entry in `layers/`, in the
  operations that `layers.browser` lists; js/forward.js computes them, js/receipt.js takes them apart.
- **The scene.** `scene` turns a run into what the page gets: a plan (`plan`: stages in topological order,
  weights, fields, colours), which goes down once, and the numbers of each image, without those that the
  page can compute. Both are parts (`parts`) that begin with a mark of their version.
- **Large networks.** A network is far whose weights and numbers of one image would take more than
  `plan.SENT_WHOLE` bytes: only inputs, small stages and every channel's extent go down. The page asks
  (`answers`, js/asking.js) for a map when it is drawn and for a patch and a kernel when a receipt is opened;
  what has not come is a hole in an array of the usual length (js/far_numbers.js), so that `view.values[s]`
  reads alike. `view.activity` is known of all channels, `view.needs(cell)` says whether a receipt cannot
  be shown yet, `view.pictures.at` gives a map or null; the last two ask for what is not here, and `view.came`
  draws it. A file holds what `packing` puts into it, and calls the rest left out.
- **Who computes.** js/who_computes.js: this page, unless the work behind a change takes it longer than a
  tenth of a second and there is Python to ask, or it lacks the weights.
- **The state.** What is looked at, changed and played is plain data with a version (`stage_state`).
  A link, a saved file, a walk, a notebook and a lesson all say it in these words, and the page says what
  of it does not fit its network.
- **Expressions.** Numbers in sentences and answers to questions are texts (`expressions`,
  js/expressions.js) that Python and the page evaluate alike.
- **Guided walks.** Sentences with expressions, each with the state that it is about, are data
  (`guided_walk`); what they may speak of is offered alike in `stage_scope` and js/stage_scope.js.
- **Hosts.** A page of the explorer, a notebook's cell and a file hand the view a host (js/view.js): what it
  can ask Python, where its state is kept, and extensions, each a function of the view that may answer to
  what the view tells, such as `changed`, `updated`, `walked`, `receiptShown`, `escape` or `leave`.
- **The history.** All that is changed is undone in one history (js/history.js): images that are picked, drawn
  or opened, and changes; what a walk's step lends is no part of it.

`live_view`, `notebook` and `component` are the Python of the hosts.
"""

from cnnviz.stage.live_view import LiveView, view
from cnnviz.stage.scene import Scene, build_scene
