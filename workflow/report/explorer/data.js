"use strict";
// What lies in the page: the scores, and the packed scans, of which the last few stay unpacked.

const MOST_BYTES = 256e6; // of unpacked scans that are kept

const manifest = JSON.parse(document.getElementById("manifest").textContent);

/** Return what base64 text holds once it is inflated, as an ArrayBuffer. */
async function inflated(text) {
  const packed = atob(text);
  const bytes = new Uint8Array(packed.length);
  for (let i = 0; i < packed.length; i++) bytes[i] = packed.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

/** Return a function that cuts one typed array after the other from a buffer. */
function cutting(buffer) {
  let at = 0;
  return (Kind, length) => {
    const part = buffer.slice(at, (at += length * Kind.BYTES_PER_ELEMENT));
    return new Kind(part);
  };
}

const mean = (values) => {
  const known = values.filter((value) => !Number.isNaN(value));
  return known.length ? known.reduce((a, b) => a + b) / known.length : NaN;
};

/** The scores of one dataset; a row is a slice of a case, in the order of cases and slices. */
class Scores {
  constructor(described, buffer) {
    Object.assign(this, described);
    const take = cutting(buffer);
    const count = described.slices.reduce((a, b) => a + b, 0);
    const [classes, runs] = [described.classes.length, described.runs.length];
    const perClass = (Kind = Float32Array) => Array.from({ length: classes }, () => take(Kind, count));
    const perRun = (Kind) => Array.from({ length: runs }, () => perClass(Kind));
    this.count = count;
    this.index = take(Int32Array, count);
    this.mm = take(Float32Array, count);
    this.alongAll = take(Float32Array, count);
    this.along = perClass();
    this.trueArea = perClass();
    this.dice = perRun();
    this.hd95 = perRun();
    this.foundArea = perRun();
    this.status = perRun(Uint8Array);
    this.start = [0];
    this.slices.forEach((n, i) => this.start.push(this.start[i] + n));
    this.caseOf = Uint32Array.from(this.slices.flatMap((n, i) => Array(n).fill(i)));
    this.predictedBy = this.status.map((byClass) => this.cases.map((_, number) =>
      byClass.some((column) => column.subarray(this.start[number], this.start[number + 1]).some(Boolean))));
    this.meanDice = this.dice.map((byClass) => this.#means(byClass));
    this.meanHd95 = this.hd95.map((byClass) => this.#means(byClass));
  }

  #means(byClass) {
    return Float32Array.from(this.index, (_, row) => mean(byClass.map((column) => column[row])));
  }

  /** Return a column of Dice or HD95 of a run; class -1 is the mean over all. */
  diceOf(run, label) {
    return label < 0 ? this.meanDice[run] : this.dice[run][label];
  }
  hd95Of(run, label) {
    return label < 0 ? this.meanHd95[run] : this.hd95[run][label];
  }
  alongOf(label) {
    return label < 0 ? this.alongAll : this.along[label];
  }

  /** Return the row of a slice, or -1 where nothing of it was scored. */
  row(number, slice) {
    for (let row = this.start[number]; row < this.start[number + 1]; row++) {
      if (this.index[row] === slice) return row;
    }
    return -1;
  }

  /** Return the number of the run of an experiment with a seed, or -1. */
  run(experiment, seed) {
    return this.runs.findIndex(([name, other]) => name === experiment && other === seed);
  }

  /** Return the runs with a seed that predicted a case: some slice of it has their scores. */
  runsOf(seed, number) {
    return this.runs.flatMap(([, other], run) =>
      String(other) === seed && this.predictedBy[run][number] ? [run] : []);
  }

  /** Return the seeds that predicted some case, as texts. */
  get seeds() {
    const some = this.runs.filter((_, run) => this.predictedBy[run].some(Boolean));
    return [...new Set(some.map(([, seed]) => String(seed)))];
  }
}

const openScores = async (number) => {
  const described = manifest.datasets[number];
  return new Scores(described, await inflated(described.scores));
};

/** Return the element of a scan once it was read to its end, or null where the page has none. */
async function elementOf(id) {
  for (;;) {
    const element = document.getElementById(id);
    // The browser may still be reading the page: what follows an element says that it is whole.
    if (element?.nextElementSibling) return element;
    if (document.getElementById("end")) return null;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

const unpackedScans = new Map();

/** Return a case's scan unpacked, or null where the page does not hold it. */
function openScan(dataset, number) {
  const id = `scan-${dataset}-${number}`;
  const opened = unpackedScans.get(id) ?? readScan(id);
  // Last in the map: those looked at longest ago are let go first.
  unpackedScans.delete(id);
  unpackedScans.set(id, opened);
  return opened;
}

async function readScan(id) {
  const element = await elementOf(id);
  if (!element) return null;
  const scan = JSON.parse(element.textContent);
  const take = cutting(await inflated(scan.data));
  scan.data = null;
  const [slices, rows, columns] = scan.shape;
  const size = slices * rows * columns;
  scan.pixels = summed(take(Uint8Array, scan.image.reduce((a, b) => a * b)), scan.image[2]);
  const Kind = scan.bytes === 1 ? Uint8Array : Uint16Array;
  scan.truth = take(Kind, size);
  scan.found = {};
  for (const run of scan.runs) {
    const found = take(Kind, size);
    for (let i = 0; i < size; i++) found[i] += scan.truth[i];
    scan.found[run] = found;
  }
  scan.size = scan.pixels.length + size * scan.bytes * (1 + scan.runs.length);
  letGo(id, scan.size);
  return scan;
}

/** Undo the differences between neighbours in each row of an image. */
function summed(pixels, columns) {
  for (let i = 1; i < pixels.length; i++) if (i % columns) pixels[i] += pixels[i - 1];
  return pixels;
}

const sizes = new Map();

/** Let go of the scans that were looked at longest ago, so that the others fit. */
function letGo(id, size) {
  sizes.set(id, size);
  for (const other of unpackedScans.keys()) {
    const total = [...sizes.values()].reduce((a, b) => a + b, 0);
    if (total <= MOST_BYTES) return;
    if (other !== id && sizes.delete(other)) unpackedScans.delete(other);
  }
}
