// Shows a table, and saves it as CSV. What does not fit is scrolled, by the keyboard too.

export function show(component) {
  const { data, parentElement } = component;
  const root = parentElement.querySelector(".root");
  if (root.dataset.key === data.key) return;
  root.dataset.key = data.key;
  const place = root.querySelector(".table");
  place.innerHTML = data.table;
  root.querySelector(".caption").textContent = data.caption;
  root.querySelector(".csv").onclick = () => save(data.csv, `${data.name}.csv`);

  const reach = () => {
    const scrolls = place.scrollWidth > place.clientWidth;
    if (scrolls) place.tabIndex = 0;
    else place.removeAttribute("tabindex");
  };
  const sizes = new ResizeObserver(reach);
  sizes.observe(place);
  reach();
  return () => sizes.disconnect();
}

function save(text, name) {
  const link = document.createElement("a");
  // The mark in front tells spreadsheets that the letters are UTF-8.
  link.href = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
