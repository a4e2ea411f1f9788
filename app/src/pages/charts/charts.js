// The charts' cursor, one for all of them: by pointer and by keyboard. A stretch that is drawn over is
// zoomed into. The values stand in the page; nothing is asked for.
let cursor = null, anchor = null, dragging = false;

const charts = () => document.querySelector(".charts");
const plots = () => [...document.querySelectorAll(".plot")];

function frame() {
  const [from, period, periods, complete] = charts().dataset.window.split(" ").map(Number);
  return { from, period, periods, complete };
}

function setUp() {
  if (!charts()) return;
  for (const plot of plots()) {
    plot.setAttribute("role", "slider");
    plot.setAttribute("tabindex", "0");
    plot.setAttribute("aria-orientation", "horizontal");
    plot.setAttribute("aria-valuemin", "0");
    plot.setAttribute("aria-valuemax", frame().periods - 1);
    plot.setAttribute("aria-description", "Arrow keys move the cursor, with Shift they mark a stretch, Enter zooms into it");
  }
  show();
}

const zone = () => charts().dataset.zone;
function time(index) {
  const { from, period, periods, complete } = frame();
  const at = new Date(from + period * index);
  const day = period * periods > 86400000 ? { month: "short", day: "numeric" } : {};
  const words = at.toLocaleString("en-GB", { ...day, hour: "2-digit", minute: "2-digit", timeZone: zone() });
  return index < complete ? words : `${words}, not complete`;
}

// As the server writes them.
function words(unit, value) {
  if (unit === "count") {
    if (value >= 1e9) return `${(value / 1e9).toFixed(2)} G`;
    if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
    return Math.round(value).toLocaleString("en-US");
  }
  if (value < 1) return "<1 ms";
  if (value < 9.95) return `${value.toFixed(1)} ms`;
  return value < 999.5 ? `${value.toFixed(0)} ms` : `${(value / 1000).toFixed(2)} s`;
}

function show() {
  const { periods } = frame();
  if (cursor !== null) cursor = Math.max(0, Math.min(periods - 1, cursor));
  for (const plot of plots()) {
    const lines = [...plot.querySelectorAll("[data-values]")].reverse();
    const legend = [...plot.parentElement.querySelectorAll(".legend li")];
    const said = lines.map((line, place) => {
      const value = legend[place].querySelector(".legend__value");
      const text = cursor === null ? "" : line.dataset.values.split(" ")[cursor] ?? "";
      value.textContent =
        cursor === null ? value.dataset.whole : text === "" ? "no data" : words(plot.dataset.unit, Number(text));
      legend[place].classList.toggle("legend--at", cursor !== null);
      return `${legend[place].querySelector(".legend__name").textContent} ${value.textContent}`;
    });
    if (cursor === null) {
      plot.removeAttribute("aria-valuetext");
      plot.setAttribute("aria-valuenow", periods - 1);
    } else {
      plot.setAttribute("aria-valuenow", cursor);
      plot.setAttribute("aria-valuetext", `${time(cursor)}: ${said.join(", ")}`);
    }
    draw(plot.querySelector(".plot__frame"), periods);
  }
}

const SVG = "http://www.w3.org/2000/svg";
function shape(svg, name, wanted, attributes) {
  let node = svg.querySelector(`:scope > .plot__${name}`);
  if (!wanted) return void node?.remove();
  if (!node) {
    node = document.createElementNS(SVG, attributes.width ? "rect" : attributes.text ? "text" : "line");
    node.setAttribute("class", `plot__${name}`);
    svg.append(node);
  }
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "text") node.textContent = value;
    else node.setAttribute(key, value);
  }
}

function draw(svg, periods) {
  const at = (index) => `${(index * 100) / periods}%`;
  const middle = cursor === null ? 0 : cursor + 0.5;
  const side = middle > periods / 2 ? { x: at(middle), dx: -5, "text-anchor": "end" } : { x: at(middle), dx: 5, "text-anchor": "start" };
  const marked = cursor !== null && anchor !== null && anchor !== cursor;
  const first = Math.min(anchor, cursor), last = Math.max(anchor, cursor);
  shape(svg, "marked", marked, { x: at(first), width: at(last - first + 1), y: 14, height: 134 });
  shape(svg, "cursor", cursor !== null, { x1: at(middle), x2: at(middle), y1: 14, y2: 148 });
  shape(svg, "time", cursor !== null, { ...side, y: 24, text: cursor === null ? "" : time(cursor) });
}

function zoom() {
  const { from, period } = frame();
  const first = Math.min(anchor, cursor), last = Math.max(anchor, cursor);
  const address = new URL(charts().dataset.page, location.href);
  address.searchParams.delete("range");
  address.searchParams.set("from", from + first * period);
  address.searchParams.set("to", from + (last + 1) * period);
  location.assign(address);
}

function under(event, plot) {
  const box = plot.getBoundingClientRect();
  return Math.floor(((event.clientX - box.left) / box.width) * frame().periods);
}

const over_plot = (event) => event.target.closest?.(".plot");
addEventListener("pointerdown", (event) => {
  const plot = over_plot(event);
  if (!plot || event.button !== 0) return;
  dragging = plot;
  cursor = anchor = under(event, plot);
  show();
});
addEventListener("pointermove", (event) => {
  const plot = dragging || over_plot(event);
  if (plot) {
    cursor = under(event, plot);
    show();
  } else if (cursor !== null && !over_plot({ target: document.activeElement })) {
    cursor = anchor = null;
    if (charts()) show();
  }
});
addEventListener("pointerup", () => {
  if (!dragging) return;
  dragging = false;
  if (anchor !== cursor) zoom();
  anchor = null;
});
addEventListener("pointercancel", () => {
  dragging = false;
  cursor = anchor = null;
  if (charts()) show();
});

const STEPS = { ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, PageUp: 10, PageDown: -10, Home: -Infinity, End: Infinity };
addEventListener("keydown", (event) => {
  if (!over_plot(event) || event.ctrlKey || event.metaKey || event.altKey) return;
  const last = frame().periods - 1, step = STEPS[event.key];
  if (step !== undefined) {
    const from = cursor ?? (step > 0 ? -1 : last + 1);
    if (event.shiftKey) anchor ??= Math.max(0, Math.min(last, from));
    else anchor = null;
    cursor = Math.max(0, Math.min(last, from + step));
  } else if (event.key === "Escape") cursor = anchor = null;
  else if (event.key === "Enter" && anchor !== null && anchor !== cursor) return zoom();
  else return;
  event.preventDefault();
  show();
});
addEventListener("focusout", (event) => {
  if (!over_plot(event) || over_plot({ target: event.relatedTarget }) || dragging) return;
  cursor = anchor = null;
  show();
});
document.addEventListener("live", setUp);
setUp();

// The reader's own time zone is the one to begin with; it is noted once, and can be changed.
const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (own && !/(^|; )lockkeeper-tz=/.test(document.cookie)) {
  document.cookie = `lockkeeper-tz=${own}; path=/charts; max-age=31536000; samesite=lax`;
  if (charts() && own !== zone() && !new URLSearchParams(location.search).has("tz")) location.reload();
}
