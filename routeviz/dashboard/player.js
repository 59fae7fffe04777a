// Routes of a few images over the steps of a training, or over sizes, in one player: all frames are here, so nothing is
// asked of the server while it plays. Each route is drawn by lattice.js. Text from data enters through textContent only.

const player = (() => {
  const players = new WeakMap();
  const PAUSE = 900;
  const KINDS = { o: "open", b: "blind", p: "passed", "-": "" };
  const WORDS = { o: "open", b: "open, carries nothing of the image", p: "cell closed, passes its input on", "-": "shut" };

  function element(tag, className, parent, text = "") {
    const node = document.createElement(tag);
    node.className = className;
    node.textContent = text;
    parent.appendChild(node);
    return node;
  }

  function build(host, data) {
    const root = element("div", "player", host);
    const bar = element("div", "player-bar", root);
    const view = { root, playing: null, at: 0, told: [], panels: [], button: element("button", "", bar), label: element("span", "step", bar) };
    view.button.type = "button";
    const grid = element("div", "player-grid", root);
    for (const image of data.images) {
      const figure = element("figure", "", grid);
      const head = element("figcaption", "", figure);
      const picture = element("img", "", head);
      picture.alt = "";
      const words = element("div", "", head);
      view.panels.push({ picture, name: element("b", "", words, image.id), facts: element("span", "", words), host: element("div", "", figure) });
    }
    // One legend for all of them: that of the first, below.
    view.foot = element("div", "rv", root);
    return view;
  }

  const wordOf = (data, at) => data.words?.[at] ?? `step ${data.steps[at].toLocaleString("en")}`;

  function show(view, at) {
    const { data } = view;
    const { geometry } = data;
    view.at = at;
    const span = geometry.widths[1] - geometry.widths[0];
    const marks = Object.keys(geometry.marks);
    const word = wordOf(data, at);
    view.label.textContent = word;
    data.images.forEach((image, index) => {
      const frame = image.frames[at];
      const panel = view.panels[index];
      panel.picture.hidden = !image.src.startsWith("data:image/");
      if (!panel.picture.hidden && panel.picture.src !== image.src) panel.picture.src = image.src;
      panel.name.textContent = image.id;
      panel.facts.textContent = frame.facts;
      const kinds = [...frame.kinds];
      drawLattice({
        parentElement: panel.host,
        setStateValue: () => {},
        data: {
          ...geometry,
          controls: false,
          selected: "",
          title: `Route of ${image.id} at ${word}`,
          activation: frame.activation,
          path_kind: kinds.map((kind) => KINDS[kind]),
          path_width: frame.activation.map((value, path) => (kinds[path] === "p" ? 1.8 : geometry.widths[0] + span * value)),
          path_level: frame.activation.map((value) => Math.round(value * (geometry.steps - 1))),
          path_text: geometry.paths.map((path, n) => `${path.name}\nactivation ${frame.activation[n]}: ${WORDS[kinds[n]]}`),
          cell_kind: frame.cells.map((mark) => marks[mark]),
          cell_text: geometry.cells.map((cell, n) => `${cell.name}\n${data.cell_words[marks[frame.cells[n]]]}`),
        },
      });
    });
    const first = view.panels[0].host.querySelector(".rv");
    if (!view.foot.firstChild) view.foot.appendChild(first.querySelector(".legend"));
    for (const panel of view.panels) panel.host.querySelector(".rv .legend")?.remove();
    const mirror = () => { view.foot.dataset.theme = first.dataset.theme; };
    mirror();
    view.watch?.disconnect();
    view.watch = new MutationObserver(mirror);
    view.watch.observe(first, { attributes: true, attributeFilter: ["data-theme"] });
  }

  function pause(view) {
    clearInterval(view.playing);
    view.playing = null;
    view.button.textContent = `▶ Play the ${view.data.course}`;
  }

  function play(view) {
    view.button.textContent = "❚❚ Pause";
    const go = (at) => {
      show(view, at);
      view.tell(view.data.steps[at]);
      if (at === view.data.steps.length - 1) pause(view);
    };
    view.playing = setInterval(() => go(view.at + 1), PAUSE);
    go(view.at === view.data.steps.length - 1 ? 0 : view.at);
  }

  return function ({ parentElement, data, setStateValue }) {
    const stamp = `${data.geometry.digest} ${data.images.length}`;
    let view = players.get(parentElement);
    if (view?.stamp !== stamp) {
      if (view) {
        pause(view);
        view.root.remove();
      }
      view = build(parentElement, data);
      view.stamp = stamp;
      view.data = data;
      view.button.addEventListener("click", () => (view.playing ? pause(view) : play(view)));
      pause(view);
      players.set(parentElement, view);
    }
    view.data = data;
    view.tell = (step) => {
      if (step !== view.data.step) view.told.push(step);
      setStateValue("step", step);
    };
    view.button.disabled = data.steps.length < 2;
    // The page follows the player, late: what comes back of the player's own words is no news.
    const echo = view.told.indexOf(data.step);
    view.told.splice(0, echo + 1);
    const at = view.playing || echo >= 0 ? view.at : data.steps.indexOf(data.step);
    show(view, Math.min(Math.max(0, at), data.steps.length - 1));
    return () => setTimeout(() => { if (!view.root.isConnected) pause(view); });
  };
})();

export default player;
