// The list of slices: sorted by its headings, walked through with the arrow keys.

const ROWS = 100; // shown at first, and more with each press of the button

class SliceList {
  /**
   * columns: {key, title, number, text(entry), value(entry)}; onShow(entry), onSort(key); larger(a, b)
   * says how much more there is to see in b: of equal entries the larger comes first.
   */
  constructor(table, columns, { onShow, onSort, larger }) {
    Object.assign(this, { columns, onShow, larger, entries: [], limit: ROWS });
    this.body = table.tBodies[0];
    this.headings = columns.map(({ key, title, number }) => {
      const heading = document.createElement("th");
      heading.scope = "col";
      if (number) heading.className = "number";
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = title;
      button.addEventListener("click", () => onSort(key));
      heading.append(button);
      table.tHead.rows[0].append(heading);
      return heading;
    });
    this.body.addEventListener("click", (event) => {
      const row = event.target.closest("tr");
      if (row) this.#go(row.sectionRowIndex);
    });
    this.body.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Show entries in the order of a column; those without a value come last. */
  show(entries, key, down) {
    const column = this.columns.find((one) => one.key === key) ?? this.columns[0];
    this.headings.forEach((heading, i) => {
      const sorted = this.columns[i] === column;
      if (sorted) heading.ariaSort = down ? "descending" : "ascending";
      else heading.removeAttribute("aria-sort");
      const sign = sorted ? (down ? " ▼" : " ▲") : "";
      heading.firstChild.textContent = this.columns[i].title + sign;
    });
    const values = new Map(entries.map((entry) => [entry, column.value(entry)]));
    const order = (a, b) => {
      const [x, y] = [values.get(a), values.get(b)];
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
      return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1) || this.larger(a, b);
    };
    this.entries = [...entries].sort(order);
    this.limit = ROWS;
    this.#render();
  }

  more() {
    const first = this.body.rows.length;
    this.limit += ROWS;
    this.#render();
    this.body.rows[first]?.focus();
  }

  get shown() {
    return this.body.rows.length;
  }

  #render() {
    const rows = this.entries.slice(0, this.limit).map((entry, i) => {
      const row = document.createElement("tr");
      row.ariaSelected = "false";
      row.tabIndex = i ? -1 : 0;
      for (const { number, text } of this.columns) {
        const cell = row.insertCell();
        if (number) cell.className = "number";
        cell.textContent = text(entry);
      }
      return row;
    });
    this.body.replaceChildren(...rows);
    this.select(this.selected);
  }

  /** Mark the row of an entry, if it is shown, and let the tab key come to it. */
  select(entry) {
    this.selected = entry;
    const place = this.entries.indexOf(entry);
    for (const row of this.body.querySelectorAll('[aria-selected="true"]')) {
      row.ariaSelected = "false";
    }
    const row = this.body.rows[place] ?? null;
    if (row) row.ariaSelected = "true";
    const stop = row ?? this.body.rows[0];
    for (const other of this.body.querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
    if (stop) stop.tabIndex = 0;
    return row;
  }

  /** Show the entry so many places behind the selected one. */
  step(by) {
    const place = this.entries.indexOf(this.selected) + by;
    const entry = this.entries[Math.min(Math.max(place, 0), this.entries.length - 1)];
    if (entry !== undefined) this.onShow(entry);
  }

  #go(place) {
    const row = this.body.rows[Math.min(Math.max(place, 0), this.body.rows.length - 1)];
    if (!row) return;
    row.focus();
    this.onShow(this.entries[row.sectionRowIndex]);
  }

  #key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const here = event.target.closest("tr")?.sectionRowIndex ?? 0;
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Enter: 0, " ": 0 }[event.key];
    const end = { Home: 0, End: this.body.rows.length - 1 }[event.key];
    if (by === undefined && end === undefined) return;
    event.preventDefault();
    this.#go(end ?? here + by);
  }
}
