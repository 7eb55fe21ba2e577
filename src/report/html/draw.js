"use strict";
// Draws a timeline: milliseconds into pixels. What lies where was decided before (src/report/drawing.rs).

const SVG = "http://www.w3.org/2000/svg";
const STAGES = {
  pending: "on no node",
  bound: "on a node, not ready",
  running: "running and ready",
  terminating: "told to go",
  failed: "failed",
  succeeded: "succeeded",
};
const LEVELS = 5; // of steps and marks above the rows
const LEVEL = 15;
const PANEL = 46;
const AXIS = 22;
const EVICTIONS = 20;
const PAD = 10; // at the right and the left of the time

/** An element with attributes and children; text is always text, never HTML. */
function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== null && child !== false));
  return element;
}

/** Milliseconds as people read them. */
function clock(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 60000 ? `${(ms / 1000).toFixed(ms < 10000 ? 2 : 1)} s` : `${Math.floor(ms / 60000)} min ${((ms % 60000) / 1000).toFixed(1)} s`;
}

/** The patterns that tell stages apart without colour; once in a page. */
function patterns() {
  const stripes = (id, back, size, path) =>
    svg("pattern", { id, width: size, height: size, patternUnits: "userSpaceOnUse" },
      back && svg("rect", { width: size, height: size, fill: back }),
      svg("path", { d: path, stroke: id === "closed" ? "var(--hatch)" : "var(--card)", "stroke-width": id === "closed" ? 2 : 1.2, fill: "none" }));
  return svg("svg", { width: 0, height: 0, "aria-hidden": "true", class: "unseen" }, svg("defs", {},
    stripes("terminating", "var(--terminating)", 5, "M-1 6L6 -1M-1 1L1 -1M4 6L6 4"),
    stripes("failed", "var(--failed)", 5, "M0 0L5 5M0 5L5 0"),
    stripes("pending", "var(--card)", 4, ""),
    stripes("closed", "", 8, "M-2 10L10 -2M-2 2L2 -2M6 10L10 6")));
}

/** How high a lane is: many lanes are thin, so that hundreds of pods fit a screen. */
function lane(lanes) {
  return lanes <= 6 ? 15 : lanes <= 14 ? 11 : lanes <= 30 ? 8 : 5;
}

/** The rows from top to bottom with their places, and how high it all is. Needs no element: heights are known before. */
function layout(drawing) {
  let y = LEVELS * LEVEL + 10;
  const nodes = drawing.nodes.map((node) => {
    const each = lane(node.lanes);
    const row = { node, top: y, each, height: Math.max(26, node.lanes * each + 8) };
    y += row.height + 3;
    return row;
  });
  const evictions = drawing.evictions.length ? y + 2 : null;
  if (evictions !== null) y += EVICTIONS + 4;
  const panels = drawing.panels.map((panel) => {
    const row = { panel, top: y + 4, height: PANEL };
    y += PANEL + 10;
    return row;
  });
  return { nodes, evictions, panels, axis: y, height: y + AXIS };
}

/** Draws the names at the left: they stay where they are when the rest is scrolled. */
function names(place, width) {
  // The end of a name tells worker2 from worker3.
  const cut = (text, size) => {
    const room = Math.max(4, Math.floor((width - 14) / size));
    return text.length > room ? "…" + text.slice(text.length - room + 1) : text;
  };
  const at = (y, text, kind = "name") => svg("text", { x: 8, y, class: kind }, kind === "name" ? cut(text, 6.4) : text, svg("title", {}, text));
  const all = svg("svg", { class: "t", width, height: place.height, "aria-hidden": "true" });
  for (const { node, top, height } of place.nodes) all.append(at(top + height / 2 + 4, node.name ?? "on no node"));
  if (place.evictions !== null) all.append(at(place.evictions + 14, "evictions"));
  for (const { panel, top } of place.panels) {
    all.append(at(top + 16, panel.name), at(top + 31, `${panel.unit} 0–${panel.top}`, "scale"));
  }
  return all;
}

