// Images in the plane: a drag draws a box or a lasso, a click opens the image under the pointer.

const HEIGHT = 430;
const [LEFT, RIGHT, TOP, BOTTOM] = [14, 14, 12, 30];
const SHAPES = ["circle", "square", "triangle", "diamond"];

export default function ({ parentElement, data, setTriggerValue }) {
  const root = rooted(parentElement, "places");
  root.tool ??= "box";
  root.draw = () => draw(root, data, setTriggerValue);
  root.draw();
}

function draw(root, data, say) {
  root.replaceChildren();
  root.tip = undefined;
  root.drawn = root.clientWidth;
  const width = Math.max(240, root.clientWidth);
  const bar = make("div", { class: "tools", role: "radiogroup", "aria-label": "what a drag draws" }, root);
  for (const tool of ["box", "lasso"]) {
    const button = make("button", { role: "radio", "aria-checked": String(root.tool === tool) }, bar, tool);
    button.onclick = () => {
      root.tool = tool;
      for (const other of bar.querySelectorAll("button")) other.setAttribute("aria-checked", String(other === button));
    };
  }
  make("span", {}, bar, data.tools);
  const stage = make("div", { class: "stage" }, root);
  const ratio = window.devicePixelRatio || 1;
  const canvas = make("canvas", { width: width * ratio, height: HEIGHT * ratio, role: "img", "aria-label": data.title }, stage);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${HEIGHT}px`;
  const svg = make("svg", { width, height: HEIGHT }, stage);
  const [[x0, x1], [y0, y1]] = data.ends;
  const px = (value) => LEFT + ((value - x0) / (x1 - x0)) * (width - LEFT - RIGHT);
  const py = (value) => HEIGHT - BOTTOM - ((value - y0) / (y1 - y0)) * (HEIGHT - TOP - BOTTOM);
  const vx = (at) => x0 + ((at - LEFT) / (width - LEFT - RIGHT)) * (x1 - x0);
  const vy = (at) => y0 + ((HEIGHT - BOTTOM - at) / (HEIGHT - TOP - BOTTOM)) * (y1 - y0);
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const ink = colour("--rv-soft");
  if (data.density) {
    const { counts, columns, rows } = data.density;
    pen.fillStyle = ink;
    counts.forEach((level, cell) => {
      if (!level) return;
      const [column, row] = [cell % columns, Math.floor(cell / columns)];
      pen.globalAlpha = 0.07 + 0.4 * level;
      const [left, right] = [0, 1].map((step) => px(x0 + ((column + step) / columns) * (x1 - x0)));
      const [under, over] = [0, 1].map((step) => py(y0 + ((row + step) / rows) * (y1 - y0)));
      pen.fillRect(left, over, right - left, under - over);
    });
  }
  const put = (x, y, shape, size) => {
    pen.beginPath();
    if (shape === "circle") pen.arc(x, y, size, 0, 2 * Math.PI);
    else if (shape === "square") pen.rect(x - 0.88 * size, y - 0.88 * size, 1.76 * size, 1.76 * size);
    else if (shape === "triangle") { pen.moveTo(x, y - 1.25 * size); pen.lineTo(x + 1.15 * size, y + 0.8 * size); pen.lineTo(x - 1.15 * size, y + 0.8 * size); }
    else { pen.moveTo(x, y - 1.25 * size); pen.lineTo(x + 1.25 * size, y); pen.lineTo(x, y + 1.25 * size); pen.lineTo(x - 1.25 * size, y); }
    pen.closePath();
  };
  const size = data.x.length > 1500 ? 2.4 : 4;
  pen.fillStyle = ink;
  data.x.forEach((x, index) => {
    if (data.group[index] >= 0) return;
    pen.globalAlpha = 0.3;
    put(px(x), py(data.y[index]), "circle", size * 0.75);
    pen.fill();
  });
  const colours = data.groups.map(({ colour: name }) => (name.startsWith("--") ? colour(name) : name));
  pen.lineWidth = 0.7;
  pen.strokeStyle = colour("--rv-paper");
  data.x.forEach((x, index) => {
    const group = data.group[index];
    if (group < 0) return;
    pen.globalAlpha = data.x.length > 1500 ? 0.7 : 0.9;
    pen.fillStyle = colours[group];
    put(px(x), py(data.y[index]), SHAPES[data.groups[group].shape], size);
    pen.fill();
    if (size > 3) pen.stroke();
  });
  pen.globalAlpha = 1;
  const base = HEIGHT - BOTTOM;
  make("path", { class: "axis", d: `M${LEFT} ${base}H${width - RIGHT}M${LEFT} ${base}V${TOP}` }, svg);
  make("text", { x: width / 2, y: HEIGHT - 8, "text-anchor": "middle" }, svg, data.labels[0]);
  make("text", { x: LEFT + 8, y: TOP + 8 }, svg, `↑ ${data.labels[1]}`);
  if (data.outline) {
    make("polygon", { class: "span", points: data.outline.map(([x, y]) => `${px(x)},${py(y)}`).join(" ") }, svg);
  }
  for (const { x, y, text } of data.marks) {
    make("circle", { class: "ring", cx: px(x), cy: py(y), r: 8 }, svg);
    make("text", { class: "name", x: px(x), y: py(y) - 12, "text-anchor": "middle" }, svg, text);
  }
  const brush = make("polygon", { class: "brush", visibility: "hidden" }, svg);
  const ring = make("circle", { class: "ring", r: 6, visibility: "hidden" }, svg);
  const legend = make("div", { class: "key" }, root);
  for (const group of data.groups) {
    const entry = make(group.condition ? "button" : "span", { class: "entry" }, legend);
    const mark = make("svg", { width: 12, height: 12, viewBox: "-6 -6 12 12" }, entry);
    const d = ["M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0Z", "M-3.6-3.6h7.2v7.2h-7.2Z", "M0-5L4.6 3.4H-4.6Z", "M0-5L5 0L0 5L-5 0Z"][group.shape];
    const name = group.colour;
    make("path", { d, fill: name.startsWith("--") ? `var(${name})` : name }, mark);
    make("span", {}, entry, group.name);
    if (group.condition) entry.onclick = () => say("group", group.condition);
  }
  tip(root);

  const here = (event) => {
    const box = svg.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const nearest = ([x, y]) => {
    let [best, found] = [9 * 9, -1];
    data.x.forEach((value, index) => {
      const far = (px(value) - x) ** 2 + (py(data.y[index]) - y) ** 2 + (data.group[index] < 0 ? 20 : 0);
      if (far < best) [best, found] = [far, index];
    });
    return found;
  };
  let trail = null;
  const corners = () => {
    const [[ax, ay], [bx, by]] = [trail[0], trail[trail.length - 1]];
    return root.tool === "box" ? [[ax, ay], [bx, ay], [bx, by], [ax, by]] : trail;
  };
  const far = () => Math.max(...[0, 1].map((axis) => Math.max(...trail.map((at) => at[axis])) - Math.min(...trail.map((at) => at[axis]))));
  svg.onpointerdown = (event) => { trail = [here(event)]; svg.setPointerCapture(event.pointerId); event.preventDefault(); };
  svg.onpointermove = (event) => {
    if (!trail) {
      const index = nearest(here(event));
      ring.setAttribute("visibility", index < 0 ? "hidden" : "visible");
      root.tip.hidden = index < 0;
      svg.style.cursor = index < 0 ? "crosshair" : "pointer";
      if (index < 0) return;
      ring.setAttribute("cx", px(data.x[index]));
      ring.setAttribute("cy", py(data.y[index]));
      const group = data.groups[data.group[index]];
      hint(root, `${data.ids[index]}\n${group ? group.name : "filtered out"}`, event.clientX, event.clientY);
      return;
    }
    trail.push(here(event));
    root.tip.hidden = true;
    if (far() < 5) return;
    brush.setAttribute("visibility", "visible");
    brush.setAttribute("points", corners().map((at) => at.join(",")).join(" "));
  };
  svg.onpointerleave = () => { if (!trail) { root.tip.hidden = true; ring.setAttribute("visibility", "hidden"); } };
  svg.onpointerup = (event) => {
    if (!trail) return;
    const drawn = far() < 5 ? null : corners();
    const spot = trail[0];
    trail = null;
    if (drawn) {
      say("region", { box: root.tool === "box", x: drawn.map((at) => vx(at[0])), y: drawn.map((at) => vy(at[1])) });
      return;
    }
    const index = nearest(spot);
    if (index >= 0) say("opened", data.ids[index]);
  };
}
