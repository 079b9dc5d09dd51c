// The page: what is shown, and how its parts come to show it.

const $ = (id) => document.getElementById(id);
const STATUS_WORDS = {
  absent: "not scored", both: "both", truth_only: "truth only",
  prediction_only: "prediction only", both_empty: "neither", ignored: "not annotated",
};
const AXES = { relative: "Relative position (0: inferior, posterior or left end)", mm: "Position, mm" };

let view = { ...DEFAULTS };
let scores = null; // of the dataset that is shown
let selection = null; // of its scores
let scan = null; // of the case that is shown, or null where the page does not hold it
let turn = 0; // of the view that was asked for last
let lastShown = null; // settles once that is shown

const fixed = (value, digits) => (Number.isNaN(value) ? "–" : value.toFixed(digits));
const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
const datasetNumber = (name) => manifest.datasets.findIndex((one) => one.name === name);
const caseNumber = () => scores.cases.indexOf(view.case);
const run = () => scores.run(view.experiment, +view.seed);
const row = () => scores.row(caseNumber(), +view.slice);
const entry = () => (row() < 0 ? null : selection.entry(run(), row()));

const viewer = new Viewer($("canvas"));
const profile = new Profile($("chart"), {
  pick: (points) => {
    // Of several in one spot each click shows the next.
    const shown = points.findIndex((point) => point.entry === entry());
    show(placeOf(points[(shown + 1) % points.length].entry));
    $("viewer").focus();
  },
  point: ([first, ...others]) => {
    const more = others.length ? `, and ${others.length} more in this spot` : "";
    $("pointed").textContent = first ? inWords(first.entry) + more : "";
  },
});
const numeric = (key, title, value, digits) => ({
  key, title, value, number: true, text: (entry) => fixed(value(entry), digits),
});
const list = new SliceList($("list"), [
  numeric("dice", "Dice", (entry) => selection.dice(entry), 3),
  { key: "case", title: "Case", text: (entry) => selection.case(entry), value: (entry) => scores.caseOf[selection.row(entry)] },
  numeric("slice", "Slice", (entry) => scores.index[selection.row(entry)], 0),
  { key: "experiment", title: "Experiment", text: (entry) => selection.experiment(entry), value: (entry) => selection.run(entry) },
  numeric("area", "Truth, mm²", (entry) => selection.trueArea(entry), 0),
  numeric("hd95", "HD95, mm", (entry) => selection.hd95(entry), 1),
  numeric("mm", "Position, mm", (entry) => scores.mm[selection.row(entry)], 1),
], {
  onShow: (entry) => show(placeOf(entry)),
  larger: (a, b) => selection.area(b) - selection.area(a),
  onSort: (key) => show({ sort: key, down: view.sort === key && !view.down ? "1" : "" }),
});

function placeOf(entry) {
  const slice = String(scores.index[selection.row(entry)]);
  return { case: selection.case(entry), slice, experiment: selection.experiment(entry) };
}

function inWords(entry) {
  const { case: name, slice, experiment } = placeOf(entry);
  return `${name}, slice ${slice}, ${experiment}: Dice ${fixed(selection.dice(entry), 3)}`;
}

/** Show another view: what `changes` names is changed, the rest stays. */
function show(changes) {
  lastShown = change(++turn, changes);
  lastShown.catch(tell);
  return lastShown;
}

function tell(error) {
  $("trouble").textContent = `Something is wrong with this page: ${error.message}.`;
  $("trouble").hidden = false;
}

async function change(mine, changes) {
  const before = view;
  const next = { ...before, ...changes };
  if (next.case !== before.case && !next.keep && !("level" in changes)) next.level = next.width = "";
  if (datasetNumber(next.dataset) < 0) next.dataset = manifest.datasets[0].name;
  view = next; // so that what comes next changes this one
  if (!scores || scores.name !== next.dataset) {
    const opened = await openScores(datasetNumber(next.dataset));
    if (mine !== turn) return;
    scores = opened;
    selection = null;
  }
  select(before);
  settle();
  fillControls();
  await showSlice(mine, caseNumber());
  if (mine === turn) $("trouble").hidden = true;
}

