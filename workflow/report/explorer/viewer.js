// One slice on its canvas: image, outlines, scale bar, the patient's sides.

const LINES = {
  truth: { color: "#f0e442", width: 3.2, dash: [] },
  prediction: { color: "#ff7a1a", width: 1.8, dash: [6, 4] },
};
const RIM = 2; // px of black around lines and letters, so that they show on white too
const LETTERS = 18; // px at each side for the letters
const OPPOSITE = { R: "L", L: "R", A: "P", P: "A", S: "I", I: "S" };

/** Return the longest of 1, 2 and 5 times a power of ten that is no longer than that. */
function roundLength(longest) {
  const power = 10 ** Math.floor(Math.log10(longest) + 1e-9);
  return power * [5, 2, 1].find((digit) => digit * power <= longest * (1 + 1e-9));
}

const shortNumber = (value) => String(Number(value.toPrecision(3)));

class Viewer {
  constructor(canvas) {
    this.canvas = canvas;
    this.pixels = document.createElement("canvas");
  }

  /** Show a plane of a scan; `masks` are functions (labels) -> inside, one for each class. */
  show(scan, plane, run, masks, window, lines) {
    Object.assign(this, { scan, plane, run, masks, window, lines });
    this.draw();
  }

  draw() {
    const { canvas, scan } = this;
    const ratio = devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    if (!scan) return;
    const [, rows, columns] = scan.shape;
    const [, tall, wide] = scan.spacing;
    const room = [width - 2 * LETTERS, height - 2 * LETTERS];
    // px of the screen for a mm of the patient
    const zoom = Math.min(room[0] / (columns * wide), room[1] / (rows * tall));
    const [x, y] = [zoom * wide, zoom * tall];
    const [left, top] = [(width - columns * x) / 2, (height - rows * y) / 2];
    this.place = { left, top, x, y };
    this.#drawImage(context);
    for (const kind of ["truth", "prediction"]) this.#drawOutlines(context, kind);
    this.#drawLetters(context, columns * x, rows * y);
    this.#drawScale(context, zoom, columns * wide);
  }

  #drawImage(context) {
    const { scan, pixels, place } = this;
    const [, rows, columns] = scan.image;
    const { level, width } = this.window;
    const greys = scan.levels.map((value) => 255 * ((value - level) / width + 0.5));
    const start = this.plane * rows * columns;
    const data = new ImageData(columns, rows);
    const bytes = data.data; // clamps what it is given
    for (let i = 0; i < rows * columns; i++) {
      bytes[4 * i] = bytes[4 * i + 1] = bytes[4 * i + 2] = greys[scan.pixels[start + i]];
      bytes[4 * i + 3] = 255;
    }
    pixels.width = columns;
    pixels.height = rows;
    pixels.getContext("2d").putImageData(data, 0, 0);
    const [down, across] = scan.factors;
    context.save();
    context.beginPath();
    context.rect(place.left, place.top, scan.shape[2] * place.x, scan.shape[1] * place.y);
    context.clip(); // the last blocks of a coarser image reach beyond the slice
    context.imageSmoothingEnabled = false;
    context.drawImage(
      pixels, place.left, place.top, columns * across * place.x, rows * down * place.y,
    );
    context.restore();
  }

  /** Return the labels of the shown plane, of the truth or of the prediction. */
  labels(kind) {
    const { scan } = this;
    if (!scan) return undefined;
    const volume = kind === "truth" ? scan.truth : scan.found[this.run];
    const size = scan.shape[1] * scan.shape[2];
    return volume?.subarray(this.plane * size, (this.plane + 1) * size);
  }

  #drawOutlines(context, kind) {
    const labels = this.labels(kind);
    if (!this.lines[kind] || !labels) return;
    const { place } = this;
    const [, rows, columns] = this.scan.shape;
    context.beginPath();
    for (const mask of this.masks) {
      for (const loop of outlines(rows, columns, mask(labels))) {
        for (let i = 0; i < loop.length; i += 2) {
          const at = [place.left + loop[i] * place.x, place.top + loop[i + 1] * place.y];
          if (i) context.lineTo(...at);
          else context.moveTo(...at);
        }
        context.closePath();
      }
    }
    const look = LINES[kind];
    context.lineWidth = look.width + RIM;
    context.strokeStyle = "rgba(0, 0, 0, 0.6)";
    context.setLineDash(kind === "truth" ? [] : look.dash);
    context.stroke();
    context.lineWidth = look.width;
    context.strokeStyle = look.color;
    context.stroke();
    context.setLineDash([]);
  }

  #text(context, text, x, y, align = "center") {
    context.font = "600 14px system-ui, sans-serif";
    context.textAlign = align;
    context.textBaseline = "middle";
    context.lineWidth = 2 * RIM;
    context.strokeStyle = "#000";
    context.strokeText(text, x, y);
    context.fillStyle = "#fff";
    context.fillText(text, x, y);
  }

  #drawLetters(context, wide, tall) {
    const { place } = this;
    const [, bottom, right] = this.scan.towards;
    const middle = [place.left + wide / 2, place.top + tall / 2];
    this.#text(context, OPPOSITE[bottom], middle[0], place.top - LETTERS / 2);
    this.#text(context, bottom, middle[0], place.top + tall + LETTERS / 2);
    this.#text(context, OPPOSITE[right], place.left - LETTERS / 2, middle[1]);
    this.#text(context, right, place.left + wide + LETTERS / 2, middle[1]);
  }

  #drawScale(context, zoom, widthMm) {
    const { place } = this;
    const length = roundLength(0.3 * widthMm);
    const bottom = place.top + this.scan.shape[1] * place.y - 8;
    const left = place.left + 8;
    context.fillStyle = "#000";
    context.fillRect(left - 1.5, bottom - 1.5, length * zoom + 3, 6);
    context.fillStyle = "#fff";
    context.fillRect(left, bottom, length * zoom, 3);
    this.#text(context, `${shortNumber(length)} mm`, left, bottom - 12, "left");
  }

  /**
   * Return what lies under a place of the canvas, or null: labels, the image's value, and as `sign`
   * whether the first or last level stands for all values beyond it too.
   */
  under(offsetX, offsetY) {
    const { scan, place } = this;
    if (!scan || !place) return null;
    const column = Math.floor((offsetX - place.left) / place.x);
    const row = Math.floor((offsetY - place.top) / place.y);
    const [, rows, columns] = scan.shape;
    if (row < 0 || column < 0 || row >= rows || column >= columns) return null;
    const [down, across] = scan.factors;
    const pixel = Math.floor(row / down) * scan.image[2] + Math.floor(column / across);
    const level = scan.pixels[this.plane * scan.image[1] * scan.image[2] + pixel];
    const [value, last] = [scan.levels[level], scan.levels.length - 1];
    const sign = level === 0 && scan.clipped[0] ? "≤ " : level === last && scan.clipped[1] ? "≥ " : "";
    const at = row * columns + column;
    return { value, sign, truth: this.labels("truth")[at], prediction: this.labels("prediction")?.[at] };
  }
}
