// Pictures side by side, each with a caption, in boxes of one shape that do not move while pictures change. Text from
// data enters through textContent only.

const views = new WeakMap();

export default function ({ parentElement, data }) {
  let view = views.get(parentElement);
  if (view?.boxes.length !== data.figures.length) {
    view?.root.remove();
    view = { root: document.createElement("div"), boxes: data.figures.map(() => figure()) };
    view.root.className = "figures";
    view.root.append(...view.boxes.map((box) => box.root));
    parentElement.appendChild(view.root);
    views.set(parentElement, view);
  }
  view.root.style.setProperty("--columns", data.columns);
  data.figures.forEach((given, index) => {
    const { root, picture, note, caption } = view.boxes[index];
    root.style.setProperty("--shape", given.shape ?? "4 / 3");
    root.classList.toggle("sharp", Boolean(given.sharp));
    picture.hidden = !given.src?.startsWith("data:image/");
    if (!picture.hidden && picture.src !== given.src) picture.src = given.src;
    picture.alt = given.caption;
    note.hidden = !picture.hidden;
    note.textContent = given.note ?? "";
    caption.textContent = given.caption;
  });
}

function figure() {
  const [root, picture, note, caption] = ["figure", "img", "p", "figcaption"].map((tag) => document.createElement(tag));
  root.append(picture, note, caption);
  return { root, picture, note, caption };
}
