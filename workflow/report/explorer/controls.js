// Controls of the page: filled from the view, and changing it.

function fillOptions(select, options, chosen) {
  const same = select.options.length === options.length
    && options.every(([value, text], i) => select.options[i].value === value && select.options[i].text === text);
  if (!same) select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
  select.value = chosen;
}

const asOptions = (names) => names.map((name) => [name, name]);

function fillControls() {
  fillOptions($("dataset"), asOptions(manifest.datasets.map(({ name }) => name)), view.dataset);
  const classes = asOptions(scores.classes.map(([name]) => name));
  const single = classes.length === 1;
  fillOptions($("class"), single ? classes : [["", "mean over the classes"], ...classes], single ? classes[0][0] : view.class);
  fillOptions($("seed"), asOptions(scores.seeds), view.seed);
  $("seeds").hidden = scores.seeds.length === 1;
  for (const id of ["along", "least", "most", "find"]) if ($(id).value !== view[id]) $(id).value = view[id];
  fillExperiments();
  const cases = scores.cases.filter((name, number) => selection.wanted[number] || name === view.case);
  fillOptions($("case"), asOptions(cases), view.case);
  fillOptions($("experiment"), asOptions(runsOfCase().map((number) => scores.runs[number][0])), view.experiment);
  $("keep").checked = Boolean(view.keep);
}

function fillExperiments() {
  const hidden = view.hide.split(",");
  const boxes = [...$("experiments").querySelectorAll("input")];
  if (boxes.map((box) => box.value).join() === scores.experiments.join()) {
    for (const box of boxes) box.checked = !hidden.includes(box.value);
    return;
  }
  const labels = scores.experiments.map((name, i) => {
    const label = document.createElement("label");
    const box = document.createElement("input");
    Object.assign(box, { type: "checkbox", value: name, checked: !hidden.includes(name) });
    const sign = document.createElement("span");
    sign.textContent = lookOf(i).sign;
    sign.style.color = lookOf(i).color;
    sign.ariaHidden = "true";
    label.append(box, sign, name);
    return label;
  });
  $("experiments").replaceChildren($("experiments").firstElementChild, ...labels);
}

function fillWindow() {
  const { level, width } = shownWindow();
  const levels = scan?.levels ?? [0, 1];
  const [low, high] = [levels[0], levels.at(-1)];
  const whole = high - low || 1;
  for (const [id, value, ends] of [["level", level, [low, high]], ["width", width, [whole / 256, whole]]]) {
    const slider = $(id);
    slider.disabled = !scan;
    slider.min = Math.min(ends[0], value);
    slider.max = Math.max(ends[1], value);
    slider.step = whole / 256;
    slider.value = value;
    $(`${id}-value`).textContent = slider.ariaValueText = shortNumber(value);
  }
}

/** Set level and width, or with nothing those that the scan starts with; draw only the image. */
function setWindow(level, width) {
  const text = (value) => (value === undefined ? "" : shortNumber(value));
  Object.assign(view, { level: text(level), width: text(width) });
  drawSlice();
  writeAddress(view);
}

/** Go to the next or previous case, slice or experiment. */
function go(what, by) {
  if (what === "slice") return show({ slice: String(+view.slice + by) });
  if (what === "experiment") {
    const runs = runsOfCase();
    if (!runs.length) return undefined;
    const next = runs[(runs.indexOf(run()) + by + runs.length) % runs.length];
    return show({ experiment: scores.runs[next][0] });
  }
  const cases = [...$("case").options].map((option) => option.value);
  const next = cases[cases.indexOf(view.case) + by];
  if (next !== undefined) return goToCase(next);
}

/** Show another case, at the slice of its lowest Dice. */
function goToCase(name) {
  const number = scores.cases.indexOf(name);
  const runs = runsOfCase(number);
  const dice = scores.diceOf(runs.includes(run()) ? run() : runs[0], selection.label);
  let lowest = scores.start[number];
  for (let row = lowest; row < scores.start[number + 1]; row++) {
    if (dice[row] < dice[lowest] || Number.isNaN(dice[lowest])) lowest = row;
  }
  return show({ case: name, slice: String(scores.index[lowest]) });
}

function toEnd(last) {
  const number = caseNumber();
  const at = last ? scores.start[number + 1] - 1 : scores.start[number];
  return show({ slice: String(scores.index[at]) });
}

function toggle(id) {
  $(id).checked = !$(id).checked;
  drawSlice();
}

