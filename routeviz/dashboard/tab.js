// What the dashboard itself makes of an address is no step of its own: Back leads to what was on the screen before.
// A page writes its choices into its address one after the other, and each would be one more step back. What stands
// behind the # is the lattice's, and stays as long as the page does.
//
// A cookie keeps the browser's secret word, so that uploads are found again by whoever made them and by nobody else.

const INPUTS = ["pointerdown", "keydown"];
const COOKIE = "routeviz-owner";
const YEAR_S = 365 * 24 * 3600;

function keepWord(word, say) {
  const start = `${COOKIE}=`;
  const kept = document.cookie.split("; ").find((one) => one.startsWith(start))?.slice(start.length);
  if (kept && kept !== word) say("owner", kept);
  else document.cookie = `${COOKIE}=${word}; path=/; max-age=${YEAR_S}; samesite=strict`;
}

export default function ({ data, setStateValue }) {
  keepWord(data.owner, setStateValue);
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
