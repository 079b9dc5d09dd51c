// What of a dataset's scores a view lets through: for the list, and as points and lines.

const numberOr = (text, other) => (text === "" || !Number.isFinite(+text) ? other : +text);
const ROUNDING = 1e-6; // scores are kept in single precision

class Selection {
  /** An entry is a slice of a run, as one number; label: of the class, -1 for the mean over all. */
  constructor(scores, view) {
    this.scores = scores;
    this.label = scores.classes.findIndex(([name]) => name === view.class);
    const hidden = view.hide.split(",");
    const find = view.find.toLowerCase();
    this.wanted = scores.cases.map((name, number) =>
      name.toLowerCase().includes(find) && scores.runsOf(view.seed, number).length > 0);
    this.runs = scores.runs.flatMap(([name, seed], run) =>
      String(seed) === view.seed && !hidden.includes(name) ? [run] : []);
    this.x = view.along === "mm" ? scores.mm : scores.alongOf(this.label);
    this.entries = this.#passing(numberOr(view.least, -1) - ROUNDING, numberOr(view.most, 2) + ROUNDING);
  }

  #passing(least, most) {
    const { scores, wanted } = this;
    const entries = [];
    for (const run of this.runs) {
      const dice = scores.diceOf(run, this.label);
      for (let row = 0; row < scores.count; row++) {
        // Slices without a Dice are in neither half.
        if (dice[row] >= least && dice[row] <= most && wanted[scores.caseOf[row]]) {
          entries.push(run * scores.count + row);
        }
      }
    }
    return entries;
  }

  row(entry) {
    return entry % this.scores.count;
  }
  run(entry) {
    return Math.floor(entry / this.scores.count);
  }
  entry(run, row) {
    return run * this.scores.count + row;
  }
  dice(entry) {
    return this.scores.diceOf(this.run(entry), this.label)[this.row(entry)];
  }
  hd95(entry) {
    return this.scores.hd95Of(this.run(entry), this.label)[this.row(entry)];
  }
  /** Return the area in mm2 of the class, or of all, in the truth. */
  trueArea(entry) {
    return this.#sum(this.scores.trueArea, this.row(entry));
  }
  /** Return the same of truth and prediction together. */
  area(entry) {
    const found = this.scores.foundArea[this.run(entry)];
    return this.trueArea(entry) + this.#sum(found, this.row(entry));
  }
  #sum(byClass, row) {
    const shown = this.label < 0 ? byClass : [byClass[this.label]];
    return shown.reduce((total, column) => total + (column[row] || 0), 0);
  }
  case(entry) {
    return this.scores.cases[this.scores.caseOf[this.row(entry)]];
  }
  experiment(entry) {
    return this.scores.runs[this.run(entry)][0];
  }
  /** Return the number of a run's experiment: it decides how its points look. */
  look(run) {
    return this.scores.experiments.indexOf(this.scores.runs[run][0]);
  }

  /** Return the points of the entries that have a position, the lowest of them if they are many. */
  points(most) {
    const placed = this.entries.filter((entry) => !Number.isNaN(this.x[this.row(entry)]));
    const shown = placed.length > most
      ? placed.sort((a, b) => this.dice(a) - this.dice(b)).slice(0, most)
      : placed;
    return shown.map((entry) => ({
      entry, x: this.x[this.row(entry)], y: this.dice(entry), look: this.look(this.run(entry)),
    }));
  }

  /** Return the profile {xs, ys, look} of one case of a run, whatever Dice it has. */
  profile(run, number) {
    const { scores, x } = this;
    const line = { xs: [], ys: [], look: this.look(run) };
    const dice = scores.diceOf(run, this.label);
    for (let row = scores.start[number]; row < scores.start[number + 1]; row++) {
      if (Number.isNaN(x[row])) continue;
      line.xs.push(x[row]);
      line.ys.push(dice[row]);
    }
    return line;
  }

  /** Return the profiles of all cases that are wanted, but none of more than so many. */
  profiles(most) {
    const cases = this.wanted.flatMap((wanted, number) => (wanted ? [number] : []));
    if (cases.length * this.runs.length > most) return [];
    return this.runs.flatMap((run) => cases.map((number) => this.profile(run, number)));
  }

  /** Return from where to where the axis of positions runs. */
  range(along) {
    if (along !== "mm") return [-0.15, 1.15];
    let [low, high] = [Infinity, -Infinity];
    for (const mm of this.x) [low, high] = [Math.min(low, mm), Math.max(high, mm)];
    const margin = 0.05 * (high - low) || 1;
    return [low - margin, high + margin];
  }
}
