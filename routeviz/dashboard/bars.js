// A histogram: all images behind, those that pass the filter in front; a drag across it chooses a range.

const HEIGHT = 190;
const [LEFT, RIGHT, TOP, BOTTOM] = [46, 12, 10, 40];

export default function ({ parentElement, data, setTriggerValue }) {
  const root = rooted(parentElement, "bars");
  root.draw = () => draw(root, data, (range) => setTriggerValue("range", range));
  root.draw();
}

function draw(root, data, choose) {
  root.replaceChildren();
  root.tip = undefined;
  root.drawn = root.clientWidth;
  const width = Math.max(200, root.clientWidth);
  const { edges } = data;
  const [low, high] = [edges[0], edges[edges.length - 1]];
  const x = (value) => LEFT + ((value - low) / (high - low)) * (width - LEFT - RIGHT);
  const back = (at) => low + (Math.min(Math.max(at, LEFT), width - RIGHT) - LEFT) / (width - LEFT - RIGHT) * (high - low);
  const top = Math.max(1, ...data.all);
  const base = HEIGHT - BOTTOM;
  const tall = (count) => (count ? Math.max(2, (count / top) * (base - TOP)) : 0);
  const svg = make("svg", { width, height: HEIGHT, role: "img", "aria-label": data.title }, root);
  for (const count of [...new Set([Math.round(top / 2), top])]) {
    const y = base - tall(count);
    make("path", { class: "rule", d: `M${LEFT} ${y}H${width - RIGHT}` }, svg);
    make("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, svg, count.toLocaleString("en"));
  }
  if (data.span) {
    const [from, to] = data.span.map((end) => x(Math.min(Math.max(end, low), high)));
    make("rect", { class: "span", x: from, y: TOP - 4, width: Math.max(2, to - from), height: base - TOP + 4 }, svg);
  }
  data.all.forEach((count, bin) => {
    const [from, wide] = [x(edges[bin]), Math.max(1, x(edges[bin + 1]) - x(edges[bin]) - 1)];
    make("rect", { class: "all", x: from, y: base - tall(count), width: wide, height: tall(count) }, svg);
    const part = data.some[bin];
    make("rect", { class: "some", x: from, y: base - tall(part), width: wide, height: tall(part) }, svg);
  });
  for (const mark of data.marks) {
    make("path", { class: "mark", d: `M${x(mark.at)} ${TOP - 4}V${base}`, "stroke-dasharray": mark.dash }, svg);
  }
  make("path", { class: "axis", d: `M${LEFT} ${base}H${width - RIGHT}` }, svg);
  for (const { at, text } of data.ticks) {
    const anchor = x(at) < LEFT + 16 ? "start" : x(at) > width - RIGHT - 16 ? "end" : "middle";
    make("text", { x: x(at), y: base + 16, "text-anchor": anchor }, svg, text);
  }
  make("text", { x: (LEFT + width - RIGHT) / 2, y: HEIGHT - 6, "text-anchor": "middle" }, svg, data.label);
  const brush = make("rect", { class: "brush", y: TOP - 4, height: base - TOP + 4, visibility: "hidden" }, svg);
  tip(root);

  const binAt = (at) => {
    const value = back(at);
    return Math.max(0, Math.min(data.all.length - 1, edges.findIndex((edge) => edge > value) - 1));
  };
  const here = (event) => event.clientX - svg.getBoundingClientRect().left;
  let start = null;
  svg.onpointerdown = (event) => { start = here(event); svg.setPointerCapture(event.pointerId); event.preventDefault(); };
  svg.onpointermove = (event) => {
    if (start === null) {
      const bin = binAt(here(event));
      hint(root, data.texts[bin], event.clientX, event.clientY);
      return;
    }
    const [from, to] = [start, here(event)].map((at) => x(back(at))).sort((a, b) => a - b);
    brush.setAttribute("x", from);
    brush.setAttribute("width", to - from);
    brush.setAttribute("visibility", "visible");
    root.tip.hidden = true;
  };
  svg.onpointerleave = () => { if (root.tip) root.tip.hidden = true; };
  svg.onpointerup = (event) => {
    if (start === null) return;
    const [from, to] = [start, here(event)].sort((a, b) => a - b);
    start = null;
    const bin = binAt(from);
    choose(to - from < 4 ? [edges[bin], edges[bin + 1]] : [back(from), back(to)]);
  };
}