const KEYS = {
  ArrowLeft: () => go("slice", -1),
  ArrowRight: () => go("slice", 1),
  ArrowUp: () => go("case", -1),
  ArrowDown: () => go("case", 1),
  Home: () => toEnd(false),
  End: () => toEnd(true),
  e: () => go("experiment", 1),
  n: () => list.step(1),
  p: () => list.step(-1),
  t: () => toggle("truth"),
  o: () => toggle("prediction"),
  r: () => setWindow(),
};

function onKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  // Letters only work in the viewer; left and right also where nothing else has the focus.
  const inViewer = event.target === $("viewer");
  if (!inViewer && !(event.target === document.body && /^Arrow(Left|Right)$/.test(key))) return;
  if (!Object.hasOwn(KEYS, key)) return;
  event.preventDefault();
  KEYS[key]();
}

function listen() {
  for (const id of ["class", "seed", "along", "least", "most", "find", "experiment", "slice"]) {
    $(id).addEventListener("input", (event) => show({ [id]: event.target.value }));
  }
  $("dataset").addEventListener("input", (event) =>
    show({ ...DEFAULTS, along: view.along, dataset: event.target.value }));
  $("case").addEventListener("input", (event) => goToCase(event.target.value));
  $("experiments").addEventListener("input", () => {
    const boxes = [...$("experiments").querySelectorAll("input")];
    show({ hide: boxes.filter((box) => !box.checked).map((box) => box.value).join() });
  });
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  $("all").addEventListener("click", () => show({ ...FILTERS, class: "" }));
  $("more").addEventListener("click", () => { list.more(); sayHowMany(); });
  $("link").addEventListener("click", copyLink);
  for (const button of document.querySelectorAll("[data-go]")) {
    button.addEventListener("click", () => go(button.dataset.go, +button.dataset.by));
  }
  for (const id of ["level", "width"]) {
    $(id).addEventListener("input", () => setWindow(+$("level").value, +$("width").value));
  }
  $("reset").addEventListener("click", () => setWindow());
  $("keep").addEventListener("input", () => show({ keep: $("keep").checked ? "1" : "" }));
  for (const id of ["truth", "prediction"]) $(id).addEventListener("input", drawSlice);
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // the address names the view, not a place in the page
    $("viewer").focus();
  });
  document.addEventListener("keydown", onKey);
  addEventListener("hashchange", () => show(viewOf(location.hash)));
  new ResizeObserver(() => viewer.draw()).observe($("canvas"));
  listenToCanvas($("canvas"));
}

function listenToCanvas(canvas) {
  let from = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (!scan || event.button || event.pointerType === "touch") return;
    from = { x: event.clientX, y: event.clientY, ...shownWindow() };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!from) return pointAt(event);
    const whole = scan.levels.at(-1) - scan.levels[0] || 1;
    const across = (event.clientX - from.x) / canvas.clientWidth;
    const down = (event.clientY - from.y) / canvas.clientHeight;
    setWindow(from.level + down * whole, Math.max(from.width + across * whole, whole / 256));
  });
  for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, () => { from = null; });
  canvas.addEventListener("pointerleave", () => { $("readout").textContent = ""; });
}

function pointAt(event) {
  const found = viewer.under(event.offsetX, event.offsetY);
  const named = (value) =>
    scores.classes.filter(([, values]) => values.includes(value)).map(([name]) => name).join(", ") || "background";
  $("readout").textContent = found
    ? `Value ${found.sign}${shortNumber(found.value)}; truth: ${named(found.truth)}; prediction: ${named(found.prediction)}`
    : "";
}

async function copyLink() {
  const link = location.href.split("#")[0] + addressOf(view);
  try {
    await navigator.clipboard.writeText(link);
    $("link-note").textContent = "Copied.";
  } catch {
    $("link-note").textContent = `Copy this: ${link}`;
  }
}

function sayHowPacked() {
  const around = manifest.margin_mm === null
    ? "Scans are shown whole" : `Scans are cut to their structures and ${manifest.margin_mm} mm around them`;
  $("packing").textContent = `${around}, images in up to ${manifest.image_edge} × ${manifest.image_edge} pixels and 256 `
    + "levels of grey, closest together where a scan has most voxels; outlines are in the voxels of the scan. "
    + "The few darkest and brightest voxels have the level at their end, told as ≤ and ≥ under the mouse.";
  const several = manifest.datasets.filter(({ channels }) => channels > 1);
  for (const { name, channel, channels } of several) {
    $("packing").textContent += ` Of the ${channels} channels of ${name} the first is shown, ${channel}.`;
  }
}

async function begin() {
  if (!manifest.datasets.length) throw new Error("no slice of this run shows a structure");
  sayHowPacked();
  await profile.start();
  listen();
  await show(viewOf(location.hash));
}

lastShown = begin();
lastShown.catch(tell);
