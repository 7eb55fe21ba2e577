// The page: head, filters, table, and one article an arm, whose drawing is made when it comes into view.

const several = data.builds.length > 1;
const keys = data.builds.map((_, i) => i < 26 ? String.fromCharCode(65 + i) : `${i + 1}`);

/** Whether a verdict is as it should be; with the word for a change where one was found (cured, returned). */
function judged(outcome) {
  const kind = outcome.ok ? "good" : outcome.verdict === "inconclusive" ? "unclear" : "bad";
  const word = typeof outcome.change === "string" ? outcome.change.toUpperCase() : "UNEXPECTED";
  return { kind, word: outcome.ok ? "" : word, text: outcome.ok ? "as expected" : `${word}: ${outcome.expected} was expected` };
}

function badge(outcome) {
  const { kind } = judged(outcome);
  return make("span", { class: `verdict ${kind}` }, make("span", { "aria-hidden": "true" }, SIGNS[kind]), outcome.verdict);
}

function flag(outcome, long) {
  const { kind, word, text } = judged(outcome);
  return word && make("span", { class: `flag ${kind}` }, long ? text : word);
}

function head() {
  const builds = several && make("ul", { class: "builds", "aria-label": "Builds" },
    ...data.builds.map((build, i) => make("li", {}, make("span", { class: "key" }, keys[i]), build.label)));
  document.getElementById("top").append(
    make("div", { class: "top" }, make("h1", {}, "kubeclash report"), theme()),
    make("p", { class: "counts" }, data.counts),
    builds || make("p", { class: "soft" }, data.builds[0]?.label ?? ""),
    filters());
}

const chosen = { case: "", arm: "", build: "", verdict: "", unexpected: false };

function filters() {
  const change = () => { apply(); };
  const select = (name, label, options) => {
    const box = make("select", { id: `by-${name}` }, make("option", { value: "" }, "all"), ...options.map(([value, text]) => make("option", { value }, text)));
    box.addEventListener("change", () => { chosen[name] = box.value; change(); });
    return make("label", {}, label, box);
  };
  const distinct = (pick) => [...new Set(data.runs.map(pick))];
  const tick = make("input", { type: "checkbox", id: "unexpected" });
  tick.addEventListener("change", () => { chosen.unexpected = tick.checked; change(); });
  return make("div", { class: "filters", role: "group", "aria-label": "Filters" },
    select("case", "Case", distinct((run) => run.outcome.case).map((name) => [name, name])),
    select("arm", "Arm", distinct((run) => run.outcome.arm).map((name) => [name, name])),
    several && select("build", "Build", data.builds.map((build, i) => [`${i}`, `${keys[i]}: ${build.label}`])),
    select("verdict", "Verdict", distinct((run) => run.outcome.verdict).map((name) => [name, name])),
    make("label", { class: "tick" }, tick, "unexpected only"),
    make("span", { class: "shown", id: "shown", role: "status" }));
}

function wanted(run) {
  const { outcome } = run;
  return (!chosen.case || outcome.case === chosen.case) && (!chosen.arm || outcome.arm === chosen.arm)
    && (!chosen.verdict || outcome.verdict === chosen.verdict) && (!chosen.build || `${run.build}` === chosen.build)
    && !(chosen.unexpected && outcome.ok);
}

/** Shows what the filters let through: articles, rows of the table, and cells of its builds. */
function apply() {
  const shown = new Set(data.runs.filter(wanted).map((run) => run.id));
  for (const run of data.runs) document.getElementById(run.id).hidden = !shown.has(run.id);
  for (const row of document.querySelectorAll(".arms tbody tr")) {
    const cells = [...row.querySelectorAll("[data-run]")];
    for (const cell of cells) cell.hidden = !shown.has(cell.dataset.run);
    row.hidden = cells.length > 0 && cells.every((cell) => cell.hidden);
  }
  document.getElementById("shown").textContent = `${shown.size} of ${data.runs.length} shown`;
}

