// Draws what routeviz.space.svg.lattice_data describes, as a Streamlit component: builds the nodes once for a space,
// then repaints what changed. Text from data enters through textContent and setAttribute only.

const SVG = "http://www.w3.org/2000/svg";
const LARGEST = 1.5;
const views = new WeakMap();

export default function (component) {
  const { parentElement, data } = component;
  let view = views.get(parentElement);
  if (!view || view.digest !== data.digest) {
    view = build(parentElement, data, view);
    views.set(parentElement, view);
  }
  // Where every click counts, the same name may come twice; elsewhere what is selected is a state.
  view.select = (name) => (data.clicks ? component.setTriggerValue("clicked", name) : component.setStateValue("selected", name));
  paint(view, data);
  return () => leave(view);
}

function leave(view) {
  view.observer.disconnect();
  window.removeEventListener("hashchange", view.recall);
}

function make(tag, attributes = {}, parent = null, text = null) {
  const node = ["div", "label", "input", "span", "output"].includes(tag)
    ? document.createElement(tag)
    : document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== null) node.textContent = text;
  if (parent) parent.appendChild(node);
  return node;
}

function build(host, data, old) {
  if (old) leave(old);
  old?.root.remove();
  const root = make("div", { class: "rv" }, host);
  const view = { digest: data.digest, root, geometry: data, threshold: 0, hidden: new Set(), boxes: new Map(), painted: null, given: null };
  controls(view, data);
  view.recall = () => recall(view);
  window.addEventListener("hashchange", view.recall);
  const scroll = make("div", { class: "scroll" }, root);
  const svg = make("svg", { viewBox: `0 0 ${data.width} ${data.body}`, role: "group" }, scroll);
  // Below 24 px between layers marks touch: then the drawing scrolls sideways instead of shrinking further.
  svg.style.minWidth = `${Math.round((data.width * 24) / data.pitch)}px`;
  svg.style.maxWidth = `${Math.round(data.width * LARGEST)}px`;
  svg.style.fontSize = `${data.font}px`;
  view.svg = svg;
  for (const text of data.texts) make("text", { class: "soft", x: text.x, y: text.y, "text-anchor": text.anchor }, svg, text.text);
  frame(svg, data);

  const layer = (name) => make("g", { class: name }, svg);
  const [under, mark, flow, pins, hits, cells] = ["under", "mark", "flow", "pins", "hits", "cells"].map(layer);
  view.halo = make("path", { class: "halo", d: "", visibility: "hidden" }, mark);
  view.ring = make("circle", { class: "halo", r: 14, visibility: "hidden" }, mark);
  view.paths = data.paths.map((path) => {
    make("path", { class: "candidate", d: path.d }, under);
    const group = make("g", { visibility: "hidden" }, flow);
    const [x, y, angle] = path.tip;
    return {
      name: path.short,
      move: path.move,
      group,
      line: make("path", { d: path.d, fill: "none" }, group),
      head: make("path", { d: "M-3-3.5L4 0L-3 3.5Z" }, group),
      pin: make("path", { class: "pin", d: data.pin, transform: `translate(${path.pin[0]} ${path.pin[1]})`, visibility: "hidden" }, pins),
      at: `translate(${x} ${y}) rotate(${angle})`,
      hit: make("path", { class: "hit", d: path.d, tabindex: -1, role: "button" }, hits),
    };
  });
  view.cells = data.cells.map((cell) => {
    const group = make("g", { class: "cell", transform: `translate(${cell.x} ${cell.y})`, tabindex: -1, role: "button" }, cells);
    make("circle", { class: "hit", r: 13 }, group);
    return { name: cell.name, hit: group, mark: make("path", { class: "shape" }, group) };
  });
  legend(root, data);
  view.tip = make("div", { class: "tip", role: "status" }, root);
  view.tipName = make("div", { class: "name" }, view.tip);
  view.tipText = make("div", {}, view.tip);
  view.nodes = new Map();
  view.paths.forEach((path, index) => view.nodes.set(path.hit, { kind: "path", index, name: path.name }));
  view.cells.forEach((cell, index) => view.nodes.set(cell.hit, { kind: "cell", index, name: cell.name }));
  view.byName = new Map([...view.nodes].map(([node, item]) => [item.name, node]));
  view.cells[0].hit.setAttribute("tabindex", 0);
  listen(view);
  recall(view);
  view.observer = new MutationObserver(() => theme(view));
  for (let node = host.host ?? host, up = 0; node && up < 4; node = node.parentElement, up += 1) {
    view.observer.observe(node, { attributes: true, attributeFilter: ["style", "class"] });
  }
  return view;
}

