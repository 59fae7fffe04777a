// The page's own script, after lattice.js: unpacks the routes and shows that of the image that is chosen.
// Text from data enters through textContent and setAttribute only.

const element = (id) => document.getElementById(id);
let [routes, selected] = [null, ""];

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

function show(index) {
  const image = routes.images[index];
  element("image").selectedIndex = index;
  element("picture").hidden = !image.picture;
  element("picture").alt = image.id;
  if (image.picture) element("picture").src = image.picture;
  element("facts").replaceChildren(
    ...[[routes.row, image.id], ...image.facts].flatMap(([name, value]) => {
      const pair = [document.createElement("dt"), document.createElement("dd")];
      pair[0].textContent = name;
      pair[1].textContent = value;
      return pair;
    }),
  );
  const data = { ...routes.lattice, ...image.paint, title: `Route of ${image.id}`, selected };
  const select = (key, name) => {
    selected = name;
    pick(data);
  };
  drawLattice({ parentElement: element("lattice"), data, setStateValue: select, setTriggerValue: select });
  pick(data);
}

// What was clicked stays below the lattice, from image to image.
function pick(data) {
  const cell = data.cells.findIndex((one) => one.name === selected);
  const path = data.paths.findIndex((one) => one.short === selected);
  const text = cell >= 0 ? data.cell_text[cell] : data.path_text[path];
  element("picked").textContent = text ?? "Hover a cell or a path for its values; click it to keep them here.";
}

try {
  routes = await unpack(element("routes").textContent);
  const step = (by) => show((element("image").selectedIndex + by + routes.images.length) % routes.images.length);
  element("image").addEventListener("change", (event) => show(event.target.selectedIndex));
  element("previous").addEventListener("click", () => step(-1));
  element("next").addEventListener("click", () => step(1));
  show(0);
} catch (error) {
  element("picked").textContent = `This browser cannot show the routes (${error}); one from 2023 or later can.`;
}
