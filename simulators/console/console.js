"use strict";
// Everything that is shown goes through textContent: nothing of what a target says becomes markup.

const EVERY_MS = 1000; // how often what is new is asked for
const ORDERS = 300; // so many are kept on the page
const LINES = 12; // so many of each side of an order are shown
const LATE_S = 30; // after this long, silence at Meta is called trouble
const NO_ORDER = ""; // the key of what names no order

const $ = (id) => document.getElementById(id);
const make = (tag, className, text) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined && text !== null) node.textContent = String(text);
  return node;
};

const seen = { run: "", sent: 0, meta: 0, skew: 0, where: { gateways: "", meta: "" } };
const orders = new Map(); // order id -> { id, sent: [], meta: [], at, card, text, state }
let paused = false;

// -- what is new ------------------------------------------------------------------------------------------

async function listen() {
  try {
    if (!document.hidden && !paused) await ask();
    $("offline").hidden = true;
  } catch {
    $("offline").hidden = false;
    for (const name of ["gateways", "meta"]) $(name).className = "down";
  }
  setTimeout(listen, EVERY_MS);
}

async function ask() {
  const query = new URLSearchParams({ run: seen.run, sent: seen.sent, meta: seen.meta });
  const answer = await fetch(`api/news?${query}`);
  if (!answer.ok) throw new Error(answer.status);
  const news = await answer.json();
  if (news.run !== seen.run) forget();
  Object.assign(seen, { run: news.run, sent: news.sent.last, meta: news.meta.last, where: news.where });
  seen.skew = news.now_s - Date.now() / 1000;
  for (const row of news.sent.rows) file("sent", row);
  for (const row of news.meta.rows) file("meta", row);
  health("gateways", news.sent.up, news.where.gateways);
  health("meta", news.meta.up, news.where.meta);
  $("invite").hidden = !news.invites;
  showOff(news.switched_off);
  tidy();
  show(news.on_the_way);
}

let off = "";
function showOff(rows) {
  const key = JSON.stringify(rows);
  if (key === off) return; // a button that somebody is about to press stays where it is
  off = key;
  $("off").replaceChildren(...rows.map((row) => {
    const item = make("li", "note bad", `${row.gateway} has switched ${row.to} off after ${row.failures} failures in a row: nothing more is sent there. `);
    const node = make("button", "", "Switch it on again");
    node.type = "button";
    node.addEventListener("click", () => switchOn(row));
    item.append(node);
    return item;
  }));
}

function forget() {
  orders.clear();
  opened.clear();
  $("orders").replaceChildren();
}

function file(side, row) {
  const id = row.order || NO_ORDER;
  let order = orders.get(id);
  if (!order) orders.set(id, (order = { id, sent: [], meta: [], at: 0, card: null, state: null, text: "" }));
  order[side].push(row);
  if (order[side].length > 200) order[side].shift();
  order.at = Math.max(order.at, row.at_s);
  order.changed = true;
}

function tidy() {
  if (orders.size <= ORDERS) return;
  const oldest = [...orders.values()].sort((a, b) => a.at - b.at).slice(0, orders.size - ORDERS);
  for (const order of oldest) {
    if (order.card) order.card.remove();
    orders.delete(order.id);
  }
}

function health(id, up, url) {
  $(id).className = up ? "up" : url ? "down" : "";
  $(id).querySelector("dd").textContent = !url ? "not started" : up ? url.replace("http://", "") : "does not answer";
}

// -- what it means ----------------------------------------------------------------------------------------

const taken = (row) => row.status >= 200 && row.status < 300;

function judge(order) {
  const fooled = order.sent.find((row) => row.expected === "refused" && taken(row));
  if (fooled) return ["bad", `target took ${fooled.tamper}`];
  const names = new Map();
  for (const row of order.meta) if (row.verdict === "counted") names.set(row.event, (names.get(row.event) || 0) + 1);
  const counted = Math.max(0, ...names.values());
  const refused = order.meta.some((row) => row.verdict === "refused");
  if (order.id === NO_ORDER) return refused ? ["bad", "some refused"] : ["none", "no order id"];
  if (counted > 1) return ["bad", `counted ${counted} times`];
  if (counted) return ["good", "counted once"];
  if (refused) return ["bad", "refused by Meta"];
  if (order.meta.length) return ["none", "duplicate"];
  return judgeSent(order);
}

