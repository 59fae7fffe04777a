// The classes with their colours and IoU. Text from data enters through textContent only.

const views = new WeakMap();

export default function ({ parentElement, data }) {
  views.get(parentElement)?.remove();
  const root = document.createElement("div");
  root.className = "classes";
  for (const row of data.rows) {
    const swatch = document.createElement("i");
    swatch.style.background = row.colour;
    const name = document.createElement("span");
    name.textContent = row.name;
    const bar = document.createElement("b");
    const value = document.createElement("span");
    value.className = "value";
    if (row.iou !== null) {
      const fill = document.createElement("b");
      fill.style.width = `${100 * row.iou}%`;
      bar.appendChild(fill);
      value.textContent = `${(100 * row.iou).toFixed(1)}%`;
    } else {
      value.textContent = "–";
    }
    root.append(swatch, name, bar, value);
  }
  parentElement.appendChild(root);
  views.set(parentElement, root);
}
