// The gradients of activations: what comes back to a number x when `grad` came back to its activation.
// They are those of cnnviz.ops, with the slope that these take at a kink.

import { clip } from "./arrays.js";
import { activationOf, f } from "./forward.js";

/** @type {(x: number) => number} */
const sigmoid = (x) => activationOf("sigmoid", {}, x);
/** @type {(x: number) => number} */
const sechSquared = (x) => 4 * sigmoid(2 * x) * sigmoid(-2 * x);
/** Where a hard sigmoid rises, in float32. */
const onRamp = (/** @type {number} */ x) => f(x + 3) > 0 && f(x + 3) < 6;
const SELU_SCALE = 1.0507009873554805;
const SELU_ALPHA = 1.6732632423543772;

/**
 * By the names in forward.js's ACTIVATIONS, with their arguments.
 *
 * @type {Record<string, (x: number, grad: number, given: Record<string, any>, slope?: number) => number>}
 */
export const ACTIVATION_GRADIENTS = {
  linear: (x, grad) => grad,
  relu(x, grad, { threshold = 0, max_value: most, negative_slope: slope = 0 }) {
    const start = f(threshold);
    if (!slope && most == null) return x > start ? grad : 0;
    // Keras's ReLU6 counts its 6 as cut off, other limits do not; a plain leaky ReLU counts 0 as below.
    const under6 = most === 6 && start === 0;
    const passes = x > start && (most == null || (under6 ? x < 6 : x >= 0 && x <= f(most)));
    const below = most == null && start === 0 ? !passes : x < start;
    if (passes) return grad;
    return slope && below ? f(slope) * grad : 0;
  },
  relu6: (x, grad) => (x > 0 && x < 6 ? grad : 0),
  leaky_relu: (x, grad, { negative_slope: slope = 0.2 }) => (x > 0 ? grad : f(slope) * grad),
  prelu(x, grad, _, slope = 0) {
    if (x > 0) return grad;
    return x < 0 ? slope * grad : 0;
  },
  elu: (x, grad, { alpha = 1 }) => (x > 0 ? grad : alpha * Math.exp(x) * grad),
  selu: (x, grad) => SELU_SCALE * (x < 0 ? SELU_ALPHA * Math.exp(x) : 1) * grad,
  celu: (x, grad, { alpha = 1 }) => (x > 0 ? grad : Math.exp(x / alpha) * grad),
  gelu(x, grad, { approximate }) {
    if (!approximate) {
      const density = Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
      const below = x === 0 ? 0.5 : activationOf("gelu", {}, x) / x;
      return (below + x * density) * grad;
    }
    // Far out the slope is 0 or 1, and its factors must not overflow.
    const near = clip(x, -100, 100);
    const z = Math.sqrt(8 / Math.PI) * (near + 0.044715 * near ** 3);
    const slope = Math.sqrt(8 / Math.PI) * (1 + 3 * 0.044715 * near ** 2) * sigmoid(z) * sigmoid(-z);
    return (sigmoid(z) + near * slope) * grad;
  },
  silu: (x, grad) => sigmoid(x) * (1 + x * sigmoid(-x)) * grad,
  hard_silu: (x, grad) => (activationOf("hard_sigmoid", {}, x) + (onRamp(x) ? x / 6 : 0)) * grad,
  hard_sigmoid: (x, grad) => (onRamp(x) ? grad / 6 : 0),
  mish(x, grad) {
    const s = activationOf("softplus", {}, x);
    return (Math.tanh(s) + x * sigmoid(x) * sechSquared(s)) * grad;
  },
  sigmoid: (x, grad) => sigmoid(x) * sigmoid(-x) * grad,
  tanh: (x, grad) => sechSquared(x) * grad,
  softplus: (x, grad) => sigmoid(x) * grad,
  softsign: (x, grad) => grad / (1 + Math.abs(x)) ** 2,
  exponential: (x, grad) => Math.exp(x) * grad,
  hard_tanh: (x, grad) => (x >= -1 && x <= 1 ? grad : 0),
  hard_shrink: (x, grad, { threshold = 0.5 }) => (Math.abs(x) > f(threshold) ? grad : 0),
  soft_shrink: (x, grad, { threshold = 0.5 }) => (x > f(threshold) || x < -f(threshold) ? grad : 0),
  threshold: (x, grad, { threshold }) => (x > f(threshold) ? grad : 0),
  tanh_shrink: (x, grad) => Math.tanh(x) ** 2 * grad,
  squareplus(x, grad, { b: wide = 4 }) {
    const b = f(wide);
    const root = Math.hypot(x, Math.sqrt(b));
    // Without cancellation at negative x.
    return (x < 0 ? b / (2 * root * (root - x)) : (1 + x / root) / 2) * grad;
  },
  sparse_plus: (x, grad) => clip((x + 1) / 2, 0, 1) * grad,
  sparse_sigmoid: (x, grad) => (x > -1 && x < 1 ? grad / 2 : 0),
  log_sigmoid: (x, grad) => sigmoid(-x) * grad,
};