function judgeSent(order) {
  const accepted = order.sent.filter(taken);
  const purchases = accepted.filter((row) => row.outcome === "purchase" && !row.tamper);
  if (purchases.length) {
    const waited_s = Math.max(0, Math.round(Date.now() / 1000 + seen.skew - purchases[0].at_s));
    if (waited_s < LATE_S) return ["warn", "on its way to Meta"];
    return ["bad", `not at Meta after ${waited_s < 120 ? `${waited_s} s` : `${Math.floor(waited_s / 60)} min`}`];
  }
  if (accepted.length) return ["none", accepted.every((row) => row.tamper) ? "tampered, accepted" : "no purchase"];
  const last = order.sent.at(-1);
  if (last.tamper && !last.failure) return last.expected === "refused" ? ["good", "tampering refused"] : ["none", "tampered, refused"];
  return ["bad", last.failure ? "nobody answered" : `target answered ${last.status}`];
}

// -- what is shown ----------------------------------------------------------------------------------------

function show(onTheWay) {
  const list = $("orders");
  const sorted = [...orders.values()].sort((a, b) => b.at - a.at);
  const focused = document.activeElement?.dataset?.key;
  for (const order of sorted) {
    const state = judge(order);
    if (order.changed || String(state) !== String(order.state)) draw(order, state);
  }
  sorted.forEach((order, place) => {
    if (list.children[place] !== order.card) list.insertBefore(order.card, list.children[place] || null);
  });
  if (focused && document.activeElement?.dataset?.key !== focused) {
    list.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }
  sift();
  const way = onTheWay ? `, ${onTheWay} on the way` : "";
  const shown = sorted.filter((order) => !order.card.hidden).length;
  const total = sorted.length === 1 ? "1 order" : `${sorted.length} orders`;
  $("count").textContent = (shown === sorted.length ? total : `${shown} of ${total}`) + way;
  $("empty").hidden = sorted.length > 0;
  $("nothing").hidden = sorted.length === 0 || shown > 0;
  if (!sorted.length) explain();
}

function draw(order, state) {
  order.state = state;
  order.changed = false;
  order.text = JSON.stringify([order.id, state[1], order.sent, order.meta].flat(), (key, value) => (HIDDEN.has(key) ? undefined : value)).toLowerCase();
  const card = order.card || make("li");
  card.className = `order ${state[0]}`;
  card.tabIndex = 0;
  card.dataset.key = `order ${order.id}`;
  card.setAttribute("aria-label", `${order.id || "Without an order id"}: ${state[1]}`);
  const head = make("header");
  head.append(make("h2", order.id ? "mono" : "", order.id || "Without an order id"), make("span", `tag ${state[0]}`, state[1]));
  const sides = make("div", "sides");
  sides.append(side("Gateway → target", order.sent, sentLine, "No fake gateway sent this. What golive trigger sends is not shown on this side."), side("Target → Meta", order.meta, metaLine, "Meta has not heard of it."));
  card.replaceChildren(head, sides);
  order.card = card;
}
const HIDDEN = new Set(["trigger", "curl", "at_s", "elapsed_ms", "seq", "n", "call"]);

function side(title, rows, line, none) {
  const box = make("div");
  box.append(make("h3", "", title));
  if (!rows.length) box.append(make("p", "soft", none));
  box.classList.toggle("void", !rows.length);
  const last = rows.slice(-LINES).reverse();
  const list = make("ul");
  list.append(...last.map(line));
  box.append(list);
  if (rows.length > last.length) box.append(make("p", "line soft", `and ${rows.length - last.length} earlier`));
  return box;
}

function clock(at_s) {
  const node = make("time", "mono", new Date(at_s * 1000).toTimeString().slice(0, 8));
  node.dateTime = new Date(at_s * 1000).toISOString();
  return node;
}