/** Rows: case and arm. Columns: the builds, or for one build its figures. */
function table() {
  const rows = new Map();
  for (const run of data.runs) {
    const key = `${run.outcome.case} ${run.arm}`;
    rows.set(key, [...(rows.get(key) ?? []), run]);
  }
  const columns = several ? data.builds.map((build, i) => `${keys[i]}: ${build.label}`) : ["Verdict", "Key figures", "Time"];
  const body = make("tbody");
  for (const runs of rows.values()) {
    for (const part of several ? [runs] : runs.map((run) => [run])) body.append(row(part));
  }
  for (const [title, error] of data.errors) {
    body.append(make("tr", {}, make("td", {}, make("b", {}, title)), make("td", {}, make("span", { class: "verdict bad" }, "✗ failed")),
      make("td", { class: "figures", colspan: Math.max(1, columns.length) }, error.split("\n")[0])));
  }
  return make("div", { class: "table" }, make("table", { class: "arms" },
    make("thead", {}, make("tr", {}, ...["Case", "Arm", ...columns].map((text) => make("th", { scope: "col" }, text)))), body));
}

function row(runs) {
  const [{ outcome, case_id, arm }] = runs;
  const link = (run, text) => make("a", { class: "arm", href: `#${run.id}` }, text);
  const cell = (run, figures) => make("div", { class: "cell", "data-run": run.id },
    make("a", { href: `#${run.id}`, class: "arm", "aria-label": `${run.case_id} ${run.arm}: ${run.outcome.verdict}` }, badge(run.outcome)), flag(run.outcome, false),
    figures && run.numbers.length > 0 && make("small", {}, run.numbers.slice(0, 2).join(" · ")));
  const cells = several
    ? data.builds.map((_, i) => make("td", { class: "verdicts", "data-label": `Build ${keys[i]}` }, ...runs.filter((run) => run.build === i).map((run) => cell(run, true))))
    : [make("td", { class: "verdicts" }, cell(runs[0], false)),
      make("td", { class: "figures" }, runs[0].numbers.slice(0, 4).join(" · ")),
      make("td", { class: "time", "data-label": "time" }, runs[0].times.at(-1)[1])];
  return make("tr", {}, make("td", {}, make("b", {}, case_id), " ", make("span", { class: "soft" }, outcome.case.slice(case_id.length + 1).replaceAll("_", " "))),
    make("td", {}, link(runs[0], arm)), ...cells);
}

function article(run) {
  const { outcome } = run;
  const parts = make("article", { id: run.id, "aria-labelledby": `${run.id}--h` },
    make("header", {},
      make("h3", { id: `${run.id}--h` }, make("a", { href: `#${run.id}` }, `${outcome.case} ${run.arm}`)),
      badge(outcome), flag(outcome, true),
      several && make("span", { class: "soft" }, make("span", { class: "key" }, keys[run.build]), data.builds[run.build].label)),
    data.titles[outcome.case] && make("p", { class: "title soft" }, data.titles[outcome.case]),
    make("p", { class: "why" }, outcome.why),
    outcome.fight && make("p", { class: "fight" }, make("b", {}, "Fight: "), outcome.fight),
    run.note && make("p", { class: "note" }, run.note));
  if (run.drawing) parts.append(figure(run));
  const facts = run.numbers.map((text) => {
    const [name, ...value] = text.split(" ");
    return make("li", {}, name.replaceAll("_", " "), " ", make("b", {}, value.join(" ")));
  });
  parts.append(make("ul", { class: "facts", "aria-label": "Facts" }, ...facts,
    ...run.times.map(([what, time]) => make("li", { class: "soft" }, what, " ", time)),
    make("li", { class: "soft" }, `${outcome.provider}, ${outcome.pace} pace`)));
  const deeds = outcome.attribution ?? [];
  if (deeds.length) {
    parts.append(folded(`Who did what (${deeds.length})`, () => [grid(["who", "did", "to what", "which", "times", "a minute", "seen in"],
      deeds.map((deed) => [deed.actor, deed.does, deed.object, deed.detail ?? "", deed.count, deed.per_min?.toFixed(1) ?? "", deed.seen_in]))]));
  }
  parts.append(folded("Components and evidence", () => [
    grid(["component", "version", "origin", "SHA-256"], Object.entries(outcome.components).map(([name, part]) => [name, part.version, part.origin, part.sha256])),
    make("p", { class: "soft" }, "Evidence: ", make("code", {}, outcome.evidence))]));
  if (run.drawing) {
    const { steps, marks, pods, nodes } = run.drawing;
    parts.append(folded(`Steps (${steps.length}) and pods (${pods.length}) as tables`, () => [
      grid(["", "step or mark", "at"], [...steps.map(([t, text], i) => [`${i + 1}`, text, t]), ...marks.map(([t, text]) => ["▸", text, t])]
        .sort((a, b) => a[2] - b[2]).map(([n, text, t]) => [n, text, clock(t)])),
      grid(["pod", "what it was, from when on"], pods.map((pod) => { const [name, ...rest] = story(pod, nodes[pod.node]).filter(Boolean); return [name, rest.join("; ")]; }))]));
  }
  return parts;
}

