// What the dashboard itself makes of an address is no step of its own: Back leads to what was on the screen before.
// A page writes its choices into its address one after the other, and each would be one more step back. What stands
// behind the # is the lattice's, and stays as long as the page does.

const INPUTS = ["pointerdown", "keydown"];

export default function () {
  if (window.routevizHistory) return;
  window.routevizHistory = true;
  const [push, replace] = [history.pushState.bind(history), history.replaceState.bind(history)];
  let asked = false;
  for (const name of INPUTS) addEventListener(name, () => (asked = true), true);
  // What clicks without a pointer or a key, such as a screen reader.
  addEventListener("click", (event) => (asked ||= event.detail === 0), true);
  const wrap = (write) => (state, title, given) => {
    const address = new URL(given ?? location.href, location.href);
    const same = address.pathname === location.pathname;
    if (same) address.hash ||= location.hash;
    (same && !asked ? replace : write)(state, title, address.href);
    asked = false;
  };
  history.pushState = wrap(push);
  history.replaceState = wrap(replace);
}