function sentLine(row, place) {
  const item = make("li", "line");
  const what = make("div", "what");
  const fine = taken(row) === (row.expected !== "refused") && !row.failure;
  const said = row.failure ? `no answer (${row.failure})` : [row.status, row.word].filter(Boolean).join(" ");
  what.append(clock(row.at_s), make("b", "", `${row.gateway} ${row.event}`));
  if (row.dialect !== "vendor") what.append(make("span", "soft", `${row.dialect} dialect`));
  if (row.outcome !== "purchase") what.append(make("span", "tag none", row.outcome === "ignored" ? "to be ignored" : row.outcome));
  if (row.tamper) what.append(make("span", "tag warn", `tampered: ${row.tamper}`));
  if (row.attempt > 1) what.append(make("span", "tag none", `attempt ${row.attempt}`));
  if (row.again_of) what.append(make("span", "tag none", "sent again"));
  what.append(make("span", `tag ${fine ? "good" : row.expected && row.expected !== "refused" ? "none" : "bad"}`, `→ ${said}`));
  if (row.elapsed_ms !== null) what.append(make("span", "soft", `${Math.max(1, Math.round(row.elapsed_ms))} ms`));
  // Folded away, but for the newest attempt: the keys reach them all the same.
  const fold = make("details", "more");
  fold.append(make("summary", "", `to ${row.to}`));
  fold.firstChild.dataset.key = `acts ${row.n}`;
  fold.open = unfolded.get(row.n) ?? place === 0;
  fold.firstChild.addEventListener("click", () => unfolded.set(row.n, !fold.open));
  const acts = make("div", "acts");
  acts.append(button(row, "Send again", "again", () => again(row)), button(row, "Copy trigger", "trigger", () => copy(row.trigger, row.same_order ? "golive trigger" : "golive trigger: another order, alike")), button(row, "Copy curl", "curl", () => copy(row.curl, "curl")));
  fold.append(acts);
  item.append(what, fold);
  return item;
}

const unfolded = new Map(); // attempts whose buttons somebody has shown or hidden

function button(row, text, act, work) {
  const node = make("button", "", text);
  node.type = "button";
  node.dataset.act = act;
  node.dataset.key = `${act} ${row.n}`;
  node.addEventListener("click", work);
  return node;
}

// With as many decimals as the currency has, and never fewer than were sent: 1494.7 BRL is 1494.70 BRL, 500 JPY is 500 JPY.
function money(value, currency) {
  let digits = 0;
  try {
    if (currency) digits = new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits;
  } catch {
    // No currency code: shown as it came.
  }
  const text = String(value);
  const given = /^-?\d+(\.\d+)?$/.exec(text);
  if (!given) return `${text} ${currency || ""}`;
  return `${(given[1] || ".").length - 1 < digits ? Number(value).toFixed(digits) : text} ${currency || ""}`;
}

const LOOKS = { counted: "good", duplicate: "none", refused: "bad" };

function metaLine(row) {
  const item = make("li", "line");
  const what = make("div", "what");
  what.append(clock(row.at_s), make("b", "", row.event || "(no event)"), make("span", `tag ${LOOKS[row.verdict] || "none"}`, row.verdict));
  if (row.value !== null) what.append(make("span", "", money(row.value, row.currency)));
  if (row.from === "browser") what.append(make("span", "tag none", "from the browser"));
  if (row.fault) what.append(make("span", "tag warn", `fault: ${row.fault}`));
  item.append(what);
  if (row.verdict === "refused") {
    const code = row.code === null ? "" : ` · code ${row.code}${row.subcode === null ? "" : ` / ${row.subcode}`}`;
    const answer = row.status ? `HTTP ${row.status}` : "no answer";
    item.append(make("div", "why", row.words), make("div", "more", answer + code));
  } else if (row.verdict === "duplicate") {
    item.append(make("div", "more", row.words));
  }
  if (row.complaints.length) item.append(make("div", "notes", `Meta complains: ${row.complaints.join(", ").replaceAll("_", " ")}.`));
  item.append(details(row));
  return item;
}

const opened = new Set(); // rows whose details somebody wants to see

function details(row) {
  const box = make("details", "more");
  box.append(make("summary", "", row.event_id ? `event id ${row.event_id}` : "no event id"));
  box.firstChild.dataset.key = `details ${row.n}`;
  const list = make("dl", "facts");
  const facts = { person: row.people.join(" · ") || "nothing", "would help": row.missing.join(" · "), page: row.page, source: row.source, pixel: row.pixel, token: row.token && `…${row.token}` };
  for (const [name, text] of Object.entries(facts)) if (text) list.append(make("dt", "", name), make("dd", "", text));
  box.append(list);
  box.open = opened.has(row.n);
  box.addEventListener("toggle", () => (box.open ? opened.add(row.n) : opened.delete(row.n)));
  return box;
}

