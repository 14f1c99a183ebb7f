// The keyboard: a cursor on rows, keys for what pages and issues offer, a palette, and help. Single keys are
// silent while somebody types, and can be switched off (WCAG 2.1.4). Nothing here can't be done without it.
const OFF = "calmo-keys-off";
const CURSOR = `calmo-cursor:${location.pathname}`;
const HELP = [
  ["j k", "next, previous row"], ["Enter", "open"], ["x", "select the row"], ["a", "acknowledge"],
  ["r", "resolve"], ["e", "escalate"], ["n", "write a note"], ["[ ]", "newer, older issue"],
  ["/", "search"], ["g and a letter", "go to a page"], ["Ctrl K", "find a page or an issue"],
  ["t", "change the theme"], ["?", "this help"],
];
const selected = new Set();
let isGoing = false;

const store = (kind) => { try { return window[kind]; } catch { return undefined; } };
const isOff = () => store("localStorage")?.getItem(OFF) === "yes";
const rows = () => [...document.querySelectorAll("tbody tr:has(.row-link)")];
const linkOf = (row) => row?.querySelector(".row-link");
const current = () => document.activeElement?.closest("tbody tr:has(.row-link)");
const keyOf = (row) => row?.id ?? "";
const issueOf = (row) => row?.dataset.issue;
const say = (text) => { document.getElementById("announcer").textContent = text; };

function make(tag, attributes = {}, ...children) {
  const element = Object.assign(document.createElement(tag), attributes);
  element.append(...children);
  return element;
}

// The cursor is the row whose link has the focus. It is found again by its issue, wherever the row went.
function move(step) {
  const all = rows();
  if (!all.length) return;
  const remembered = all.find((row) => keyOf(row) && keyOf(row) === store("sessionStorage")?.getItem(CURSOR));
  const from = current() ?? remembered;
  const next = from ? all[Math.min(Math.max(all.indexOf(from) + step, 0), all.length - 1)] : all[0];
  linkOf(next).focus();
  next.scrollIntoView({ block: "nearest" });
}

function remember(event) {
  const row = event.target.closest?.("tbody tr:has(.row-link)");
  if (keyOf(row)) store("sessionStorage")?.setItem(CURSOR, keyOf(row));
}

function showSelected() {
  for (const row of rows()) row.toggleAttribute("data-selected", selected.has(issueOf(row)));
}

function select() {
  const id = issueOf(current());
  if (!id) return;
  if (!selected.delete(id)) selected.add(id);
  showSelected();
  say(`${selected.size} selected`);
}

function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// With a selection, all of it; else the row under the cursor. The page then says what became of each.
async function acknowledge() {
  const ids = selected.size ? [...selected] : [issueOf(current())].filter(Boolean);
  if (!ids.length) return;
  const root = document.querySelector(".brand").pathname.replace(/\/now$/, "");
  const csrf = document.querySelector("[name=csrf]").value;
  say(`Acknowledging ${ids.length}`);
  for (const id of ids) {
    const body = new URLSearchParams({ csrf, idempotency_key: newKey(), back: location.pathname + location.search });
    await fetch(`${root}/issues/${id}/act/acknowledge`, { method: "POST", body, redirect: "manual" });
  }
  location.reload();
}

function act(key) {
  const offered = document.querySelector(`[data-act="${key}"]`);
  if (offered) return offered.click();
  if (key === "n" && document.querySelector("[data-key-target=n]")) return document.querySelector("[data-key-target=n]").focus();
  const link = linkOf(current());
  if (!issueOf(current())) return undefined;
  if (key === "a") return acknowledge();
  location.href = link.pathname + { r: "/act/resolve", e: "/act/escalate", n: "#note" }[key];
  return undefined;
}

const pages = () => [...document.querySelectorAll(".menu a, .submenu a")].map((link) => [link.textContent.trim(), link.href]);