/** A drawing with its legend. Its height is known before it is drawn, so nothing moves when it is. */
function figure(run) {
  const { drawing } = run;
  const place = layout(drawing);
  const box = make("div", { class: "drawing" });
  box.style.minHeight = `${place.height + 2}px`;
  const used = new Set(drawing.pods.flatMap((pod) => pod.stages.map(([, stage]) => stage)));
  const swatch = (stage) => make("span", {}, svg("svg", { width: 22, height: 11, "aria-hidden": "true" }, svg("rect", { class: stage, x: .5, y: .5, width: 21, height: 10, rx: 1.5 })), STAGES[stage]);
  const stroke = (kind, text) => make("span", {}, svg("svg", { width: 24, height: 8, "aria-hidden": "true" }, svg("path", { class: kind, d: "M0 4H24" })), text);
  const lines = drawing.panels.find((panel) => panel.lines.length > 1)?.lines ?? [];
  const zoom = { by: 1 };
  const draw = () => render(run, box, place, zoom.by);
  const button = (text, label, by) => {
    const one = make("button", { type: "button", "aria-label": label, title: label }, text);
    one.addEventListener("click", () => { zoom.by = by ? Math.min(16, Math.max(1, zoom.by * by)) : 1; draw(); });
    return one;
  };
  const closed = drawing.nodes.some((node) => node.closed.length) && make("span", {}, svg("svg", { width: 22, height: 11, "aria-hidden": "true" }, svg("rect", { class: "bandrow", width: 22, height: 11 }), svg("rect", { class: "closed", width: 22, height: 11 })), "node cordoned or tainted");
  const left = [[drawing.pods_left_out, "more pods are not drawn"], [drawing.nodes_left_out, "more nodes had no pods"]];
  const fold = make("figure", {}, box, make("figcaption", { class: "legend" },
    ...Object.keys(STAGES).filter((stage) => used.has(stage)).map(swatch), closed,
    ...lines.map((line, i) => stroke(`l${i % 3}`, line.what)),
    ...left.filter(([count]) => count > 0).map(([count, what]) => make("span", {}, `${count} ${what}`)),
    make("span", { class: "zoom" }, button("−", "Zoom out", .5), button("+", "Zoom in", 2), button("1:1", "Whole time", 0))));
  box.draw = draw;
  watcher.observe(box);
  return fold;
}

function render(run, box, place, zoom) {
  const { drawing } = run;
  const gutter = matchMedia("(max-width: 44rem)").matches ? 84 : 138;
  box.style.setProperty("--gutter", `${gutter}px`);
  const room = Math.max(120, box.clientWidth - gutter);
  const width = Math.round(Math.max(room, gutter < 100 ? 560 : 0) * zoom);
  const scroll = make("div", { class: "time" });
  const rows = drawing.nodes.filter((node) => node.name).length;
  const { all, x } = times(drawing, place, width,
    `Timeline of ${run.case_id} ${run.arm}: ${drawing.pods.length} pods on ${rows} nodes, ${drawing.evictions.length} evictions, ${clock(drawing.length_ms)}. Arrow keys go from pod to pod.`);
  scroll.append(all);
  const middle = box.querySelector(".time");
  const share = middle ? (middle.scrollLeft + middle.clientWidth / 2) / middle.scrollWidth : 0;
  box.replaceChildren(make("div", { class: "names" }, names(place, gutter - 1)), scroll);
  if (share) scroll.scrollLeft = share * scroll.scrollWidth - scroll.clientWidth / 2;
  box.dataset.drawn = width;
  box.room = box.clientWidth;
  pointing(all, drawing, x, place);
}

