// The log: every correction as it is now, newest first, a day under its date; or every entry as it was written.
import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { get } from "../lib/api.js";
import { html } from "../lib/html.js";
import { changes, remember, route } from "../lib/state.js";
import { atClock, counted, KIND, onDay, short, STATUS } from "../lib/words.js";
import { Badge, EditLink, Empty, Failed, Shots, Slip, useLoad, Waiting } from "../parts/basics.js";

const FATES = ["in-force", "proposed", "reverted", "superseded", "refused", "quarantined", "expired"];
const PAGE = 30;

/** Who was seen in the log so far. @type {import("@preact/signals").Signal<string[]>} */
const authors = signal([]);

export function Log() {
  const query = route.value.query;
  const [sought, seek] = useState({ text: query.get("text") ?? "", author: query.get("author") ?? "", status: query.get("status") ?? "", all: query.get("all") ?? "" });
  const [held, hold] = useState(sought);
  const [count, more] = useState(PAGE);

  useEffect(() => { const soon = setTimeout(() => { hold(sought); more(PAGE); remember("log", sought); }, 180); return () => clearTimeout(soon); }, [sought]);
  /** @param {Partial<typeof sought>} some */
  const narrow = (some) => seek({ ...sought, ...some });
  const filtered = held.text || held.author || held.status;

  return html`<div class="log-view">
    <header class="head"><h1 tabindex="-1">Log</h1><p>Everything that was ever corrected, and what became of it.</p></header>
    <form class="filters" role="search" aria-label="Corrections" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
      <div class="field wide"><label for="log-text">Words</label>
        <input id="log-text" type="search" value=${sought.text} placeholder="question, answer, reason, ticket" onInput=${(/** @type {any} */ event) => narrow({ text: event.target.value })} /></div>
      <div class="field"><label for="log-author">By</label>
        <input id="log-author" type="text" autocomplete="off" list="authors" value=${sought.author} placeholder="anyone" onInput=${(/** @type {any} */ event) => narrow({ author: event.target.value })} /></div>
      <div class="field"><label for="log-status">What became of it</label>
        <select id="log-status" value=${sought.status} disabled=${sought.all !== ""} onChange=${(/** @type {any} */ event) => narrow({ status: event.target.value })}>
          <option value="">anything</option>${FATES.map((fate) => html`<option key=${fate} value=${fate}>${STATUS[fate]}</option>`)}</select></div>
      <label class="check"><input type="checkbox" checked=${sought.all !== ""} onChange=${(/** @type {any} */ event) => narrow({ all: event.target.checked ? "yes" : "" })} /> every entry</label>
    </form>
    <datalist id="authors">${authors.value.map((name) => html`<option key=${name} value=${name} />`)}</datalist>
    ${held.all ? html`<${Entries} sought=${held} />` : html`<${Edits} sought=${held} count=${count} more=${() => more(count + PAGE)} filtered=${filtered} />`}
  </div>`;
}

/** @param {{ sought: any, count: number, more: () => void, filtered: string }} props */
function Edits({ sought, count, more, filtered }) {
  const { data, error, busy, again } = useLoad(
    (signal) => get("/v1/edits", { text: sought.text, author: sought.author, limit: count, ...(sought.status ? { status: sought.status } : { all: "true" }) }, signal),
    [sought.text, sought.author, sought.status, count, changes.value],
  );
  useEffect(() => { if (data) authors.value = [...new Set([...authors.value, ...data.data.map((/** @type {any} */ one) => one.author)])].sort(); }, [data]);
  if (!data) return error ? html`<${Failed} error=${error} again=${again} />` : html`<${Waiting} rows=${5} />`;
  if (!data.data.length) {
    return filtered ? html`<${Empty} title="Nothing fits."><p>Use fewer words, or another state.</p><//>`
      : html`<${Empty} title="No correction was made yet."><p>Ask the model something, and say what is right where it is wrong.</p><p><a class="button main" href="#/ask">Ask and correct</a></p><//>`;
  }
  return html`<${Failed} error=${error} again=${again} />
    <p class="count" role="status">${data.found === undefined ? "" : counted(data.found, "correction")}${filtered ? " fit" : ""}</p>
    ${days(data.data, (one) => one.time).map(([day, rows]) => html`<section key=${day} class="day"><h2>${day}</h2><ol class="timeline">
      ${rows.map((one) => html`<${Row} key=${one.id + one.entry} one=${one} />`)}</ol></section>`)}
    ${data.has_more && html`<button type="button" class="plain wide" disabled=${busy} onClick=${more}>${busy ? "Reading…" : "Show older ones"}</button>`}`;
}

