// What pages have in common: their data, a button for the theme, a tip where one points, parts that fold, plain tables.

const data = JSON.parse(document.getElementById("data").textContent);
const tip = document.getElementById("tip");
const SIGNS = { good: "✓", bad: "✗", unclear: "?" };

/** The button that goes from the system's theme to light to dark; what was chosen is remembered. */
function theme() {
  const button = make("button", { id: "theme", type: "button" });
  const order = ["auto", "light", "dark"];
  const set = (name) => {
    button.textContent = `Theme: ${name}`;
    if (name === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    try { localStorage.setItem("kubeclash-theme", name); } catch { /* A page from a file may have no storage. */ }
  };
  let now = "auto";
  try { now = localStorage.getItem("kubeclash-theme") ?? "auto"; } catch { /* as above */ }
  set(order.includes(now) ? now : "auto");
  button.addEventListener("click", () => set(order[(order.findIndex((name) => button.textContent.endsWith(name)) + 1) % 3]));
  return button;
}

/** A part that is made when it is first opened. */
function folded(title, inner) {
  const fold = make("details", {}, make("summary", {}, title));
  fold.addEventListener("toggle", () => { if (fold.open && fold.children.length === 1) fold.append(...inner()); });
  return fold;
}

function grid(head, rows) {
  return make("div", { class: "scroll" }, make("table", { class: "plain" },
    make("thead", {}, make("tr", {}, ...head.map((text) => make("th", { scope: "col" }, text)))),
    make("tbody", {}, ...rows.map((cells) => make("tr", {}, ...cells.map((text) => make("td", {}, text)))))));
}

function show(lines, left, top) {
  const [title, ...rest] = lines.filter(Boolean);
  tip.replaceChildren(make("b", {}, title), ...rest.map((line) => make("div", {}, line)));
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  const below = top + 16 + height < innerHeight;
  tip.style.transform = `translate(${Math.max(8, Math.min(left + 12, innerWidth - width - 8))}px, ${below ? top + 14 : Math.max(4, top - height - 12)}px)`;
}

function hide() {
  tip.hidden = true;
}
