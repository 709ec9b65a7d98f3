"use strict";
// The plots of throughput, and figures that follow: <div data-events> gets its HTML, escaped by the
// server, with each look of the desk; the plots get one more value of each curve.

const KEPT_S = 3600;
const plots = {};

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function options(width, plot) {
  const clock = (_, times) => times.map((at) => new Date(at * 1000).toISOString().slice(11, 19));
  const axis = { stroke: () => colour("--quiet"), grid: { stroke: () => colour("--line"), width: 1 }, ticks: { show: false } };
  return {
    width,
    height: 180,
    legend: { show: false },
    scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.1 : 1] } },
    axes: [{ ...axis, values: clock, space: 80, size: 32 }, { ...axis, size: 56 }],
    series: [
      {},
      ...plot.names.map((label, i) => ({ label, stroke: () => colour(`--curve${i + 1}`), width: 2, points: { show: false } })),
    ],
  };
}

function draw(figure, at, plot, columns) {
  const svg = figure.querySelector("svg");
  const width = svg.clientWidth;
  const holder = document.createElement("div");
  holder.setAttribute("role", "img");
  holder.setAttribute("aria-label", svg.getAttribute("aria-label"));
  svg.replaceWith(holder);
  figure.querySelector(".scale")?.remove();
  plots[figure.dataset.plot] = { drawn: new uPlot(options(width, plot), [at, ...columns], holder), holder };
}

function append(news) {
  for (const [key, { drawn }] of Object.entries(plots)) {
    const data = [news.at, ...news.columns[key]].map((more, i) => [...drawn.data[i], ...more]);
    const begin = data[0].findIndex((at) => at > data[0][data[0].length - 1] - KEPT_S);
    drawn.setData(data.map((column) => column.slice(begin)));
  }
}

async function curves(holder) {
  const answer = await fetch(holder.dataset.curves, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`curves: ${answer.status}`);
  return answer.json();
}

// What came while there was no stream is not in any event.
async function catchUp(holder) {
  const found = await curves(holder);
  for (const [key, { drawn }] of Object.entries(plots)) drawn.setData([found.at, ...found.columns[key]]);
}

async function start(holder) {
  const found = await curves(holder);
  for (const figure of holder.querySelectorAll("[data-plot]")) {
    const key = figure.dataset.plot;
    draw(figure, found.at, found.plots[key], found.columns[key]);
  }
  addEventListener("resize", () => {
    for (const { drawn, holder: place } of Object.values(plots)) drawn.setSize({ width: place.clientWidth, height: 180 });
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const { drawn } of Object.values(plots)) drawn.redraw(false);
  });
}

function follow(holder) {
  const events = new EventSource(holder.dataset.events);
  const state = document.getElementById("live-figures");
  const say = (text, kind) => {
    state.hidden = false;
    state.textContent = text;
    state.className = "badge " + kind;
  };
  events.addEventListener("look", (event) => {
    const news = JSON.parse(event.data);
    // A table that somebody scrolls or reads with the keyboard is not taken away.
    if (!holder.contains(document.activeElement)) holder.innerHTML = news.html;
    append(news);
  });
  events.addEventListener("open", () => {
    say("live", "good");
    if (Object.keys(plots).length) catchUp(places).catch(() => {});
  });
  events.addEventListener("error", () => {
    say(events.readyState === EventSource.CLOSED ? "not live: load the page again" : "reconnecting", "warn");
  });
  addEventListener("pagehide", () => events.close());
}

const places = document.getElementById("plots");
const ready = places && window.uPlot ? start(places).catch(() => {}) : Promise.resolve();
ready.then(() => follow(document.getElementById("figures")));
