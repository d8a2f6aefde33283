// A small conversion pipeline in Node 20, without a dependency: signed webhook -> hash -> once to Meta.
// It shares no code with golive. NODE_TARGET_BUG breaks one thing on purpose; README.md lists what.
import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PORT = Number(process.env.PORT ?? 8080);
const META = process.env.META_GRAPH_URL ?? "https://graph.facebook.com";
const JOURNAL = process.env.JOURNAL ?? join(tmpdir(), "node-target.jsonl");
const KEY = createHash("sha256").update(process.env.STATE_KEY ?? "").digest(); // seals secrets at rest
const BUG = process.env.NODE_TARGET_BUG ?? "";
const DRAIN_MS = Number(process.env.DRAIN_MS ?? 1000); // how long a load balancer needs to notice that we leave

const tenants = new Map(); // id -> {pixel_id, meta_token, gateways}
const sales = new Map(); // tenant/gateway/sale -> the event, or null: nothing is to be sent
const sha256 = (text) => createHash("sha256").update(text).digest("hex");

// The plan dialect of each gateway that we speak: where things stand in its body.
const GATEWAYS = {
  hotmart: { sale: "order_id", person: "customer", amount: "amount", paid: "approved", time: "event_time", product: "product_id" },
  kiwify: { sale: "purchase_id", person: "buyer", amount: "value", paid: "completed" }, // tells no payment time
};

class Refused extends Error {
  constructor(status, code) { super(code); Object.assign(this, { status, code }); }
}

// -- what outlives a crash: a journal, in which secrets are sealed ------------------------------------------------
function seal(value) {
  const iv = randomBytes(12), cipher = createCipheriv("aes-256-gcm", KEY, iv);
  const body = Buffer.concat([cipher.update(JSON.stringify(value)), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), body]).toString("base64");
}
function unseal(text) {
  const raw = Buffer.from(text, "base64"), cipher = createDecipheriv("aes-256-gcm", KEY, raw.subarray(0, 12));
  cipher.setAuthTag(raw.subarray(12, 28));
  return JSON.parse(Buffer.concat([cipher.update(raw.subarray(28)), cipher.final()]));
}
const note = (line) => appendFileSync(JOURNAL, JSON.stringify(line) + "\n", { mode: 0o600, flush: true });

function recall() {
  if (!existsSync(JOURNAL)) return;
  const unsent = new Map();
  for (const line of readFileSync(JOURNAL, "utf8").split("\n").filter(Boolean).map((one) => JSON.parse(one))) {
    if (line.tenant) tenants.set(line.tenant, unseal(line.sealed));
    else if (line.done) unsent.delete(line.done);
    else { sales.set(line.key, line.event); if (line.event) unsent.set(line.key, line); }
  }
  for (const line of unsent.values()) send(line.owner, line.key, line.event);
}

// -- the webhook --------------------------------------------------------------------------------------------------
function verify(raw, header, secret) {
  if (BUG === "any-signature") return;
  const signed = BUG === "reserialised" ? JSON.stringify(JSON.parse(raw)) : raw;
  const wanted = Buffer.from("sha256=" + createHmac("sha256", secret).update(signed).digest("hex"));
  const given = Buffer.from(String(header ?? ""));
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) throw new Refused(401, "bad_signature");
}

function parse(raw) {
  try {
    const root = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(raw));
    if (root && typeof root === "object" && !Array.isArray(root)) return root;
  } catch { /* said below */ }
  throw new Refused(400, "malformed");
}

function normalise(owner, gateway, root) {
  const at = GATEWAYS[gateway], id = root[at.sale], person = root[at.person];
  if (typeof id !== "string" || !id || typeof root.status !== "string") throw new Refused(422, "missing_field");
  const key = `${owner}/${gateway}/${id}`;
  if (root.status === "refunded") return { key, event: null, why: "accepted" };
  if (root.status !== at.paid) return { key, why: "ignored" };
  const paid_ms = at.time ? Date.parse(BUG === "time-zone" ? String(root[at.time]).slice(0, 19) + "+03:00" : root[at.time]) : Date.now();
  const amount = root[at.amount], currency = root.currency;
  const sound = Number.isFinite(amount) && amount >= 0 && /^[A-Z]{3}$/.test(currency) && Number.isFinite(paid_ms) && person;
  if (!sound) throw new Refused(422, "missing_field");
  const user_data = {};
  const email = String(person.email ?? "").trim().toLowerCase(), phone = String(person.phone ?? "").replace(/\D/g, "");
  if (BUG === "logs") console.log(`sale ${id} by ${person.email}`);
  if (email) user_data.em = [BUG === "plain-email" ? email : sha256(email)];
  if (phone) user_data.ph = [sha256(phone)];
  const custom_data = { value: BUG === "float-money" ? Math.fround(amount) : amount, currency, order_id: id };
  if (root[at.product]) Object.assign(custom_data, { content_ids: [root[at.product]], content_type: "product" });
  const event_time = Math.floor(paid_ms / 1000);
  const event = { event_name: "Purchase", event_id: eventId(owner, gateway, id), event_time, action_source: "website", user_data, custom_data };
  return { key, event: email || phone ? event : null, why: "accepted" };
}
const eventId = (...parts) => "purchase." + sha256(JSON.stringify(parts)).slice(0, 32);