/** Details where one points, taps, or goes with the arrow keys. */
function pointing(all, drawing, x, place) {
  const cross = svg("line", { class: "cross", y1: 0, y2: place.axis, x1: -9, x2: -9 });
  all.append(cross);
  const length = Math.max(1, drawing.length_ms);
  const look = (event) => {
    const at = event.clientX - all.getBoundingClientRect().left;
    const ms = Math.min(length, Math.max(0, ((at - x(0)) / (x(length) - x(0))) * length));
    cross.setAttribute("x1", at);
    cross.setAttribute("x2", at);
    let element = event.target;
    while (element !== all && !element.told && !element.values) element = element.parentNode;
    const lines = element.told ?? (element.values ? [...element.values(ms), `at ${clock(ms)}`] : [clock(ms)]);
    show(lines, event.clientX, event.clientY);
  };
  const leave = () => { hide(); cross.setAttribute("x1", -9); cross.setAttribute("x2", -9); };
  all.addEventListener("pointermove", look);
  all.addEventListener("pointerdown", look);
  all.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") leave(); });
  all.addEventListener("blur", () => { mark(-1); leave(); });
  const bars = [...all.querySelectorAll(".pod")];
  const rows = drawing.pods.map((pod, i) => [pod.node, pod.lane, pod.stages[0][0], i]).sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]).map((key) => key[3]);
  let now = -1;
  const mark = (i) => {
    bars[now]?.classList.remove("now");
    now = i;
    const one = bars[now];
    if (!one) return;
    one.classList.add("now");
    one.scrollIntoView({ block: "nearest", inline: "nearest" });
    const frame = one.getBoundingClientRect();
    show(one.told, Math.max(8, frame.left), frame.bottom);
    document.getElementById("said").textContent = one.told.join(", ");
  };
  all.addEventListener("keydown", (event) => {
    const next = (list, by) => list[Math.min(list.length - 1, Math.max(0, now < 0 ? 0 : list.indexOf(now) + by))] ?? -1;
    const byTime = drawing.pods.map((_, i) => i);
    const go = { ArrowRight: () => next(byTime, 1), ArrowLeft: () => next(byTime, -1), ArrowDown: () => next(rows, 1), ArrowUp: () => next(rows, -1), Home: () => 0, End: () => bars.length - 1, Escape: () => -1 }[event.key];
    if (!go) return;
    event.preventDefault();
    if (event.key === "Escape") hide();
    mark(go());
  });
}

const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting && !target.dataset.drawn) target.draw();
  }
}, { rootMargin: "600px" });

function everything() {
  for (const box of document.querySelectorAll(".drawing")) if (!box.dataset.drawn && box.clientWidth) box.draw();
}

head();
document.getElementById("main").append(patterns(), ...(data.left_out.length ? [folded(`Left out (${data.left_out.length})`, () => data.left_out.map((text) => make("p", { class: "note" }, text)))] : []),
  table(), ...data.runs.map(article),
  ...data.errors.map(([title, error]) => make("article", {}, make("header", {}, make("h3", {}, `${title} failed`)), make("pre", { class: "code scroll" }, error))),
  make("p", { class: "soft" }, `Made by kubeclash ${data.version}. Times count from the scenario's first step.`));
apply();
addEventListener("beforeprint", everything);
addEventListener("resize", () => {
  hide();
  for (const box of document.querySelectorAll(".drawing[data-drawn]")) if (box.clientWidth && box.clientWidth !== box.room) box.draw();
});
// The addressed article is there only now.
if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
