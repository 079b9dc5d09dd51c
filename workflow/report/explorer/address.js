// What is shown, as text behind the # of the page's address: a link to it shows the same.

const FREE = { dataset: "", case: "", slice: "", experiment: "", seed: "", class: "", along: "relative" };
const FILTERS = { least: "", most: "", find: "", hide: "" };
const WINDOW = { level: "", width: "", keep: "" };
const SORT = { sort: "dice", down: "" };
const DEFAULTS = { ...FREE, ...FILTERS, ...WINDOW, ...SORT };

/** Return the view that an address names; keys that nobody knows are passed over. */
function viewOf(hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const view = { ...DEFAULTS };
  for (const key of Object.keys(DEFAULTS)) view[key] = given.get(key) ?? DEFAULTS[key];
  for (const key of ["least", "most", ...Object.keys(WINDOW)]) {
    if (!Number.isFinite(+view[key])) view[key] = "";
  }
  return view;
}

/** Return the part of an address that names a view; what is as always is left out. */
function addressOf(view) {
  const named = Object.entries(view).filter(([key, value]) => String(value) !== DEFAULTS[key]);
  return "#" + new URLSearchParams(named);
}

let waiting = 0;

/** Write the view into the page's address, when it has stood still for a moment. */
function writeAddress(view) {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    // Within a report the page may have an address that cannot be changed.
    try { history.replaceState(null, "", addressOf(view)); } catch { /* the view stays unnamed */ }
  }, 200);
}