/** Draws everything that goes with time. */
function times(drawing, place, width, label) {
  const length = Math.max(1, drawing.length_ms);
  const x = (ms) => PAD + (ms / length) * (width - 2 * PAD);
  const all = svg("svg", { class: "t", width, height: place.height, tabindex: 0, role: "application", "aria-label": label });
  for (const row of place.nodes) all.append(band(row, x, width));
  all.append(axis(length, x, place, width));
  drawing.gaps.forEach(([t, why]) => all.append(told(svg("line", { class: "gap", x1: x(t), x2: x(t), y1: LEVELS * LEVEL, y2: place.axis }), [clock(t), why])));
  all.append(points(drawing, x, place, width));
  drawing.pods.forEach((pod, i) => all.append(bar(pod, i, x, place.nodes[pod.node], length)));
  if (place.evictions !== null) {
    drawing.evictions.forEach(({ t, pod, reason }) => {
      const [px, y] = [x(t), place.evictions + 4];
      const tick = svg("path", { class: "eviction", d: `M${px - 4} ${y}h8l-4 9zM${px - .75} ${y + 8}h1.5v5h-1.5z` });
      all.append(told(tick, [drawing.pods[pod].name, `told to go at ${clock(t)}`, reason]));
    });
  }
  for (const row of place.panels) all.append(panel(row, x, length));
  return { all, x };
}

/** Gives an element what it says when it is pointed at: a title and lines. */
function told(element, lines) {
  element.told = lines.filter(Boolean);
  return element;
}

function band({ node, top, height }, x, width) {
  const group = svg("g", {}, svg("rect", { class: "bandrow", x: 0, y: top, width, height }));
  for (const [from, to, why] of node.closed) {
    const span = svg("rect", { class: "closed", x: x(from), y: top, width: Math.max(1, x(to) - x(from)), height });
    group.append(told(span, [`${node.name} ${why}`, `from ${clock(from)} to ${clock(to)}`]));
    group.append(svg("line", { class: "closed-edge", x1: x(from), x2: x(from), y1: top, y2: top + height }));
  }
  return group;
}

function bar(pod, i, x, row, length) {
  const [y, height] = [row.top + 4 + pod.lane * row.each, Math.max(3, row.each - 2)];
  const end = pod.gone ?? length;
  const begin = x(pod.stages[0][0]);
  const group = svg("g", { class: "pod", "data-pod": i });
  pod.stages.forEach(([from, stage], at) => {
    const to = pod.stages[at + 1]?.[0] ?? end;
    const wide = Math.max(at + 1 === pod.stages.length ? 2 : .6, x(to) - x(from));
    group.append(svg("rect", { class: stage, x: x(from), y, width: wide, height, rx: stage === "pending" ? 0 : 1.5 }));
  });
  group.append(svg("rect", { class: "frame", x: begin - 1, y: y - 1, width: Math.max(4, x(end) - begin + 2), height: height + 2, rx: 2 }));
  return told(group, story(pod, row.node));
}

/** What is to be said of a pod: where it was, what it was from when on, and why. */
function story(pod, node) {
  const stages = pod.stages.map(([from, stage]) => `${clock(from)}: ${STAGES[stage]}`);
  return [pod.name, node.name ? `on ${node.name}` : "", ...stages, pod.gone === undefined ? "there to the end" : `${clock(pod.gone)}: gone`, ...(pod.reasons ?? [])];
}

/** Steps with their number, marks with their name, both with a line. Marks have the first level for themselves; steps
 * take turns on the others, and a text is as long as the room up to the next on its level. */
