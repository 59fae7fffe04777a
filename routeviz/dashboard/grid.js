// A heat map whose cells can be hovered, walked through with the arrow keys, and chosen.

export default function ({ parentElement, data, setTriggerValue }) {
  const root = rooted(parentElement, "grid");
  root.replaceChildren();
  root.tip = undefined;
  const table = make("div", { class: "table", role: "grid", "aria-label": data.title }, root);
  table.style.setProperty("--columns", data.columns.length);
  const nodes = [];
  data.rows.forEach((row, at) => {
    const gap = row.group !== data.rows[at - 1]?.group && at > 0 ? " gap" : "";
    make("span", { class: `group${gap}` }, table, row.group !== data.rows[at - 1]?.group ? row.group : "");
    make("span", { class: `row${gap}` }, table, row.text);
    nodes.push(data.columns.map((_, column) => {
      const value = data.values[at][column];
      if (value === null) return make("i", { class: `none${gap}` }, table) && null;
      const cell = make("b", { class: `cell${gap}`, role: "button", tabindex: -1, "aria-label": data.texts[at][column] }, table);
      cell.style.background = shade(value / data.high);
      cell.place = [at, column];
      if (data.chosen.includes(data.names[at][column])) cell.setAttribute("aria-pressed", "true");
      return cell;
    }));
  });
  make("span", {}, table);
  make("span", { class: "row" }, table, data.across);
  data.columns.forEach((text, column) => make("span", { class: "column" }, table, column % data.every === 0 ? text : ""));
  const key = make("div", { class: "key" }, root);
  make("span", {}, key, data.label);
  make("span", {}, key, "0");
  const ramp = make("i", {}, key);
  ramp.style.background = `linear-gradient(90deg, ${[...Array(9).keys()].map((step) => `var(--rv-ramp-${step})`).join(",")})`;
  make("span", {}, key, data.high_text);
  tip(root);
  const first = nodes.flat().find(Boolean);
  first?.setAttribute("tabindex", 0);

  const cellOf = (event) => event.target.closest?.(".cell");
  table.onpointermove = (event) => {
    const cell = cellOf(event);
    if (cell) hint(root, cell.getAttribute("aria-label"), event.clientX, event.clientY);
    else root.tip.hidden = true;
  };
  table.onpointerleave = () => { root.tip.hidden = true; };
  const choose = (cell) => { setTriggerValue("chosen", data.names[cell.place[0]][cell.place[1]]); };
  table.onclick = (event) => { if (cellOf(event)) choose(cellOf(event)); };
  table.onkeydown = (event) => {
    event.stopPropagation();
    const cell = cellOf(event);
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!cell || (!step && event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    if (!step) { choose(cell); return; }
    let [row, column] = cell.place;
    do { row += step[0]; column += step[1]; } while (nodes[row]?.[column] === null);
    const next = nodes[row]?.[column];
    if (!next) return;
    cell.setAttribute("tabindex", -1);
    next.setAttribute("tabindex", 0);
    next.focus();
    const box = next.getBoundingClientRect();
    hint(root, next.getAttribute("aria-label"), box.right, box.bottom);
  };
}