/** Let the scores through the filters anew, and sort them, where the view asks for it. */
function select(before) {
  const same = (...keys) => selection && keys.every((key) => view[key] === before[key]);
  if (!scores.seeds.includes(view.seed)) view.seed = scores.seeds[0];
  if (!scores.classes.some(([name]) => name === view.class)) view.class = "";
  if (!Object.hasOwn(AXES, view.along)) view.along = "relative";
  const axis = !same("along");
  if (!same("class", "seed", "along", "least", "most", "find", "hide")) {
    selection = new Selection(scores, view);
    const points = selection.points(MOST_POINTS);
    const lines = selection.profiles(MOST_LINES);
    profile.setAxis(AXES[view.along], axis ? selection.range(view.along) : null);
    profile.draw(points, lines);
    $("profile-note").textContent = saidOfPoints(points.length, lines.length);
  } else if (same("sort", "down")) return;
  list.show(selection.entries, view.sort, Boolean(view.down));
  sayHowMany();
}

function saidOfPoints(points, lines) {
  const cases = selection.wanted.filter(Boolean).length;
  const parts = [`${counted(points, "point")}: slices of ${counted(cases, "case")}.`];
  const entries = selection.entries.length;
  if (points < entries) {
    parts.push(points === MOST_POINTS
      ? `They are the lowest of ${entries.toLocaleString("en")}; filter them to see others.`
      : `${counted(entries - points, "slice")} of cases without the structure have no relative position.`);
  }
  if (lines) parts.push("A line joins the slices of a case; the black one is that of the slice shown.");
  return parts.join(" ");
}

function sayHowMany() {
  const total = selection.entries.length;
  $("shown").textContent = total ? `${list.shown.toLocaleString("en")} of ${counted(total, "slice")}` : "No slice passes the filters.";
  $("more").disabled = list.shown === total;
}

/** Put a case, experiment and slice that the seed has in the place of those that it has not. */
function settle() {
  if (!runsOfCase().length) {
    // The window of grey that was asked for is another case's.
    if (view.case && !view.keep) view.level = view.width = "";
    const first = scores.cases.find((_, number) => runsOfCase(number).length);
    Object.assign(view, list.entries.length ? placeOf(list.entries[0]) : { case: first, slice: "" });
  }
  const predicted = runsOfCase();
  if (!predicted.includes(run())) view.experiment = scores.runs[predicted[0]][0];
  if (!/^\d+$/.test(view.slice)) view.slice = String(scores.index[scores.start[caseNumber()]]);
}

/** Return the runs with the chosen seed that predicted a case, or that which is shown. */
function runsOfCase(number = caseNumber()) {
  return scores.runsOf(view.seed, number);
}

/** Return the status of a class in the slice shown; one without scores may show it or not. */
function statusOf(label) {
  const at = row();
  if (at >= 0) return manifest.status[scores.status[run()][label][at]];
  const [, values] = scores.classes[label];
  const shows = ["truth", "prediction"].some((kind) =>
    viewer.labels(kind)?.some((value) => values.includes(value)));
  return scan && !shows ? "both_empty" : "absent";
}

/** Say why the slice shown has no Dice: it was not scored, or nothing is there. */
function whyNoDice() {
  const labels = selection.label < 0 ? [...scores.classes.keys()] : [selection.label];
  return labels.some((label) => statusOf(label) === "absent")
    ? STATUS_WORDS.absent : "no Dice, as nothing is there to score";
}

function ringAround(row) {
  const place = row < 0 ? NaN : selection.x[row];
  const dice = row < 0 ? NaN : scores.diceOf(run(), selection.label)[row];
  return Number.isNaN(place) || Number.isNaN(dice) ? null : [place, dice];
}

/** Return the first and the last slice that can be shown: of the scan, or of the scores. */
function ends() {
  if (scan) return [scan.first, scan.first + scan.shape[0] - 1];
  const number = caseNumber();
  return [scores.index[scores.start[number]], scores.index[scores.start[number + 1] - 1]];
}

