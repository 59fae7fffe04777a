// What the charts of the population share. Text from data enters through textContent and setAttribute only.

const SVG = "http://www.w3.org/2000/svg";

function make(tag, attributes, parent, text) {
  const node = parent?.namespaceURI === SVG || tag === "svg" ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  parent?.appendChild(node);
  return node;
}

// One root for each place on the page; it stays while its data change.
const roots = new WeakMap();

function rooted(parent, name) {
  let root = roots.get(parent);
  if (!root) {
    root = make("div", { class: `rvc ${name}` });
    parent.appendChild(root);
    roots.set(parent, root);
    new ResizeObserver(() => { if (root.clientWidth !== root.drawn) root.draw?.(); }).observe(root);
  }
  // Streamlit hands its colours down as variables; how bright its background is decides between the two ramps.
  const colour = getComputedStyle(root).backgroundColor.match(/[\d.]+/g)?.map(Number) ?? [255, 255, 255];
  root.dataset.theme = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] < 128 ? "dark" : "light";
  return root;
}

function tip(root) {
  root.tip ??= make("div", { class: "tip" }, root);
  root.tip.hidden = true;
  return root.tip;
}

function hint(root, text, x, y) {
  const tip = root.tip;
  tip.textContent = text;
  tip.hidden = false;
  const box = root.getBoundingClientRect();
  tip.style.left = `${Math.max(0, Math.min(x - box.left + 14, box.width - tip.offsetWidth))}px`;
  const below = y - box.top + 16;
  tip.style.top = `${y + 16 + tip.offsetHeight > window.innerHeight ? y - box.top - tip.offsetHeight - 8 : below}px`;
}

function shade(share) {
  if (!(share > 0)) return "var(--rv-none)";
  const at = Math.min(1, share) * 8;
  const low = Math.min(7, Math.floor(at));
  return `color-mix(in oklab, var(--rv-ramp-${low + 1}) ${Math.round(100 * (at - low))}%, var(--rv-ramp-${low}))`;
}
