"use strict";
const SHOWN = 200; // rows of the table at first
const STATUS = ["OK", "DEGRADED", "LOST"];
const COLOURS = ["#2563eb", "#d9730d", "#0f9d76", "#9333ea", "#be185d", "#64748b"];
let data, drawing;

async function unpacked(id) {
  const packed = atob(document.getElementById(id).textContent);
  const bytes = Uint8Array.from(packed, (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

/** An element: attributes, then children that are elements or text, so nothing is taken as HTML. */
function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const number = (value, digits) => (value === undefined || value === null ? "" : value.toFixed(digits).replace(/^-(0(\.0*)?)$/, "$1"));
const link = (row) => "#" + encodeURIComponent(row.recording);
const time = (ms) => (ms ? new Date(ms).toISOString().slice(0, 16).replace("T", " ") : "");
const median = (values) => {
  const sorted = values.slice().sort((a, b) => a - b);
  return sorted.length ? sorted[Math.floor(sorted.length / 2)] : null;
};

/** plotly.js is unpacked when something is drawn for the first time. */
async function plot(element, traces, layout) {
  drawing = drawing || unpacked("plotly").then((text) => {
    document.head.append(make("script", {}, text));
  });
  await drawing;
  const axis = { gridcolor: style("--line"), zerolinecolor: style("--line"), automargin: true };
  const full = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: style("--ink"), family: "system-ui, sans-serif", size: 12 },
    margin: { l: 50, r: 14, t: 14, b: 40 }, showlegend: traces.some((each) => each.showlegend),
    legend: { orientation: "h", y: 1.02, yanchor: "bottom" },
    hoverlabel: { align: "left" },
  };
  for (const name of ["xaxis", "yaxis", "yaxis2", "yaxis3"]) {
    if (name in layout || !/\d/.test(name)) full[name] = { ...axis, ...layout[name] };
  }
  const rest = Object.fromEntries(Object.entries(layout).filter(([name]) => !name.includes("axis")));
  traces.forEach((each) => { each.showlegend = Boolean(each.showlegend); });
  await Plotly.newPlot(element, traces, { ...full, ...rest }, { responsive: true, displayModeBar: false });
}

// ---- the table of recordings

const columns = () => [
  { name: "recording", title: "recording", words: true },
  ...(data.settings.length > 1 ? [{ name: "settings", title: "settings", words: true }] : []),
  { name: "status", title: "status", words: true },
  ...(data.rows.some((row) => row.reason)
    ? [{ name: "reason", title: "reason", words: true }] : []),
  ...data.metrics.filter((metric) => data.rows.some((row) => row[metric.name] !== undefined)),
  ...(data.rows.some((row) => row.offset)
    ? [{ name: "row_offset", title: "row offset, px", digits: 2, value: (row) => row.offset && row.offset[0] }] : []),
  { name: "seconds", title: "time, s", digits: 1 },
  { name: "images", title: "images", digits: 0 },
  { name: "start", title: "start", text: (row) => time(row.start) },
  { name: "mode", title: "odometry", words: true },
];

function recordingsTable() {
  const shown = columns();
  const state = { by: shown.find((column) => column.name === "lost") || shown[0], down: true, most: SHOWN };
  const value = (row, column) => (column.value ? column.value(row) : row[column.name]);
  const filter = make("input", { type: "search", placeholder: "recordings whose name or reason has ...", "aria-label": "filter", oninput: fill });
  const settings = make("select", { "aria-label": "settings", onchange: fill }, make("option", { value: "" }, "all settings"),
    ...data.settings.map((each) => make("option", { value: each.name }, each.name)));
  const status = make("select", { "aria-label": "status", onchange: fill }, make("option", { value: "" }, "any status"),
    ...["done", "unusable", "failed", "missing"].map((each) => make("option", { value: each }, each)));
  const heads = shown.map((column) => make("th", { class: column.words ? "words" : null, "data-column": column.name },
    make("button", { type: "button", onclick: () => sort(column) }, column.title)));
  const body = make("tbody");
  const more = make("button", { type: "button", onclick: () => { state.most = Infinity; fill(); } });

  function sort(column) {
    state.down = state.by === column ? !state.down : !column.words;
    state.by = column;
    fill();
  }
  function compare(a, b) {
    const [x, y] = [value(a, state.by), value(b, state.by)];
    const lacking = (x === undefined || x === null || x === "") - (y === undefined || y === null || y === "");
    if (lacking) return lacking; // at the end, whichever way
    const order = typeof x === "string" ? x.localeCompare(y, undefined, { numeric: true }) : x - y;
    return state.down ? -order : order;
  }
  function fill() {
    const words = filter.value.toLowerCase();
    const rows = data.rows.filter((row) => (!settings.value || row.settings === settings.value) &&
      (!status.value || row.status === status.value) &&
      (!words || `${row.recording} ${row.source} ${row.reason}`.toLowerCase().includes(words)));
    rows.sort(compare);
    heads.forEach((head, index) => head.setAttribute("aria-sort",
      shown[index] !== state.by ? "none" : state.down ? "descending" : "ascending"));
    body.replaceChildren(...rows.slice(0, state.most).map((row) => make("tr", {}, ...shown.map((column) => cell(row, column)))));
    more.hidden = rows.length <= state.most;
    more.textContent = `show all ${rows.length}`;
  }
  function cell(row, column) {
    if (column.name === "recording") return make("td", { title: row.source }, make("a", { href: link(row) }, row.recording));
    if (column.name === "reason") { // nearly all begin with the source, which is long
      const short = row.reason.startsWith(`${row.source} `) ? row.reason.slice(row.source.length + 1) : row.reason;
      return make("td", { class: "reason", title: row.reason }, short);
    }
    const text = column.text ? column.text(row) : column.words ? row[column.name] || "" : number(value(row, column), column.digits);
    const kind = column.name === "status" ? `words ${row.status}` : column.words ? "words" : null;
    return make("td", { class: kind }, text);
  }
  fill();
  return [make("div", { class: "tools" }, filter, data.settings.length > 1 ? settings : null, status),
    make("div", { class: "card scroll" }, make("table", { id: "recordings" }, make("thead", {}, make("tr", {}, ...heads)), body)), more];
}

// ---- comparison of settings

function comparison() {
  if (!data.comparisons.length) return [];
  const metric = Object.fromEntries(data.metrics.map((each) => [each.name, each]));
  const rows = data.comparisons.map((each) => {
    const { digits, sign, title } = metric[each.metric];
    const { sure } = each;
    const verdict = !sure ? "no sure difference" : sign * each.difference > 0 ? "better" : "worse";
    const signed = (value) => (value >= 0 ? "+" : "\u2212") + Math.abs(value).toFixed(digits + 1);
    return make("tr", {}, make("td", {}, title), make("td", { class: "words" }, each.other),
      make("td", {}, number(each.before, digits + 1)), make("td", {}, number(each.after, digits + 1)),
      make("td", {}, signed(each.difference)), make("td", {}, `${signed(each.low)} to ${signed(each.high)}`),
      make("td", { class: `words ${sure ? verdict : ""}` }, verdict),
      make("td", {}, `${each.better} / ${each.worse} / ${each.pairs - each.better - each.worse}`));
  });
  const first = data.comparisons[0].first;
  const heads = ["", "settings", first, "these", "difference", "95 % interval", "verdict", "better / worse / same"];
  const chosen = make("select", { "aria-label": "metric", onchange: draw },
    ...data.metrics.filter((each) => data.comparisons.some((c) => c.metric === each.name))
      .map((each) => make("option", { value: each.name }, each.title)));
  const surest = data.comparisons.find((each) => each.sure);
  if (surest) chosen.value = surest.metric;
  const area = make("div", { class: "plot", id: "comparison-plot" });
  function draw() {
    const name = chosen.value;
    const before = new Map(data.rows.filter((row) => row.settings === first).map((row) => [row.recording, row[name]]));
    const traces = data.settings.slice(1).map((each, index) => {
      const pairs = data.rows.filter((row) => row.settings === each.name && row[name] !== undefined && before.get(row.recording) !== undefined);
      return { type: "scatter", mode: "markers", name: each.name, showlegend: true,
        x: pairs.map((row) => before.get(row.recording)), y: pairs.map((row) => row[name]), text: pairs.map((row) => row.recording),
        marker: { color: COLOURS[(index + 1) % COLOURS.length], size: 8, opacity: 0.75 },
        hovertemplate: `%{text}<br>${first}: %{x}<br>${each.name}: %{y}<extra></extra>` };
    });
    const values = traces.flatMap((each) => [...each.x, ...each.y]);
    const ends = [Math.min(...values), Math.max(...values)];
    traces.unshift({ type: "scatter", mode: "lines", x: ends, y: ends, hoverinfo: "skip", line: { color: style("--soft"), width: 1, dash: "dot" } });
    plot(area, traces, { xaxis: { title: { text: `${metric[name].title}: ${first}` } }, yaxis: { title: { text: "other settings" } } });
  }
  later(area, draw);
  return [make("h2", {}, "Settings compared"),
    make("p", { class: "soft" }, `Each setting beside ${first}, on the recordings that both could do. The interval is of the mean difference of pairs: recordings are resampled (bootstrap). Of fewer than six pairs nothing is said to be sure.`),
    make("div", { class: "card scroll" }, make("table", { id: "comparison" }, make("thead", {}, make("tr", {}, ...heads.map((each) => make("th", { class: ["settings", "verdict"].includes(each) ? "words" : null }, each)))), make("tbody", {}, ...rows))),
    make("div", { class: "card" }, make("div", { class: "tools" }, chosen), area)];
}

// ---- worst moments, calibration

function figure(moment) {
  return make("figure", {}, make("a", { href: link(moment) }, make("img", { src: moment.picture, alt: `reference, current image and matches: ${moment.recording}` })),
    make("figcaption", {}, make("b", { class: moment.status }, moment.status), ` ${moment.inliers} of ${moment.matches} matches are inliers, coverage ${moment.coverage} %`,
      make("br"), make("a", { href: link(moment) }, moment.recording), data.settings.length > 1 ? ` (${moment.settings})` : "", ` after ${moment.after.toFixed(2)} s`,
      moment.reason ? make("div", { class: "soft" }, moment.reason) : null));
}

function moments() {
  if (!data.moments.length) return [];
  return [make("h2", {}, "Worst moments"),
    make("p", { class: "soft" }, "Reference left, current image right; inliers coloured by their place in the reference, other matches grey."),
    make("div", { class: "gallery", id: "moments" }, ...data.moments.map(figure))];
}

function calibration() {
  const seen = new Set();
  const rows = data.rows.filter((row) => row.offset && !seen.has(row.recording) && seen.add(row.recording));
  const note = "How much lower the right image of a stereo pair has what the left one shows, before any match is rejected. Rectified by a calibration that holds it is zero; beyond half a pixel stereo depth suffers.";
  if (!rows.length) return [make("h2", {}, "Calibration"), make("p", { class: "soft" }, "No recording has left and right images.")];
  const dated = rows.every((row) => row.start);
  if (dated) rows.sort((a, b) => a.start - b.start);
  const area = make("div", { class: "plot", id: "calibration-plot" });
  later(area, () => {
    const cameras = [...new Set(rows.map((row) => row.camera))];
    plot(area, cameras.map((camera, index) => {
      const its = rows.filter((row) => row.camera === camera);
      return { type: "scatter", mode: "markers", name: `camera ${camera || "unknown"}`, showlegend: cameras.length > 1 && cameras.length < 12,
        x: its.map((row) => (dated ? new Date(row.start).toISOString() : row.recording)), y: its.map((row) => row.offset[0]),
        error_y: { type: "data", symmetric: false, array: its.map((row) => row.offset[2] - row.offset[0]), arrayminus: its.map((row) => row.offset[0] - row.offset[1]), thickness: 1, width: 2 },
        text: its.map((row) => row.recording), marker: { color: COLOURS[index % COLOURS.length], size: 7 },
        hovertemplate: "%{text}<br>%{y:.2f} px<extra></extra>" };
    }), { yaxis: { title: { text: "row offset, px" } }, xaxis: { showticklabels: dated } });
  });
  const table = make("table", { id: "cameras" }, make("thead", {}, make("tr", {}, ...["camera", "recordings", "row offset, px", "change, px"].map((each) => make("th", {}, each)))),
    make("tbody", {}, ...data.cameras.map((each) => make("tr", {}, make("td", {}, each.camera), make("td", {}, String(each.recordings)),
      make("td", {}, number(each.offset, 2)), make("td", { class: Math.abs(each.change) > 0.5 ? "worse" : null }, number(each.change, 2))))));
  return [make("h2", {}, "Calibration"), make("p", { class: "soft" }, note), make("div", { class: "card" }, area), make("div", { class: "card scroll" }, table),
    make("p", { class: "soft" }, "Points: medians of recordings, bars: quartiles of their images. A camera is known by its calibration. Change: median of the last third of its recordings less that of the first third, where all have dates.")];
}

/** Draw when an element comes into view, so that the page is there at once. */
function later(element, draw) {
  new IntersectionObserver((entries, observer) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    draw();
  }, { rootMargin: "300px" }).observe(element);
}

