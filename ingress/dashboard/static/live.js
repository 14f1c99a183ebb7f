// Follows the stream of changed keys. A row that is shown is fetched again; a new one is announced and waits,
// so that no list moves under the reader's hand.
import { clock, duration } from "./times.js";

const STALE_MS = 8000;
const CONNECT_AGAIN_MS = 2000;
const SAID_MS = 5000;
// The line at the top is fetched again after a change, at most so often, and when only the time went by.
const LINE_MS = 1000;
const LINE_AT_LEAST_MS = 60000;
// In a storm, so many new issues are looked at for being critical in `SAID_MS`.
const MAX_LOOKED_AT = 5;

export function followStream() {
  const live = document.getElementById("live");
  if (!live) return;
  const text = live.querySelector(".live-text");
  const unseen = new Set();
  const notFetched = new Set();
  let beatAt = Date.now();
  let ended = false;
  let saidAt = 0;
  let lookedAt = [];
  let lineAt = Date.now();
  let lineWaits = false;

  const show = () => {
    const silent = Date.now() - beatAt;
    const state = ended ? "ended" : silent < STALE_MS ? "live" : "stale";
    // The seconds are not read aloud; that the page became stale, or live again, is.
    const before = live.dataset.state;
    live.dataset.state = state;
    text.textContent = {
      live: `live · ${duration(silent / 1000)}`,
      stale: `stale since ${clock(new Date(beatAt))}, retrying`,
      ended: "signed out: reload the page",
    }[state];
    if (before && before !== state) document.getElementById("announcer").textContent = text.textContent;
  };

  const announce = (kind) => {
    for (const section of document.querySelectorAll(`[data-announce="${kind}"]`)) {
      const news = section.querySelector(".news");
      news.hidden = false;
      news.textContent = `${unseen.size} new: show`;
    }
    if (Date.now() - saidAt < SAID_MS) return;
    saidAt = Date.now();
    document.getElementById("announcer").textContent = `${unseen.size} new`;
  };

  // A new critical issue interrupts once, on whichever page; all else is said when the reader is ready.
  const alarmIfCritical = async (id) => {
    lookedAt = lookedAt.filter((at) => Date.now() - at < SAID_MS);
    if (lookedAt.length >= MAX_LOOKED_AT) return;
    lookedAt.push(Date.now());
    const stream = new URL(live.getAttribute("hx-sse:connect"), location.href).pathname;
    const answer = await fetch(`${stream.replace(/stream$/, "issues/")}${id}/row`, { headers: { "HX-Request": "true" } });
    if (!answer.ok) return;
    const row = new DOMParser().parseFromString(`<table>${await answer.text()}</table>`, "text/html");
    const is = (column, word) => row.querySelector(`.col-${column}`)?.textContent.trim().startsWith(word);
    if (is("severity", "Critical") && is("status", "Triggered")) {
      document.getElementById("alarm").textContent = `New critical issue: ${row.querySelector(".row-link").textContent}`;
    }
  };

  const fetchShown = (id) => {
    const shown = document.querySelectorAll(`[data-issue="${CSS.escape(id)}"]`);
    for (const element of shown) element.dispatchEvent(new CustomEvent("changed"));
    return shown.length > 0;
  };

  const fetchLine = () => {
    if (lineWaits) return;
    lineWaits = true;
    setTimeout(() => {
      lineWaits = false;
      lineAt = Date.now();
      document.getElementById("headline").dispatchEvent(new CustomEvent("changed"));
    }, Math.max(0, lineAt + LINE_MS - Date.now()));
  };

  // What could not be fetched is asked for again after the next beat, which says that the service is there. The
  // extension connects a stream again that broke, but not one that never began.
  const tryAgain = ({ target, detail }) => {
    const status = detail.ctx?.response?.status ?? 0;
    if (status && status < 500 && status !== 429) return;
    if (target === live) setTimeout(() => live.dispatchEvent(new CustomEvent("again")), CONNECT_AGAIN_MS);
    else if (target.id === "headline") lineAt = 0;
    else if (target.dataset?.issue) notFetched.add(target.dataset.issue);
  };

  document.addEventListener("htmx:error", tryAgain);
  document.addEventListener("htmx:response:error", tryAgain);
  document.addEventListener("htmx:sse:before:connection", (event) => {
    if (ended) event.preventDefault();
  });
  document.addEventListener("beat", () => {
    beatAt = Date.now();
    show();
    const again = [...notFetched];
    notFetched.clear();
    again.forEach(fetchShown);
    if (beatAt - lineAt > LINE_AT_LEAST_MS) fetchLine();
  });
  document.addEventListener("issue", (event) => {
    beatAt = Date.now();
    const [id] = event.detail.data.split(",");
    fetchLine();
    if (!fetchShown(id)) {
      if (!unseen.has(id)) alarmIfCritical(id);
      unseen.add(id);
      announce("issue");
    }
  });
  document.addEventListener("ended", () => {
    ended = true;
    show();
  });
  show();
  setInterval(show, 1000);
}
