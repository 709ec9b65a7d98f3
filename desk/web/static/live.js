"use strict";
// Keeps a page up to date: <tbody data-stream="/doors/events"> gets its rows by server-sent events.
// An event holds JSON: now (ms by the server's clock), rows (id → HTML of a <tr>, escaped by the
// server; one whose data-state differs flashes), ages (id of a row → ms of its <time>), gone (ids), and notes (id → HTML). Without this script the page reloads.

const clock = { ahead: 0 };

function age(ms) {
  if (ms < 10000) return (Math.max(0, ms) / 1000).toFixed(1) + " s";
  if (ms < 60000) return Math.round(ms / 1000) + " s";
  if (ms < 3600000) return Math.floor(ms / 60000) + " min";
  return ms < 86400000 ? Math.floor(ms / 3600000) + " h" : Math.floor(ms / 86400000) + " d";
}

function tick() {
  const now = Date.now() + clock.ahead;
  for (const each of document.querySelectorAll("[data-at]")) {
    const text = age(now - Number(each.dataset.at));
    if (each.textContent !== text) each.textContent = text;
  }
}

function put(body, id, html, heardBefore) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  const row = holder.content.firstElementChild;
  const old = document.getElementById(id);
  if (old) {
    const focused = old.contains(document.activeElement);
    if (heardBefore && old.dataset.state !== row.dataset.state) row.classList.add("changed");
    old.replaceWith(row);
    if (focused) row.querySelector("a, button")?.focus();
    return;
  }
  const after = [...body.children].find((each) => each.id > id);
  body.insertBefore(row, after ?? null);
}

function say(text, kind) {
  const state = document.getElementById("live");
  if (!state || state.textContent === text) return;
  state.textContent = text;
  state.className = "badge " + kind;
}

// <div id=… data-refresh-ms="2000"> is taken anew from its page every 2 s while somebody looks.
function refresh(id, everyMs) {
  setTimeout(async () => {
    try {
      if (!document.hidden) {
        // The header tells the server that nobody asked: the session may become idle.
        const answer = await fetch(location.href, { headers: { "X-Refresh": "1", Accept: "text/html" } });
        if (answer.redirected || !answer.ok) return say("not live: load the page again", "warn");
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        document.getElementById(id).replaceWith(page.getElementById(id));
        say("live", "good");
      }
    } catch {
      say("reconnecting", "warn");
    }
    refresh(id, everyMs);
  }, everyMs);
}

function follow(body) {
  const events = new EventSource(body.dataset.stream);
  let heard = Date.now();
  let heardBefore = false;
  events.addEventListener("rows", (event) => {
    const news = JSON.parse(event.data);
    clock.ahead = news.now - Date.now();
    for (const [id, html] of Object.entries(news.rows ?? {})) put(body, id, html, heardBefore);
    for (const [id, at] of Object.entries(news.ages ?? {})) {
      const time = document.getElementById(id)?.querySelector("[data-at]");
      if (time) time.dataset.at = at;
    }
    for (const id of news.gone ?? []) document.getElementById(id)?.remove();
    for (const [id, html] of Object.entries(news.notes ?? {})) {
      const note = document.getElementById(id);
      if (note && note.dataset.shown !== html) note.innerHTML = note.dataset.shown = html;
    }
    heard = Date.now();
    heardBefore = true;
    say("live", "good");
    tick();
  });
  events.addEventListener("error", () => {
    say(events.readyState === EventSource.CLOSED ? "not live: load the page again" : "reconnecting", "warn");
  });
  // A snapshot that has stopped must not pass for the present.
  setInterval(() => {
    if (Date.now() - heard > 8000 && events.readyState === EventSource.OPEN) say("stands still", "bad");
  }, 1000);
  addEventListener("pagehide", () => events.close());
}

for (const body of document.querySelectorAll("[data-stream]")) follow(body);
for (const each of document.querySelectorAll("[data-refresh-ms]")) refresh(each.id, Number(each.dataset.refreshMs));
setInterval(tick, 250);