function points(drawing, x, place, width) {
  const steps = drawing.steps.map(([t, text], i) => ({ at: x(t), t, text, number: i + 1 }));
  const marks = drawing.marks.map(([t, text]) => ({ at: x(t), t, text, level: 0 }));
  steps.forEach((step, i) => { step.level = 1 + (i % (LEVELS - 1)); });
  const next = new Map();
  const group = svg("g", {});
  // From right to left, so that each knows its neighbour.
  for (const point of [...steps.reverse(), ...marks.reverse()]) {
    const room = Math.floor(((next.get(point.level) ?? width + 8) - point.at - 20) / 5.8);
    next.set(point.level, point.at);
    const text = point.text.length <= room ? point.text : room > 6 ? point.text.slice(0, room - 1) + "…" : "";
    const one = told(label(point, text, place), [point.text, `${point.number ? `step ${point.number}` : "mark"} at ${clock(point.t)}`]);
    // A mark often stands at a step: its line lies above.
    if (point.number) group.prepend(one);
    else group.append(one);
  }
  return group;
}

function label(point, text, place) {
  const { at } = point;
  const y = 4 + point.level * LEVEL;
  if (point.number) {
    return svg("g", { class: "step" },
      svg("line", { x1: at, x2: at, y1: y + 7, y2: place.axis }),
      svg("circle", { cx: at, cy: y + 7, r: 6.5 }),
      svg("text", { class: "number", x: at, y: y + 10.2 }, point.number),
      svg("text", { x: at + 10, y: y + 11 }, text));
  }
  return svg("g", { class: "markpoint" },
    svg("line", { class: "mark-line faint", x1: at, x2: at, y1: y + 3, y2: LEVELS * LEVEL + 6 }),
    svg("line", { class: "mark-line", x1: at, x2: at, y1: LEVELS * LEVEL + 6, y2: place.axis }),
    svg("path", { d: `M${at} ${y + 2}l9 4.5l-9 4.5z`, fill: "var(--mark)" }),
    svg("text", { class: "mark", x: at + 12, y: y + 11 }, text));
}

/** Numbers as steps; each line has its own dash. */
function panel({ panel, top, height }, x, length) {
  const group = svg("g", { class: "panel" }, svg("line", { class: "rule", x1: x(0), x2: x(length), y1: top + height, y2: top + height }));
  const y = (value) => top + height - (value / Math.max(1, panel.top)) * (height - 6);
  panel.lines.forEach((line, i) => {
    if (!line.points.length) return;
    let d = `M${x(line.points[0][0])} ${y(line.points[0][1])}`;
    for (const [t, value] of line.points.slice(1)) d += `H${x(t)}V${y(value)}`;
    const kind = panel.lines.length === 1 ? "l1 only" : `l${i % 3}`;
    group.append(svg("path", { class: kind, d: d + `H${x(length)}` }));
  });
  const hit = svg("rect", { x: x(0), y: top, width: Math.max(1, x(length) - x(0)), height, fill: "transparent" });
  hit.values = (ms) => [`${panel.name}: ${panel.unit}`, ...panel.lines.map((line) => `${line.what}: ${line.points.filter(([t]) => t <= ms).pop()?.[1] ?? "–"}`)];
  group.append(hit);
  return group;
}

function axis(length, x, place, width) {
  const steps = [.1, .2, .5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600].map((s) => s * 1000);
  const step = steps.find((ms) => (ms / length) * width >= 64) ?? length;
  const group = svg("g", {}, svg("line", { class: "rule", x1: 0, x2: width, y1: place.axis, y2: place.axis }));
  for (let n = 0; n * step <= length; n += 1) {
    const at = x(n * step);
    const text = `${+(n * step / 1000).toFixed(1)}${n ? "" : " s"}`;
    const anchor = n === 0 ? "start" : at > width - 24 ? "end" : "middle";
    group.append(svg("line", { class: "rule", x1: at, x2: at, y1: place.axis, y2: place.axis + 4 }), svg("text", { x: at, y: place.axis + 16, "text-anchor": anchor }, text));
  }
  return group;
}