function dialog(name, ...children) {
  document.querySelector("dialog.keys")?.remove();
  const found = make("dialog", { className: "keys", ariaLabel: name }, ...children);
  found.addEventListener("close", () => found.remove());
  found.addEventListener("click", (event) => { if (event.target === found) found.close(); });
  document.body.append(found);
  found.showModal();
  return found;
}

function help() {
  const toggle = make("input", { type: "checkbox", checked: !isOff(), id: "keys-on" });
  toggle.addEventListener("change", () => store("localStorage")?.setItem(OFF, toggle.checked ? "no" : "yes"));
  const list = make("dl", {});
  for (const [keys, words] of HELP) list.append(make("div", {}, make("dt", {}, make("kbd", { textContent: keys })), make("dd", { textContent: words })));
  const close = make("button", { type: "button", textContent: "Close" });
  const made = dialog("Keyboard", make("h2", { textContent: "Keyboard" }), list,
    make("label", { className: "inline" }, toggle, "Single keys do something"), close);
  close.addEventListener("click", () => made.close());
}

function palette() {
  const input = make("input", { type: "search", placeholder: "A page, an issue's title or number", ariaLabel: "Find a page or an issue" });
  const list = make("ul", {});
  dialog("Find", input, list);
  let asked = 0;
  const show = (found) => list.replaceChildren(...found.map(([text, href]) => make("li", {}, make("a", { href, textContent: text }))));
  const look = async () => {
    const text = input.value.trim().toLowerCase();
    const matching = pages().filter(([name]) => name.toLowerCase().includes(text));
    show(matching);
    const mine = ++asked;
    if (!text) return;
    await new Promise((done) => setTimeout(done, 150));
    if (mine !== asked) return;
    const answer = await fetch(`${document.querySelector(".search").action}?${new URLSearchParams({ text, limit: 8 })}`);
    if (!answer.ok || mine !== asked) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    show([...matching, ...[...page.querySelectorAll(".row-link")].map((link) => [link.textContent, link.getAttribute("href")])]);
  };
  input.addEventListener("input", look);
  input.form ?? input.addEventListener("keydown", (event) => { if (event.key === "Enter") list.querySelector("a")?.click(); });
  list.parentElement.addEventListener("keydown", (event) => {
    const links = [input, ...list.querySelectorAll("a")];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    links[Math.min(Math.max(links.indexOf(document.activeElement) + step, 0), links.length - 1)].focus();
  });
  look();
}

const KEYS = {
  j: () => move(1), k: () => move(-1), x: select,
  a: () => act("a"), r: () => act("r"), e: () => act("e"), n: () => act("n"),
  "[": () => document.querySelector("a[rel=prev][data-key]")?.click(),
  "]": () => document.querySelector("a[rel=next][data-key]")?.click(),
  "/": () => document.getElementById("search")?.focus(),
  g: () => { isGoing = true; setTimeout(() => { isGoing = false; }, 1500); },
  t: () => document.querySelector("[data-theme-form] button")?.click(),
  "?": help,
};

function pressed(event) {
  if ((event.ctrlKey || event.metaKey) && event.key === "k") {
    event.preventDefault();
    return palette();
  }
  const isTyping = event.target.closest?.("input, textarea, select, [contenteditable], dialog");
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey || event.repeat && !"jk".includes(event.key) || isOff()) return undefined;
  if (isGoing) {
    isGoing = false;
    return document.querySelector(`.menu a[data-key="${CSS.escape(event.key)}"]`)?.click();
  }
  const does = Object.hasOwn(KEYS, event.key) && KEYS[event.key];
  if (!does) return undefined;
  event.preventDefault();
  return does();
}

export function listenToKeys() {
  document.addEventListener("keydown", pressed);
  document.addEventListener("focusin", remember);
  document.addEventListener("htmx:after:swap", showSelected);
  const button = document.querySelector("[data-keys-help]");
  if (button) {
    button.hidden = false;
    button.addEventListener("click", help);
  }
  if (location.hash === "#note") document.querySelector("[data-key-target=n]")?.focus();
}
