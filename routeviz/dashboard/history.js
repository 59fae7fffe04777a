// What the dashboard itself makes of an address is no step of its own: Back leads to what was on the screen before.
// A page writes its choices into its address one after the other, and each would be one more step back.

const INPUTS = ["pointerdown", "keydown"];

export default function () {
  if (window.routevizHistory) return;
  window.routevizHistory = true;
  const push = history.pushState.bind(history);
  const replace = history.replaceState.bind(history);
  let asked = false;
  for (const name of INPUTS) addEventListener(name, () => (asked = true), true);
  // What clicks without a pointer or a key, such as a screen reader.
  addEventListener("click", (event) => (asked ||= event.detail === 0), true);
  history.pushState = (state, title, address) => {
    const another = new URL(address, location.href).pathname !== location.pathname;
    (another || asked ? push : replace)(state, title, address);
    asked = false;
  };
  history.replaceState = (state, title, address) => {
    replace(state, title, address);
    asked = false;
  };
}
