// The Dice of each slice over its position, drawn by Bokeh; points are picked by the nearest.

// The hues of the figures, dark enough on white for a contrast of 3; a shape for each as well.
const COLORS = ["#0072b2", "#b87700", "#000000", "#b0578a", "#008a64", "#2b86bd", "#d55e00"];
const SHAPES = [
  ["circle", "●"], ["square", "■"], ["triangle", "▲"], ["diamond", "◆"],
  ["inverted_triangle", "▼"], ["hex", "⬢"], ["star", "★"],
];

/** Return how an experiment looks: each 7 have the colours in turn, with the shapes moved on by 3. */
function lookOf(number) {
  const round = Math.floor(number / COLORS.length);
  const [marker, sign] = SHAPES[(number + 3 * round) % SHAPES.length];
  return { color: COLORS[number % COLORS.length], marker, sign };
}

const MOST_POINTS = 30000; // that are drawn at once; the lowest of them
const MOST_LINES = 1000;
const REACH = 12; // px from a point within which it is picked

class Profile {
  constructor(element, { pick, point }) {
    this.element = element;
    this.points = [];
    Bokeh.set_log_level("error");
    const { ColumnDataSource, Plotting } = Bokeh;
    this.figure = Plotting.figure({
      sizing_mode: "stretch_both",
      tools: "pan,box_zoom,wheel_zoom,reset",
      active_drag: null,
      active_scroll: null,
      y_range: [-0.03, 1.03],
      x_range: [-0.15, 1.15],
      y_axis_label: "Dice",
      output_backend: "canvas",
    });
    this.figure.toolbar.logo = null;
    const source = (names) =>
      new ColumnDataSource({ data: Object.fromEntries(names.map((name) => [name, []])) });
    this.lines = source(["xs", "ys", "color", "alpha"]);
    this.dots = source(["x", "y", "color", "marker", "alpha"]);
    this.chosenLine = source(["x", "y"]);
    this.chosenDots = source(["x", "y"]);
    this.chosen = source(["x", "y"]);
    const at = [{ field: "x" }, { field: "y" }];
    this.figure.multi_line({ field: "xs" }, { field: "ys" }, {
      source: this.lines, line_color: { field: "color" }, line_alpha: { field: "alpha" },
    });
    this.figure.scatter(...at, {
      source: this.dots, marker: { field: "marker" }, size: 5, line_color: null,
      fill_color: { field: "color" }, fill_alpha: { field: "alpha" },
    });
    // On a layer of their own: going from slice to slice draws no other point anew.
    const over = { level: "overlay" };
    this.figure.line(...at, { ...over, source: this.chosenLine, line_color: "#000", line_width: 2 });
    this.figure.scatter(...at, {
      ...over, source: this.chosenDots, size: 6, fill_color: "#fff", line_color: "#000",
    });
    this.figure.scatter(...at, {
      ...over, source: this.chosen, size: 16, fill_color: null, line_color: "#c00000", line_width: 3,
    });
    // Two clicks on two points, one soon after the other, are a double one for Bokeh.
    for (const kind of ["tap", "doubletap"]) {
      this.figure.on_event(kind, (event) => {
        const found = this.#nearest(event);
        if (found.length) pick(found);
      });
    }
    this.figure.on_event("mousemove", (event) => point(this.#nearest(event)));
    this.figure.on_event("mouseleave", () => point([]));
  }

  async start() {
    this.view = await Bokeh.Plotting.show(this.figure, this.element);
  }

  /** Set the axis of positions: its label, and its range or null to keep the present one. */
  setAxis(label, range) {
    this.figure.below[0].axis_label = label;
    if (range) {
      const { x_range: x, y_range: y } = this.figure;
      Object.assign(x, { start: range[0], end: range[1], reset_start: range[0], reset_end: range[1] });
      Object.assign(y, { start: -0.03, end: 1.03 });
    }
  }

  /** Draw points {x, y, look, ...} and lines {xs, ys, look}. */
  draw(points, lines) {
    this.points = points;
    // The more there are, the fainter: where they lie over each other, the crowd still shows.
    const fainter = (count, most) => Math.min(0.6, Math.max(0.12, most / count));
    const looks = points.map(({ look }) => lookOf(look));
    const alpha = fainter(points.length, 1000);
    this.dots.data = {
      x: points.map(({ x }) => x),
      y: points.map(({ y }) => y),
      color: looks.map(({ color }) => color),
      marker: looks.map(({ marker }) => marker),
      alpha: points.map(() => alpha),
    };
    this.lines.data = {
      xs: lines.map((line) => line.xs),
      ys: lines.map((line) => line.ys),
      color: lines.map((line) => lookOf(line.look).color),
      alpha: lines.map(() => fainter(lines.length, 10)),
    };
  }

  /** Draw one profile {xs, ys} over all others, and a ring around one of its points or null. */
  highlight({ xs, ys }, ring) {
    const at = { x: xs, y: ys };
    this.chosenLine.data = at;
    this.chosenDots.data = { ...at };
    this.chosen.data = ring ? { x: [ring[0]], y: [ring[1]] } : { x: [], y: [] };
  }

  /** Return the point nearest to a place, and those that lie in the same spot; none if it is far. */
  #nearest({ x, y }) {
    const { x_range, y_range, inner_width, inner_height } = this.figure;
    const scale = [
      inner_width / (x_range.end - x_range.start),
      inner_height / (y_range.end - y_range.start),
    ];
    let [found, least] = [[], REACH ** 2];
    for (const point of this.points) {
      const distance = ((point.x - x) * scale[0]) ** 2 + ((point.y - y) * scale[1]) ** 2;
      if (distance === least) found.push(point);
      else if (distance < least) [found, least] = [[point], distance];
    }
    return found;
  }
}