function controls(view, data) {
  const bar = make("div", { class: "bar" }, view.root);
  if (data.controls === false) bar.hidden = true;
  const label = make("label", { title: "Hides paths with a lower activation. It hides them only: the network does not run again." }, bar, "hide below ");
  const slider = make("input", { type: "range", min: 0, max: 1, step: 0.01, value: 0, "aria-label": "hide paths with an activation below" }, label);
  const shown = make("output", {}, label, "0.00");
  slider.addEventListener("input", () => {
    view.threshold = Number(slider.value);
    shown.textContent = view.threshold.toFixed(2);
    visibility(view);
  });
  slider.addEventListener("change", () => remember(view));
  view.slider = slider;
  for (const move of data.moves) {
    const choice = make("label", { title: `Show paths of the move ${move}.` }, bar);
    const box = make("input", { type: "checkbox", "aria-label": `show ${move}` }, choice);
    box.checked = true;
    box.addEventListener("change", () => {
      if (box.checked) view.hidden.delete(move);
      else view.hidden.add(move);
      visibility(view);
      remember(view);
    });
    view.boxes.set(move, box);
    make("span", {}, choice, `${{ up: "↗ ", keep: "→ ", down: "↘ " }[move] ?? ""}${move}`);
  }
  view.count = make("span", { class: "count" }, bar);
}

// Where data.remembered is a word, what is hidden stands behind the # of the address, after that word: the server need
// not be told, and a link shows the same.
function remember(view) {
  const { remembered } = view.geometry;
  if (remembered === undefined) return;
  const words = new URLSearchParams(location.hash.slice(1));
  const put = (name, value) => (value ? words.set(remembered + name, value) : words.delete(remembered + name));
  put("below", view.threshold && view.threshold.toFixed(2));
  put("without", [...view.hidden].join(" "));
  const hash = words.size ? `#${words}` : "";
  // Not history.replaceState: the dashboard has its own, which keeps what stands behind the #.
  History.prototype.replaceState.call(history, history.state, "", location.pathname + location.search + hash);
}

function recall(view) {
  const { remembered } = view.geometry;
  if (remembered === undefined) return;
  const words = new URLSearchParams(location.hash.slice(1));
  const below = Number(words.get(`${remembered}below`));
  const without = words.get(`${remembered}without`)?.split(" ") ?? [];
  view.slider.value = below >= 0 && below <= 1 ? below : 0;
  view.slider.dispatchEvent(new Event("input"));
  for (const [move, box] of view.boxes) {
    if (box.checked !== without.includes(move)) continue;
    box.checked = !box.checked;
    if (box.checked) view.hidden.delete(move);
    else view.hidden.add(move);
  }
  visibility(view);
}

function frame(svg, data) {
  const [x0, y0, x1] = data.stem;
  make("path", { class: "frame", d: `M${x0} ${y0}H${x1}` }, svg);
  make("path", { class: "tip-soft", d: "M-3-3.5L4 0L-3 3.5Z", transform: `translate(${x1} ${y0})` }, svg);
  const box = data.decoder;
  make("rect", { class: "frame", x: box.x, y: box.y, width: box.width, height: box.height, rx: 5 }, svg);
  const [x, y] = [box.x + 17, box.y + box.height / 2];
  if (box.text) make("text", { class: "soft", x, y, "text-anchor": "middle", transform: `rotate(-90 ${x} ${y})` }, svg, box.text);
}

