// Saving a file, and copying into the clipboard.

const KEPT = 10_000; // Milliseconds until a saved file's address is given up.

/**
 * Let the browser save what was made here.
 *
 * @param {Blob} content
 * @param {string} name
 */
export function saveFile(content, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT);
}

/**
 * Copy a text; where the page may not, by way of a selected field in `root`. Returns whether it was copied.
 *
 * @param {string} text
 * @param {Element} [root]
 */
export async function copyText(text, root = document.body) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Where the page is not served safely there is no clipboard, only the older command.
    const field = document.createElement("textarea");
    field.value = text;
    field.setAttribute("aria-hidden", "true");
    field.style.cssText = "position:fixed;left:0;top:0;opacity:0";
    root.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    return copied;
  }
}
