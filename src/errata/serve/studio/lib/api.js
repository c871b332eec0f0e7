// The server, as any other client speaks to it: its public routes, with the key that was typed, if one was.
import { changes, head, live, me, wanted } from "./state.js";

const KEY = "errata.key";
const BASE = new URL("../../../", import.meta.url); // where the server's routes begin, also behind a proxy

/** An answer that isn't one: the server's own words, and what it would take. */
export class Refused extends Error {
  /** @param {number} status @param {string} message @param {{ type?: string, code?: string | null, param?: string | null, after?: number }} [more] */
  constructor(status, message, { type = "", code = null, param = null, after = 0 } = {}) {
    super(message);
    this.status = status;
    this.type = type;
    this.code = code;
    this.param = param;
    this.after = after;
  }
}

export const key = {
  read: () => sessionStorage.getItem(KEY) ?? "",
  /** @param {string} value */
  keep(value) { sessionStorage.setItem(KEY, value.trim()); },
  drop() { sessionStorage.removeItem(KEY); },
};

/** @type {Promise<string | null> | null} */
let asking = null;

/** Ask for a key, once for all who need one; null: none was given.
 * @param {string} why */
export function askKey(why) {
  asking ??= new Promise((done) => { wanted.value = { why, done }; }).finally(() => { asking = null; wanted.value = null; });
  return asking;
}

/** @typedef {{ body?: unknown, signal?: AbortSignal, headers?: Record<string, string>, keepalive?: boolean }} Sent */

/** Send a request; where a key is needed, ask for it and send it again, so that nothing typed is lost.
 * @param {string} method @param {string} path @param {Sent} [sent] @returns {Promise<Response>} */
