// How many images are of each kind: one line a kind, which can be chosen.

export default function ({ parentElement, data, setTriggerValue }) {
  const root = rooted(parentElement, "counts");
  root.replaceChildren();
  const most = Math.max(1, ...data.rows.map((row) => row.count));
  for (const row of data.rows) {
    const line = make("button", { "aria-pressed": String(row.name === data.chosen), title: row.hint }, root);
    make("span", { class: "kind" }, line, row.text);
    const track = make("span", { class: "track" }, line);
    make("i", {}, track).style.width = `${(100 * row.count) / most}%`;
    make("span", { class: "value" }, line, row.value);
    line.onclick = () => setTriggerValue("chosen", row.name);
  }
}