/** @template T @param {T[]} rows @param {(one: T) => string} time @returns {[string, T[]][]} */
function days(rows, time) {
  /** @type {Map<string, T[]>} */
  const found = new Map();
  for (const one of rows) { const day = onDay(time(one)); found.set(day, [...(found.get(day) ?? []), one]); }
  return [...found.entries()];
}

/** @param {{ one: any }} props */
function Row({ one }) {
  const { before } = one;
  return html`<li class="row ${one.status}">
    <a href=${`#/edit/${one.id}`}>
      <${Shots} images=${one.images} />
      <span class="main"><span class="q">${one.question}</span><${Slip} before=${before} after=${one.answer} />
        <span class="meta"><${Badge} status=${one.status} /> <span>${one.author || "somebody"}</span> <time>${atClock(one.time)}</time>
          ${one.ticket && html`<span class="ticket">${one.ticket}</span>`}${one.reason && html`<span class="reason">${one.reason}</span>`}</span></span>
      <span class="seq">entry ${one.entry}</span></a></li>`;
}

/** @param {{ sought: any }} props */
function Entries({ sought }) {
  const [from, set] = useState(/** @type {number | null} */ (null));
  const { data, error, again } = useLoad(async (signal) => {
    // The newest page: the log is told oldest first.
    const last = from ?? Number((await get("/v1/log/verify", {}, signal)).entries);
    return get("/v1/log", { after: Math.max(0, last - 50), limit: 50 }, signal).then((page) => ({ rows: page.data.toReversed(), last }));
  }, [from, changes.value]);
  if (!data) return error ? html`<${Failed} error=${error} again=${again} />` : html`<${Waiting} rows=${5} />`;
  const fits = data.rows.filter((/** @type {any} */ one) => {
    const by = one.body.by ?? {};
    return (!sought.author || (by.author ?? "").toLowerCase() === sought.author.toLowerCase())
      && (!sought.text || JSON.stringify(one.body).toLowerCase().includes(sought.text.toLowerCase()));
  });
  return html`${days(fits, (/** @type {any} */ one) => one.time).map(([day, rows]) => html`<section key=${day} class="day"><h2>${day}</h2><ol class="entries">
      ${rows.map((/** @type {any} */ one) => html`<${EntryLine} key=${one.seq} one=${one} linked />`)}</ol></section>`)}
    ${fits.length === 0 && html`<${Empty} title="Nothing on this page fits." />`}
    <p class="actions">${data.last > 50 && html`<button type="button" class="plain" onClick=${() => set(data.last - 50)}>Older entries</button>`}
      ${from !== null && html`<button type="button" class="plain" onClick=${() => set(null)}>Newest entries</button>`}</p>`;
}

/** An entry of the log in a line. @param {{ one: any, linked?: boolean }} props */
export function EntryLine({ one, linked = false }) {
  const { by = {}, details = {}, edit, edit_id: id } = one.body;
  const named = id ?? "";
  return html`<li class=${`entry ${one.kind}`}><span class="seq">${one.seq}</span>
    <span class="main"><b>${KIND[one.kind] ?? one.kind}</b>${linked && edit?.target && html` <q>${edit.target}</q>`}${linked && named && html` <${EditLink} id=${named} />`}
      ${by.author && html` by ${by.author}`}${by.ticket && html` <span class="ticket">${by.ticket}</span>`}${by.reason && html` <span class="reason">${by.reason}</span>`}
      ${details.why && html` <span class="why">${details.why}</span>`}</span>
    <span class="meta"><time title=${one.time}>${linked ? atClock(one.time) : `${onDay(one.time)}, ${atClock(one.time)}`}</time> <code title=${one.hash}>${short(one.hash)}</code></span></li>`;
}