// ---- the page of a recording

function recordingPage(name) {
  const rows = data.rows.filter((row) => row.recording === name);
  if (!rows.length) return [make("p", {}, make("a", { href: "#" }, "All recordings")), make("p", {}, `There is no recording ${name}.`)];
  const done = rows.filter((row) => row.status === "done");
  const facts = [["status", (row) => row.status], ["images", (row) => number(row.images, 0)], ["length in time, s", (row) => number(row.seconds, 1)],
    ...data.metrics.map((metric) => [metric.title, (row) => number(row[metric.name], metric.digits)]),
    ["row offset, px", (row) => (row.offset ? number(row.offset[0], 2) : "")], ["its drift, px/min", (row) => number(row.offset_drift, 2)], ["matches off their row, %", (row) => number(row.off_row, 1)],
    ["odometry", (row) => row.mode || ""], ["length of the path", (row) => (row.length === undefined ? "" : `${row.length} ${row.metric ? "m" : "units"}`)]];
  const table = make("table", {}, make("thead", {}, make("tr", {}, make("th", {}, ""), ...rows.map((row) => make("th", {}, row.settings)))),
    make("tbody", {}, ...facts.map(([title, text]) => make("tr", {}, make("td", {}, title), ...rows.map((row) => make("td", {}, text(row)))))));
  const notes = [...new Set(rows.flatMap((row) => [row.reason, ...(row.notes || [])]).filter(Boolean))];
  const parts = [make("p", {}, make("a", { href: "#" }, "\u2190 All recordings")), make("h1", {}, name), make("p", { class: "soft" }, rows[0].source),
    notes.length ? make("div", { class: "card" }, make("ul", {}, ...notes.map((each) => make("li", {}, each)))) : null];
  if (done.length) {
    const area = make("div", { class: "plot tall", id: "time-plot" });
    parts.push(make("h2", {}, "Over time"), make("p", { class: "soft" }, "Each point is the worst of the images that it stands for; crosses are LOST."), make("div", { class: "card" }, area));
    later(area, () => timePlot(area, done));
  }
  if (done.some((row) => row.path.length > 1)) {
    const area = make("div", { class: "plot", id: "path-plot" });
    parts.push(make("h2", {}, "Path"), make("p", { class: "soft" }, "From above: x right, z forward, in the optical frame of the first image."), make("div", { class: "card" }, area));
    later(area, () => plot(area, done.filter((row) => row.path.length > 1).map((row) => ({
      type: "scatter", mode: "lines+markers", name: row.settings, showlegend: data.settings.length > 1, x: row.path.map((p) => p[0]), y: row.path.map((p) => p[1]),
      line: { color: colour(row), width: 2 }, marker: { size: 4 }, hovertemplate: "x %{x}, z %{y}<extra></extra>" })),
    { xaxis: { title: { text: "x" } }, yaxis: { title: { text: "z" }, scaleanchor: "x" } }));
  }
  const embedded = data.moments.filter((moment) => moment.recording === name);
  const known = new Set(embedded.map((moment) => `${moment.settings}/${moment.file}`));
  const beside = done.flatMap((row) => row.moments.filter((file) => !known.has(`${row.settings}/${file}`)).map((file) => [row, file]));
  if (embedded.length || beside.length) {
    parts.push(make("h2", {}, "Worst moments"), make("div", { class: "gallery" }, ...embedded.map(figure), ...beside.map(([row, file]) => {
      const shown = make("figure", {}, make("img", { src: ["recordings", row.recording, row.settings, file].map(encodeURIComponent).join("/"), alt: `matches of ${name}`,
        onerror: () => shown.remove() }), make("figcaption", {}, `${row.settings}: ${file}`));
      return shown;
    })));
  }
  parts.push(make("h2", {}, "Numbers"), make("div", { class: "card scroll" }, table));
  return parts;
}