function legend(root, data) {
  const list = make("div", { class: "legend" }, root);
  for (const item of data.legend) {
    const entry = make("span", item.hint ? { title: item.hint } : {}, list);
    const room = item.text_x - item.x;
    const svg = make("svg", { viewBox: `-12 -10 ${room + 12} 20`, width: room + 12, height: 20, "aria-hidden": "true" }, entry);
    if (item.sort === "mark") {
      shape(make("path", { transform: "scale(0.85)" }, svg), data.marks[item.kind]);
    } else if (item.sort === "marks") {
      shape(make("path", { transform: "scale(0.85)" }, svg), data.marks[`open ${item.kind}`]);
      shape(make("path", { transform: `translate(${data.second}) scale(0.85)` }, svg), data.marks[`closed ${item.kind}`]);
    } else if (item.sort === "pin") {
      make("path", { class: "pin", d: data.pin }, svg);
    } else if (item.sort === "ramp") {
      for (let step = 0; step < data.steps; step += 1) {
        const width = data.widths[0] + ((data.widths[1] - data.widths[0]) * step) / (data.steps - 1);
        make("path", { d: `M${8 * step - 10} 0h8`, stroke: `var(--rv-ramp-${step})`, "stroke-width": width }, svg);
      }
    } else {
      const line = make("path", { d: "M-10 0h34" }, svg);
      if (item.sort === "candidate") line.setAttribute("class", "candidate");
      else stroke(line, data, item.kind, data.strokes[item.kind].open ? 3.5 : 1.8, Math.floor(data.steps / 2));
    }
    make("span", {}, entry, item.text);
  }
}

function shape(node, mark) {
  node.setAttribute("d", mark.d);
  node.setAttribute("class", `shape ${mark.colour}${mark.filled ? " filled" : ""}`);
}

function colourOf(data, kind, level) {
  return `var(--rv-${data.strokes[kind].colour || `ramp-${level}`})`;
}

function stroke(line, data, kind, width, level) {
  line.setAttribute("stroke", colourOf(data, kind, level));
  line.setAttribute("stroke-width", width);
  line.setAttribute("stroke-dasharray", data.strokes[kind].dash);
  line.setAttribute("stroke-linecap", data.strokes[kind].round ? "round" : "butt");
}

function paint(view, data) {
  const old = view.painted;
  const same = (index, ...keys) => old && keys.every((key) => old[key][index] === data[key][index]);
  view.paths.forEach((path, index) => {
    if (!same(index, "path_text")) path.hit.setAttribute("aria-label", data.path_text[index]);
    if (!same(index, "path_forced")) path.pin.setAttribute("visibility", data.path_forced[index] ? "visible" : "hidden");
    if (same(index, "path_kind", "path_width", "path_level")) return;
    const kind = data.path_kind[index];
    if (!kind) return;
    stroke(path.line, data, kind, data.path_width[index], data.path_level[index]);
    path.head.setAttribute("visibility", data.strokes[kind].open ? "inherit" : "hidden");
    path.head.setAttribute("fill", colourOf(data, kind, data.path_level[index]));
    path.head.setAttribute("transform", `${path.at} scale(${0.8 + data.path_width[index] / 8})`);
  });
  view.cells.forEach((cell, index) => {
    if (!same(index, "cell_text")) cell.hit.setAttribute("aria-label", data.cell_text[index]);
    if (!same(index, "cell_kind")) shape(cell.mark, data.marks[data.cell_kind[index]]);
  });
  view.painted = data;
  view.svg.setAttribute("aria-label", data.title ?? "route");
  view.tip.hidden = true;
  visibility(view);
  theme(view);
  // Python may lag a click or two behind: it is followed only when it says something new of its own.
  if (data.selected !== view.given) {
    view.given = data.selected;
    highlight(view, data.selected);
  }
}

function visibility(view) {
  const data = view.painted;
  if (!data) return;
  let [open, shown] = [0, 0];
  view.paths.forEach((path, index) => {
    const kind = data.path_kind[index];
    const weighs = Boolean(kind) && data.strokes[kind].open;
    const visible = kind && !view.hidden.has(path.move) && (!weighs || data.activation[index] >= view.threshold);
    open += weighs;
    shown += weighs && visible;
    path.group.setAttribute("visibility", visible ? "visible" : "hidden");
  });
  view.count.textContent = `${shown} of ${open} open paths shown${shown < open ? " (hidden, not rerouted)" : ""}`;
}

