// The page of a load test: figures, curves over the steps, tables. What is shown was decided before (src/report/load/).

const HEIGHT = 150; // of a drawing, without its axis
const STRIP = 18; // for the numbers of the steps, above each drawing
const GUTTER = 62; // for the scale, at the left

function mark(cell) {
  if (!cell.mark) return cell.text;
  return make("span", { class: `verdict ${cell.mark}` }, make("span", { "aria-hidden": "true" }, SIGNS[cell.mark]), cell.text);
}

function heading() {
  const [name, colour] = data.label ?? [];
  const swatch = name && svg("svg", { width: 12, height: 12, "aria-hidden": "true" }, svg("rect", { width: 12, height: 12, rx: 2, fill: colour, class: "swatch" }));
  document.title = data.title;
  document.getElementById("top").append(
    make("div", { class: "top" }, make("h1", {}, data.title), theme()),
    make("p", { class: "counts" }, mark({ text: data.outcome, mark: data.mark }), name && make("span", { class: "seed" }, swatch, name), make("span", { class: "ended" }, data.why)),
    make("p", { class: "soft" }, data.with),
    make("ul", { class: "facts", "aria-label": "Figures" }, ...data.facts.map(([what, value]) => make("li", {}, what, " ", make("b", {}, value)))));
}

/** Marks a time in all drawings at once. */
function crossed(at) {
  for (const line of document.querySelectorAll(".cross")) {
    line.setAttribute("x1", at);
    line.setAttribute("x2", at);
  }
}

/** The value of a line at a time, between its points. */
function value(line, ms) {
  const next = line.points.findIndex(([t]) => t >= ms);
  if (next === 0) return line.points[0][0] - ms > data.length_ms / 20 ? undefined : line.points[0][1];
  if (next < 0) return line.points.at(-1)[1];
  const [[t0, v0], [t1, v1]] = [line.points[next - 1], line.points[next]];
  return v0 + (v1 - v0) * ((ms - t0) / Math.max(1, t1 - t0));
}

function figures(number) {
  if (number === undefined) return "–";
  const digits = Math.abs(number) >= 100 ? 0 : Math.abs(number) >= 10 ? 1 : 2;
  return number.toLocaleString("en", { maximumFractionDigits: digits });
}

/** The steps behind a drawing: every other one shaded, its number above where there is room; the longest choose first. */
function steps(x, bottom) {
  const group = svg("g", { class: "steps" });
  for (const { number, name, from, to, late } of data.bands) {
    const one = svg("rect", { class: `span ${number % 2 ? "odd" : "even"}${late ? " late" : ""}`, x: x(from), y: STRIP, width: Math.max(1, x(to) - x(from)), height: bottom - STRIP });
    group.append(told(one, [`${number}. ${name}`, `from ${clock(from)} to ${clock(to)}`, late ? "objects were late" : ""]), svg("line", { class: "rule", x1: x(from), x2: x(from), y1: STRIP - 4, y2: bottom }));
  }
  const taken = [];
  for (const { number, name, from, to } of [...data.bands].sort((a, b) => (b.to - b.from) - (a.to - a.from))) {
    const room = Math.floor((x(to) - x(from) - 16) / 5.6);
    const text = room > 8 ? `${number} ${name.length > room ? `${name.slice(0, room - 1)}…` : name}` : `${number}`;
    const [start, end] = [x(from), Math.min(x(from) + text.length * 6 + 4, room > 8 ? x(to) : Infinity)];
    if (taken.some(([first, last]) => start < last && first < end)) continue;
    taken.push([start, end]);
    group.append(svg("text", { class: "number", x: start + 2, y: STRIP - 6 }, text));
  }
  for (const [t, what] of data.events) {
    group.append(told(svg("line", { class: "gap", x1: x(t), x2: x(t), y1: STRIP, y2: bottom }), [clock(t), what]));
  }
  return group;
}

function scale(chart, y, width) {
  const group = svg("g", {});
  for (const part of [0, .5, 1]) {
    const at = y(chart.top * part);
    group.append(svg("line", { class: "rule", x1: GUTTER, x2: width, y1: at, y2: at }), svg("text", { x: GUTTER - 6, y: at + 4, "text-anchor": "end" }, figures(chart.top * part)));
  }
  if (chart.bound) {
    const [bound, what] = chart.bound;
    group.append(svg("line", { class: "bound-line", x1: GUTTER, x2: width, y1: y(bound), y2: y(bound) }), svg("text", { class: "mark", x: width - 4, y: y(bound) - 4, "text-anchor": "end" }, what));
  }
  return group;
}

