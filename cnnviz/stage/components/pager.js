// Alt + Page Down and Alt + Page Up go to the next lesson and to the one before.

/** Streamlit calls this once the links are there; what it returns ends it. */
export function show() {
  const follow = (event) => {
    const way = { PageDown: "next", PageUp: "previous" }[event.key];
    if (!way || !event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    /** @type {HTMLElement | null} */
    const link = document.querySelector(`.st-key-pager-${way} a`);
    if (!link) return;
    event.preventDefault();
    link.click();
  };
  document.addEventListener("keydown", follow);
  return () => document.removeEventListener("keydown", follow);
}
