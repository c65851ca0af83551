// Shows a figure as inline SVG, in the page's fonts, and saves it as SVG or PNG.

const SCALE = 3; // Dots a CSS pixel in a saved PNG.

export default function (component) {
  const { data, parentElement } = component;
  const root = parentElement.querySelector(".root");
  if (root.dataset.key === data.key) return;
  root.dataset.key = data.key;
  root.querySelector(".drawing").innerHTML = data.svg;
  root.querySelector(".caption").textContent = data.caption;
  root.querySelector(".words p").textContent = data.alt;

  const svg = root.querySelector("svg");
  const [, , width] = svg.getAttribute("viewBox").split(" ").map(Number);
  svg.style.maxWidth = `${width / 16}rem`;

  root.querySelector(".svg").onclick = () => save(standalone(svg, root), `${data.name}.svg`);
  root.querySelector(".png").onclick = async () => save(await raster(svg, root), `${data.name}.png`);
}

// The drawing as a document of its own: fonts and background are the page's no longer.
function standalone(svg, root) {
  const copy = svg.cloneNode(true);
  copy.removeAttribute("style");
  copy.setAttribute("font-family", "'Source Sans 3', 'Source Sans Pro', Helvetica, Arial, sans-serif");
  const paper = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  paper.setAttribute("width", "100%");
  paper.setAttribute("height", "100%");
  paper.setAttribute("fill", getComputedStyle(root).getPropertyValue("--st-background-color") || "white");
  copy.prepend(paper);
  return new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" });
}

async function raster(svg, root) {
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  const image = new Image();
  const url = URL.createObjectURL(standalone(svg, root));
  image.src = url;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = width * SCALE;
  canvas.height = height * SCALE;
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(url);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
