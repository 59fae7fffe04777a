// Thumbnails as buttons. Text from data enters through textContent and setAttribute only.

const views = new WeakMap();

export default function ({ parentElement, data, setStateValue }) {
  const stamp = JSON.stringify(data.pictures.map((picture) => [picture.id, picture.note, picture.src.length]));
  let view = views.get(parentElement);
  if (view?.stamp !== stamp) {
    view?.root.remove();
    view = { stamp, root: document.createElement("div"), buttons: new Map() };
    view.root.className = "gallery";
    for (const picture of data.pictures) view.buttons.set(picture.id, thumbnail(view.root, picture));
    parentElement.appendChild(view.root);
    views.set(parentElement, view);
  }
  const mark = (chosen) => {
    for (const [id, button] of view.buttons) button.setAttribute("aria-pressed", String(id === chosen));
  };
  view.root.onclick = (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    mark(button.value);
    setStateValue("chosen", button.value);
  };
  mark(data.chosen);
}

function thumbnail(root, picture) {
  const button = document.createElement("button");
  button.value = picture.id;
  button.title = picture.id;
  if (picture.src.startsWith("data:image/")) {
    const image = document.createElement("img");
    image.src = picture.src;
    image.alt = "";
    button.appendChild(image);
  }
  for (const text of [picture.id, picture.note]) {
    const line = document.createElement("span");
    line.textContent = text;
    button.appendChild(line);
  }
  root.appendChild(button);
  return button;
}