const colour = (row) => COLOURS[data.settings.findIndex((each) => each.name === row.settings) % COLOURS.length];

function timePlot(area, rows) {
  const traces = [];
  const panels = [["i", "inliers", 1], ["c", "coverage, %", 1], ["o", "row offset, px", 100]]
    .filter(([key]) => rows.some((row) => row.curves[key]));
  const layout = { xaxis: { title: { text: "s" } }, hovermode: "x unified" };
  const height = 1 / panels.length;
  panels.forEach(([key, title, divide], panel) => {
    const axis = panel ? `y${panel + 1}` : "y";
    const top = 1 - panel * height;
    layout[panel ? `yaxis${panel + 1}` : "yaxis"] = { title: { text: title }, domain: [Math.max(0, top - height + 0.05), top], rangemode: key === "o" ? "normal" : "tozero" };
    for (const row of rows) {
      if (!row.curves[key]) continue;
      let at = 0;
      const t = row.curves.t.map((step) => (at += step) / 100);
      const status = (row.curves.s || []).map((each) => STATUS[each] || "");
      traces.push({ type: "scatter", mode: "lines+markers", name: row.settings, showlegend: !panel && data.settings.length > 1, legendgroup: row.settings,
        x: t, y: row.curves[key].map((value) => (value === null ? null : value / divide)), yaxis: axis, text: status,
        line: { color: colour(row), width: 1.5 },
        marker: { color: status.map((each) => (each === "LOST" ? "#dc2626" : each === "DEGRADED" ? "#f59e0b" : colour(row))), symbol: status.map((each) => (each === "LOST" ? "x" : "circle")), size: status.map((each) => (each === "LOST" ? 8 : 4)) },
        hovertemplate: `${title} %{y} %{text}<extra>${row.settings.replace(/[<>&]/g, "")}</extra>` });
    }
  });
  layout.xaxis.anchor = panels.length > 1 ? `y${panels.length}` : "y";
  plot(area, traces, layout);
}