function explain() {
  const { gateways, meta } = seen.where;
  $("graph").textContent = `META_GRAPH_URL=${meta || "(not started)"}`;
  const wish = { gateway: "hotmart", event: "approved", secret: "my-hottok", to: "http://127.0.0.1:8080/api/v1/webhooks/hotmart/t-1" };
  $("example").textContent = gateways ? `curl -s ${gateways}/_golive/send -d '${JSON.stringify(wish)}'` : "golive up --only gateways,meta,console";
}

// -- filter -----------------------------------------------------------------------------------------------

function sift() {
  const words = $("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const trouble = $("trouble").checked;
  for (const order of orders.values()) {
    const wanted = words.every((word) => order.text.includes(word)) && (!trouble || order.state[0] === "bad");
    if (order.card) order.card.hidden = !wanted;
  }
}

function filterChanged() {
  const query = new URLSearchParams();
  if ($("filter").value) query.set("q", $("filter").value);
  if ($("trouble").checked) query.set("trouble", "1");
  history.replaceState(null, "", `${location.pathname}${query.size ? `#${query}` : ""}`);
  show(0);
}

// -- doing ------------------------------------------------------------------------------------------------

const post = (path, body) => fetch(path, { method: "POST", headers: { "X-Golive": "console", "Content-Type": "application/json" }, body: JSON.stringify(body) });

async function again(row) {
  say(`Sending ${row.gateway} ${row.event} again …`);
  try {
    const answer = await post("api/again", { seq: row.seq });
    const told = await answer.json();
    say(answer.ok ? `Sent again: the target answered ${told.status} in ${Math.max(1, Math.round(told.elapsed_ms))} ms.` : told.error.message);
    if (!paused) await ask();
  } catch {
    say("The console does not answer.");
  }
}

async function switchOn(row) {
  try {
    const answer = await post("api/on", { id: row.id });
    const told = await answer.json();
    say(answer.ok ? `${row.gateway} sends to ${row.to} again.` : told.error.message);
    if (!paused) await ask();
  } catch {
    say("The console does not answer.");
  }
}

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    say(`Copied as ${what}.`);
  } catch {
    // A page that came over the network without TLS has no clipboard.
    $("text").value = text;
    $("byhand").showModal();
    $("text").select();
  }
}

async function invite() {
  try {
    const answer = await post("api/invite", {});
    const told = await answer.json();
    await copy(location.origin + told.path, "a link; it is good for one device");
  } catch {
    say("The console does not answer.");
  }
}

let silence = 0;
function say(text) {
  $("said").textContent = text;
  clearTimeout(silence);
  silence = setTimeout(() => ($("said").textContent = ""), 5000);
}

function pause() {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", String(paused));
  $("pause").textContent = paused ? "Paused: go on" : "Pause";
}

// -- keys -------------------------------------------------------------------------------------------------

const KEYS = {
  "/": () => $("filter").focus(),
  j: () => step(1),
  k: () => step(-1),
  r: () => press("again"),
  t: () => press("trigger"),
  c: () => press("curl"),
  p: pause,
};

function step(by) {
  const cards = [...document.querySelectorAll(".order:not([hidden])")];
  if (!cards.length) return;
  const here = cards.indexOf(document.activeElement?.closest(".order"));
  const next = here < 0 ? cards[0] : cards[Math.min(cards.length - 1, Math.max(0, here + by))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

function press(act) {
  const place = document.activeElement?.closest(".line, .order");
  const found = place?.querySelector(`[data-act=${act}]`);
  if (found) found.click();
  else say("Choose an order first: j and k go through them.");
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("byhand").open) return;
  if (event.target === $("filter")) {
    if (event.key === "Escape") {
      $("filter").value = "";
      filterChanged();
      $("filter").blur();
    }
    return;
  }
  if (!KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
});
$("tools").addEventListener("submit", (event) => event.preventDefault());
$("filter").addEventListener("input", filterChanged);
$("trouble").addEventListener("change", filterChanged);
$("pause").addEventListener("click", pause);
$("invite").addEventListener("click", invite);
$("copyexample").addEventListener("click", () => copy($("example").textContent, "curl"));
$("clear").addEventListener("click", () => {
  $("filter").value = "";
  $("trouble").checked = false;
  filterChanged();
});

const kept = new URLSearchParams(location.hash.slice(1));
$("filter").value = kept.get("q") || "";
$("trouble").checked = kept.has("trouble");
if (location.search) history.replaceState(null, "", location.pathname + location.hash); // a spent token stays in no history
listen();