function draw(chart, width) {
  const bottom = STRIP + HEIGHT;
  const length = Math.max(1, data.length_ms);
  const x = (ms) => GUTTER + (Math.min(ms, length) / length) * (width - GUTTER - 8);
  const y = (amount) => bottom - (amount / (chart.top || 1)) * (HEIGHT - 10);
  const peaks = chart.lines.map((line) => `${line.what} at most ${figures(line.peak)}`).join(", ");
  const all = svg("svg", { class: "t", width, height: bottom + AXIS, role: "img", "aria-label": `${chart.name}, ${chart.unit}, over ${clock(length)}: ${peaks}` });
  all.append(steps(x, bottom), scale(chart, y, width), axis(length, x, { axis: bottom }, width));
  chart.lines.forEach((line, i) => {
    const path = line.points.map(([t, amount], n) => `${n ? "L" : "M"}${x(t).toFixed(1)} ${y(amount).toFixed(1)}`).join("");
    all.append(svg("path", { class: `c c${i}`, d: line.points.length > 1 ? path : `${path}h2` }));
  });
  all.append(svg("line", { class: "cross", y1: STRIP, y2: bottom, x1: -9, x2: -9 }));
  const look = (event) => {
    const at = event.clientX - all.getBoundingClientRect().left;
    const ms = Math.min(length, Math.max(0, ((at - x(0)) / (x(length) - x(0))) * length));
    crossed(Math.max(x(0), at));
    const step = data.bands.findLast(({ from, to }) => from <= ms && ms <= to);
    const near = event.target.told && event.target.classList.contains("gap") ? event.target.told : [];
    show([clock(ms), step && `${step.number}. ${step.name}`, ...near, ...chart.lines.map((line) => `${line.what}: ${figures(value(line, ms))}`)], event.clientX, event.clientY);
  };
  all.addEventListener("pointermove", look);
  all.addEventListener("pointerdown", look);
  all.addEventListener("pointerleave", () => { hide(); crossed(-9); });
  return all;
}

function drawing(chart) {
  const box = make("div", { class: "curves" });
  box.style.minHeight = `${STRIP + HEIGHT + AXIS}px`;
  box.draw = () => {
    box.replaceChildren(draw(chart, Math.max(280, box.clientWidth)));
    box.room = box.clientWidth;
  };
  const swatch = (line, i) => make("span", {}, svg("svg", { width: 24, height: 8, "aria-hidden": "true" }, svg("path", { class: `c c${i}`, d: "M0 4H24" })), `${line.what} `, make("span", { class: "peak" }, `≤ ${figures(line.peak)}`));
  return make("figure", { class: "chart" }, make("h3", {}, chart.name, " ", make("span", { class: "soft" }, chart.unit)), box,
    make("figcaption", { class: "legend" }, ...chart.lines.map(swatch)));
}

function rows(table, some) {
  return some.map((cells) => make("tr", {}, ...cells.map((cell, i) => make("td", { class: table.columns[i].number && "figure" }, mark(cell)))));
}

function sheet(table, i) {
  const id = `table-${i}`;
  const body = make("tbody", {}, ...rows(table, table.rows.slice(0, table.shown)));
  const left = table.rows.slice(table.shown);
  const more = left.length > 0 && make("button", { type: "button" }, `${left.length} more`);
  if (more) more.addEventListener("click", () => { body.append(...rows(table, left)); more.remove(); });
  return make("article", { id, "aria-labelledby": `${id}--h` }, make("h2", { id: `${id}--h` }, table.title),
    table.note && make("p", { class: "soft" }, table.note),
    make("div", { class: "scroll", tabindex: 0, role: "region", "aria-labelledby": `${id}--h` }, make("table", { class: "plain sheet" },
      make("thead", {}, make("tr", {}, ...table.columns.map(({ name, number }) => make("th", { scope: "col", class: number && "figure" }, name)))), body)),
    more);
}

function everything() {
  for (const box of document.querySelectorAll(".curves")) box.draw();
}

heading();
document.getElementById("main").append(
  ...(data.missing.length ? [make("article", { class: "missing" }, make("h2", {}, "Not measured"), ...data.missing.map((why) => make("p", { class: "note" }, why)))] : []),
  ...(data.events.length ? [make("article", { class: "events" }, make("h2", {}, "API server's pod"), grid(["at", "what"], data.events.map(([t, what]) => [clock(t), what])))] : []),
  make("article", { "aria-labelledby": "curves--h" }, make("h2", { id: "curves--h" }, "Over the steps"), make("div", { class: "charts" }, ...data.charts.map(drawing))),
  ...data.tables.map(sheet),
  ...(data.profile ? [make("article", {}, folded("Profile", () => [make("pre", { class: "code scroll" }, data.profile)]))] : []),
  make("p", { class: "soft" }, `Made by kubeclash ${data.version}. Times count from the start of measuring.`));
everything();
addEventListener("resize", () => {
  hide();
  for (const box of document.querySelectorAll(".curves")) if (box.clientWidth !== box.room) box.draw();
});