function highlight(view, name) {
  const item = view.nodes.get(view.byName.get(name));
  view.ring.setAttribute("visibility", item?.kind === "cell" ? "visible" : "hidden");
  view.halo.setAttribute("visibility", item?.kind === "path" ? "visible" : "hidden");
  if (item?.kind === "cell") {
    const { x, y } = view.geometry.cells[item.index];
    view.ring.setAttribute("cx", x);
    view.ring.setAttribute("cy", y);
  } else if (item) {
    view.halo.setAttribute("d", view.geometry.paths[item.index].d);
  }
}

function choose(view, name) {
  highlight(view, name);
  view.given = name;
  view.select(name);
}

function listen(view) {
  const { svg } = view;
  const nodeOf = (event) => event.target.closest?.('[role="button"]');
  svg.addEventListener("pointermove", (event) => {
    const node = nodeOf(event);
    if (node) hint(view, node, event.clientX, event.clientY);
    else view.tip.hidden = true;
  });
  svg.addEventListener("pointerleave", () => { view.tip.hidden = true; });
  svg.addEventListener("click", (event) => {
    const node = nodeOf(event);
    if (node) choose(view, view.nodes.get(node).name);
  });
  svg.addEventListener("focusin", (event) => {
    const box = event.target.getBoundingClientRect();
    if (event.target.matches(":focus-visible")) hint(view, event.target, box.right, box.bottom);
  });
  svg.addEventListener("focusout", () => { view.tip.hidden = true; });
  // The page itself listens to arrows: those meant for the lattice, its slider or its boxes end here.
  view.root.addEventListener("keydown", (event) => event.stopPropagation());
  svg.addEventListener("keydown", (event) => {
    const node = nodeOf(event);
    if (!node) return;
    const next = step(view, view.nodes.get(node), event.key);
    if (next) focus(view, next);
    else if (event.key === "Enter" || event.key === " ") choose(view, view.nodes.get(node).name);
    else if (event.key === "Escape") choose(view, "");
    else return;
    event.preventDefault();
  });
}

// Arrows go from cell to cell, p to a cell's paths; on a path, left and right are its ends, up and down its neighbours.
function step(view, item, key) {
  const { cells, source, target } = view.geometry;
  if (item.kind === "path") {
    if (key === "ArrowLeft") return view.cells[source[item.index]].hit;
    if (key === "ArrowRight") return view.cells[target[item.index]]?.hit;
    const next = item.index + { ArrowUp: -1, ArrowDown: 1 }[key];
    return source[next] === source[item.index] ? view.paths[next].hit : null;
  }
  if (key === "p") return view.paths[source.indexOf(item.index)]?.hit;
  const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
  if (!move) return null;
  const here = cells[item.index];
  const near = cells
    .map((cell, index) => ({ index, gap: Math.abs(cell.scale - here.scale - move[1]), cell }))
    .filter(({ cell, gap }) => cell.layer === here.layer + move[0] && (move[0] || !gap))
    .sort((a, b) => a.gap - b.gap);
  return near.length ? view.cells[near[0].index].hit : null;
}

function focus(view, node) {
  view.svg.querySelector('[tabindex="0"]')?.setAttribute("tabindex", -1);
  node.setAttribute("tabindex", 0);
  node.focus();
}

function hint(view, node, x, y) {
  const item = view.nodes.get(node);
  const text = view.painted[`${item.kind}_text`][item.index].split("\n");
  view.tipName.textContent = text[0];
  view.tipText.textContent = text.slice(1).join("\n");
  view.tip.hidden = false;
  const box = view.root.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = view.tip;
  view.tip.style.left = `${Math.max(0, Math.min(x - box.left + 14, box.width - width))}px`;
  view.tip.style.top = `${y + 16 + height > window.innerHeight ? y - box.top - height - 10 : y - box.top + 16}px`;
}

// Streamlit hands its colours down as variables; how bright its background is decides between the two ramps.
function theme(view) {
  const colour = getComputedStyle(view.root).backgroundColor.match(/[\d.]+/g)?.map(Number) ?? [255, 255, 255];
  const dark = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] < 128;
  view.root.dataset.theme = dark ? "dark" : "light";
}