export async function send(method, path, { body, signal, headers = {}, keepalive = false } = {}) {
  for (;;) {
    const used = key.read();
    let response;
    try {
      response = await fetch(new URL(path.replace(/^\//, ""), BASE), {
        method, signal, keepalive, cache: "no-store",
        headers: {
          ...(body === undefined ? {} : { "Content-Type": "application/json" }),
          ...(used ? { Authorization: `Bearer ${used}` } : {}),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new Refused(0, "The server can't be reached. What you typed is kept; try again when it is back.");
    }
    if (response.ok) return response;
    const refused = await refusal(response);
    if (response.status !== 401 || keepalive) throw refused;
    if (used !== key.read()) continue; // another request was given a new one meanwhile
    const given = await askKey(used ? `The key isn't taken: ${refused.message}` : "");
    if (given === null) throw refused;
    key.keep(given);
  }
}

/** @param {Response} response */
async function refusal(response) {
  const after = Number(response.headers.get("Retry-After")) || 0;
  let told = /** @type {any} */ (null);
  try { told = (await response.json())?.error; } catch { /* not from errata: a proxy's page */ }
  const message = told?.message ?? `The server answered ${response.status} ${response.statusText}`.trim();
  return new Refused(response.status, message, { ...told, after });
}

/** @param {string} method @param {string} path @param {Sent} [sent] @returns {Promise<any>} */
export async function call(method, path, sent) {
  const response = await send(method, path, sent);
  return response.status === 204 ? null : response.json();
}

/** @param {string} path @param {Record<string, string | number | undefined>} [query] @param {AbortSignal} [signal] */
export function get(path, query = {}, signal) {
  const kept = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  const said = new URLSearchParams(kept.map(([name, value]) => [name, String(value)])).toString();
  return call("GET", said ? `${path}?${said}` : path, { signal });
}

/** @param {string} path @param {unknown} [body] @param {Omit<Sent, "body">} [more] */
export const post = (path, body = {}, more = {}) => call("POST", path, { body, ...more });

/** Every page of a list, up to so many.
 * @param {string} path @param {Record<string, string | number | undefined>} query @param {number} most
 * @returns {Promise<{ data: any[], more: boolean }>} */
export async function all(path, query, most) {
  const data = [];
  let after, more = true;
  while (more && data.length < most) {
    const page = await get(path, { ...query, limit: Math.min(500, most - data.length), after });
    data.push(...page.data);
    more = Boolean(page.has_more) && page.data.length > 0;
    after = page.last_id;
  }
  return { data, more };
}

/** The events of a stream of them: their data, name and number.
 * @param {Response} response @returns {AsyncGenerator<{ data: string, event: string, id: string }>} */
export async function* events(response) {
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).getReader();
  const text = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      rest += text.decode(value, { stream: true });
      const blocks = rest.split(/\r?\n\r?\n/);
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const one = { data: "", event: "", id: "" };
        for (const line of block.split(/\r?\n/)) {
          const [, name, said] = /^(\w+): ?(.*)$/.exec(line) ?? [];
          if (name === "data") one.data += (one.data ? "\n" : "") + said;
          else if (name === "event" || name === "id") one[name] = said;
        }
        if (one.data || one.event) yield one;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Ask the model; `more` is called with what there is of the answer.
 * @param {{ question: string, images: string[], version?: string, store?: boolean }} asked
 * @param {(text: string) => void} more @param {AbortSignal} [signal]
 * @returns {Promise<{ id: string, text: string, errata: any, cut: boolean }>} */
export async function chat({ question, images, version = "", store = true }, more, signal) {
  const content = [
    ...images.map((url) => ({ type: "image_url", image_url: { url } })),
    { type: "text", text: question },
  ];
  const name = (me.value ?? await greet()).model;
  const body = {
    model: version ? `${name}@${version}` : name, stream: true, store,
    messages: [{ role: "user", content: images.length ? content : question }],
  };
  const response = await send("POST", "/v1/chat/completions", { body, signal });
  let id = "", text = "", errata = null, cut = false;
  for await (const { data } of events(response)) {
    if (data === "[DONE]") break;
    const chunk = JSON.parse(data);
    if (chunk.error) throw new Refused(500, chunk.error.message, chunk.error);
    id = chunk.id ?? id;
    errata = chunk.errata ?? errata;
    const [choice] = chunk.choices ?? [];
    if (choice?.finish_reason === "length") cut = true;
    if (choice?.delta?.content) more(text += choice.delta.content);
  }
  if (typeof errata?.seq === "number" && !version) head.value = Math.max(head.value ?? 0, errata.seq);
  return { id, text, errata, cut };
}

/** The versions of the model that can be asked, each by its pin. @returns {Promise<string[]>} */
export async function pins() {
  const found = (await get("/v1/models")).data;
  return [...new Set(found.map((/** @type {any} */ one) => one.id.split("@")[1]).filter((/** @type {string} */ pin) => pin && pin !== "base"))];
}

/** Who the server takes this page for, and what it serves. */
export async function greet() {
  me.value = await get("/v1/me");
  head.value = Math.max(head.value ?? 0, me.value?.seq ?? 0);
  return /** @type {NonNullable<typeof me.value>} */ (me.value);
}

/** @type {Map<string, Promise<string>>} */
const held = new Map();

/** A picture of the log, as an address of this page: an `img` can't say a key.
 * @param {string} digest @returns {Promise<string>} */
export function picture(digest) {
  const known = held.get(digest);
  if (known) return known;
  const fetched = send("GET", `/v1/images/${encodeURIComponent(digest)}`).then(async (response) => URL.createObjectURL(await response.blob()));
  fetched.catch(() => held.delete(digest));
  held.set(digest, fetched);
  return fetched;
}

/** A picture of the log as a data URL, as the API takes pictures.
 * @param {string} digest @returns {Promise<string>} */
export async function pictureData(digest) {
  return dataUrl(await (await fetch(await picture(digest))).blob());
}

/** @param {Blob} blob @returns {Promise<string>} */
export function dataUrl(blob) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(String(reader.result));
    reader.onerror = () => failed(reader.error);
    reader.readAsDataURL(blob);
  });
}

/** Hear what happens to the corrections, for as long as the page is open. */
export async function listen() {
  let last = "";
  for (let tries = 0; ; tries += 1) {
    try {
      if (!last) last = String((await greet()).seq);
      const response = await send("GET", "/v1/events", { headers: { Accept: "text/event-stream", ...(last ? { "Last-Event-ID": last } : {}) } });
      live.value = "on";
      tries = 0;
      for await (const one of events(response)) {
        if (one.id) { last = one.id; head.value = Math.max(head.value ?? 0, Number(one.id) || 0); }
        changes.value += 1;
      }
    } catch (error) {
      if (error instanceof Refused && [401, 403, 404].includes(error.status)) { live.value = ""; return; }
    }
    live.value = "off";
    await new Promise((done) => setTimeout(done, Math.min(30_000, 1000 * 2 ** Math.min(tries, 5))));
  }
}
