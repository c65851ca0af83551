// The window slides over its input and fills the map, step by step.

export function playing() {
  return null;
}