function webhook(gateway, owner, headers, raw) {
  const account = tenants.get(owner)?.gateways[gateway];
  if (!account || !GATEWAYS[gateway]) throw new Refused(404, "not_found");
  verify(raw, headers["x-signature"], account.secret);
  const { key, event, why } = normalise(owner, gateway, parse(raw));
  if (why === "ignored") return { status: "ignored" };
  if (sales.has(key) && BUG !== "no-dedupe") return { status: "duplicate" };
  sales.set(key, event);
  note({ key, owner, event }); // before the 202: what was accepted is not lost
  if (event) send(owner, key, event);
  return { status: why };
}

// -- Meta ---------------------------------------------------------------------------------------------------------
async function send(owner, key, event, pause_ms = 100) {
  const { pixel_id, meta_token } = tenants.get(owner);
  if (BUG === "new-id") event = { ...event, event_id: `${eventId(owner, key)}.${pause_ms}` };
  try {
    const answer = await fetch(`${META}/v26.0/${pixel_id}/events`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ data: [event], access_token: meta_token }),
      signal: AbortSignal.timeout(5000),
    });
    const told = await answer.json();
    if (answer.ok && told.events_received === 1) return note({ done: key });
    if (told.error?.code === 100) return console.error(`Meta refuses ${event.event_id}: ${told.error.error_subcode}`);
  } catch { /* no answer, or none that can be read: the same event id again, so that it counts once */ }
  if (BUG !== "gives-up") setTimeout(() => send(owner, key, event, Math.min(pause_ms * 2, 2000)), pause_ms * (0.5 + Math.random() / 2));
}

// -- HTTP ---------------------------------------------------------------------------------------------------------
async function body(request) {
  if (!/^application\/json\b/i.test(request.headers["content-type"] ?? "")) throw new Refused(415, "not_json");
  const pieces = [];
  let size = 0;
  for await (const piece of request) {
    if ((size += piece.length) > 1 << 20) throw new Refused(413, "too_large");
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

async function answer(request) {
  const [path] = request.url.split("?"), hook = /^\/api\/v1\/webhooks\/([^/]+)\/([^/]+)$/.exec(path);
  if (path === "/health/ready") return leaving ? [503, { status: "leaving" }] : [200, { status: "ready" }];
  if (!hook && !path.startsWith("/admin/")) throw new Refused(404, "not_found");
  if (request.method !== "POST") throw new Refused(405, "method_not_allowed");
  const raw = await body(request);
  if (hook) return [202, webhook(hook[1], hook[2], request.headers, raw)];
  const given = parse(raw); // the operator's: never let this path out of the machine
  if (path === "/admin/event-id") return [200, { event_id: eventId(given.tenant, given.gateway, given.sale_id) }];
  for (const one of given.tenants) {
    tenants.set(one.tenant, one);
    note({ tenant: one.tenant, sealed: seal(one) });
  }
  return [200, { tenants: given.tenants.map((one) => ({ tenant: one.tenant })) }];
}

let leaving = false;
recall();
const server = createServer((request, response) => {
  answer(request)
    .catch((error) => [error.status ?? 500, { error: { code: error.code ?? "internal", message: error.code ?? "internal" } }])
    .then(([status, told]) => {
      const close = request.complete && !leaving ? {} : { Connection: "close" }; // a body that nobody has read
      response.writeHead(status, { "Content-Type": "application/json", ...close }).end(JSON.stringify(told));
    });
}).listen(PORT, "127.0.0.1");
process.on("SIGTERM", () => { // what is not sent stands in the journal; what is on its way in is answered
  if (BUG === "cut-off") process.exit(0);
  leaving = true;
  setTimeout(() => server.close(() => process.exit(0)), DRAIN_MS);
});
