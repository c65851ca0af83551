// Copies the page's address, which holds all that is chosen on it.

export function show(component) {
  const button = component.parentElement.querySelector("button");
  const said = component.parentElement.querySelector("span");
  button.onclick = async () => {
    const done = await copy(window.location.href);
    button.dataset.state = done ? "done" : "failed";
    said.textContent = done ? "The link is copied." : "The browser did not let the link be copied.";
    setTimeout(() => {
      delete button.dataset.state;
      said.textContent = "";
    }, 1500);
  };
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Where the page is not served safely there is no clipboard, only the older command.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}