async function showSlice(mine, number) {
  const waiting = setTimeout(() => { if (mine === turn) $("missing").textContent = "Unpacking the scan …"; }, 300);
  let opened = null;
  let trouble = "";
  try {
    opened = await openScan(datasetNumber(view.dataset), number);
  } catch (error) {
    trouble = `The scan cannot be unpacked (${error.message}); load the page anew.`;
  }
  clearTimeout(waiting);
  if (mine !== turn) return;
  scan = opened;
  const [first, last] = ends();
  view.slice = String(Math.min(Math.max(+view.slice, first), last));
  $("missing").textContent = trouble || `The image of this case is not in the page: at ${manifest.page_mb} MB it was full. Raise report.page_mb and make it anew.`;
  $("missing").hidden = Boolean(scan);
  list.select(entry());
  profile.highlight(selection.profile(run(), number), ringAround(row()));
  drawSlice();
  describe(first, last);
  writeAddress(view);
}

function drawSlice() {
  const shown = selection.label < 0 ? scores.classes : [scores.classes[selection.label]];
  const masks = shown.map(([, values]) => (labels) =>
    values.length === 1 ? (at) => labels[at] === values[0] : (at) => values.includes(labels[at]));
  const lines = { truth: $("truth").checked, prediction: $("prediction").checked };
  fillWindow();
  viewer.show(scan, scan ? +view.slice - scan.first : 0, run(), masks, shownWindow(), lines);
}

function shownWindow() {
  const [low, high] = scan?.window ?? [0, 1];
  const width = Math.max(numberOr(view.width, high - low), 1e-6 * Math.abs(high) + 1e-12);
  return { level: numberOr(view.level, (low + high) / 2), width };
}

/** Say in words what is shown: status, table of scores, geometry, and what the image is called. */
function describe(first, last) {
  const at = row();
  const [named, means] = selection.label < 0 ? ["mean Dice", ""] : ["Dice", ` of ${view.class}`];
  const dice = at < 0 ? NaN : scores.diceOf(run(), selection.label)[at];
  const scored = Number.isNaN(dice) ? whyNoDice() : `${named} ${dice.toFixed(3)}${means}`;
  $("status").textContent = `${view.case}, slice ${view.slice} (${first} to ${last}), ${view.experiment}: ${scored}`;
  $("canvas").ariaLabel = `${$("status").textContent}. Outlined: ${outlined()}.`;
  $("slice").min = first;
  $("slice").max = last;
  $("slice").value = view.slice;
  $("slice").ariaValueText = `slice ${view.slice} of ${first} to ${last}`;
  $("scores").tBodies[0].replaceChildren(...scores.classes.map(([name], label) => {
    const line = document.createElement("tr");
    const heading = document.createElement("th");
    heading.scope = "row";
    heading.textContent = name;
    line.append(heading);
    const of = (column) => (at < 0 ? NaN : column[at]);
    const values = [
      fixed(of(scores.dice[run()][label]), 3), fixed(of(scores.hd95[run()][label]), 1),
      fixed(of(scores.trueArea[label]), 0), fixed(of(scores.foundArea[run()][label]), 0),
    ];
    for (const value of values) {
      const cell = line.insertCell();
      cell.className = "number";
      cell.textContent = value;
    }
    line.insertCell().textContent = STATUS_WORDS[statusOf(label)];
    return line;
  }));
  $("geometry").textContent = scan ? geometry(at) : "";
}

function outlined() {
  const kinds = ["truth", "prediction"].filter((kind) => $(kind).checked);
  return kinds.length && scan ? kinds.join(" and ") : "nothing";
}

function geometry(at) {
  const [apart, tall, wide] = scan.spacing.map(shortNumber);
  const [down, across] = scan.factors;
  const place = at < 0 ? "" : ` This one lies at ${scores.mm[at].toFixed(1)} mm.`;
  const coarse = down * across > 1 ? ` The image is ${down} × ${across} times coarser than the scan, outlines are not.` : "";
  return `Voxels ${wide} mm wide and ${tall} mm high, slices ${apart} mm apart and counted towards ${scan.towards[0]}.${place}${coarse}`;
}