// ---- all of it

function overview() {
  const done = data.rows.filter((row) => row.status === "done");
  const lost = done.filter((row) => row.lost > 0);
  const count = (status) => data.rows.filter((row) => row.status === status).length;
  const drift = median(done.filter((row) => row.drift !== undefined).map((row) => row.drift));
  const tile = (value, text) => make("div", { class: "tile" }, make("b", {}, value), make("span", {}, text));
  const versions = Object.entries(data.environment).map(([name, version]) => `${name} ${version}`).join(", ");
  return [make("h1", {}, "Fleet report"), make("p", { class: "soft" }, versions),
    make("div", { class: "tiles" }, tile(String(data.recordings), "recordings"),
      tile(done.reduce((sum, row) => sum + row.images, 0).toLocaleString("en"), "images matched"),
      tile(`${lost.length} of ${done.length}`, "lost matching somewhere"), drift === null ? null : tile(`${drift.toFixed(2)} %`, "median drift"),
      tile(String(count("unusable")), "cannot be used"), tile(String(count("failed")), "failed"),
      count("missing") ? tile(String(count("missing")), "not done yet") : null),
    make("p", { class: "soft" }, data.settings.map((each) => `${each.name}: ${Object.entries(each.values).map(([k, v]) => `${k} ${v}`).join(", ") || "defaults"}`).join("; ")),
    make("h2", {}, "Recordings"), ...recordingsTable(), ...comparison(), ...calibration(), ...moments()];
}

function route() {
  const name = decodeURIComponent(location.hash.slice(1));
  const [fleet, recording] = [document.getElementById("fleet"), document.getElementById("recording")];
  fleet.hidden = Boolean(name);
  recording.hidden = !name;
  if (name) {
    recording.replaceChildren(...recordingPage(name).filter(Boolean));
    scrollTo(0, 0);
  }
}

unpacked("data").then((text) => {
  data = JSON.parse(text);
  document.getElementById("fleet").replaceChildren(...overview());
  addEventListener("hashchange", route);
  route();
  document.documentElement.dataset.ready = "yes";
}).catch((error) => {
  const old = typeof DecompressionStream === "undefined";
  document.getElementById("loading").textContent = old
    ? "This browser is too old for the report (DecompressionStream): use one from 2023 or later."
    : `The report is damaged: ${error}`;
  throw error;
});
