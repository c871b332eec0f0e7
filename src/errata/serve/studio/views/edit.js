// One correction: what it says, what it did, where it speaks, whom it silenced, the proof, and taking it back.
import { useEffect, useRef, useState } from "preact/hooks";
import { get, post, send } from "../lib/api.js";
import { html } from "../lib/html.js";
import { useKeys } from "../lib/keys.js";
import { changes, head, may, notify, route, say } from "../lib/state.js";
import { counted, scored, short, STATUS, took } from "../lib/words.js";
import { Badge, Busy, EditLink, Empty, Failed, Field, Moved, Shots, Slip, useLoad, useSending, Waiting, When } from "../parts/basics.js";
import { near } from "../lib/near.js";
import { EntryLine } from "./log.js";

export function EditPage() {
  const id = route.value.name;
  const { data, error, again } = useLoad((signal) => get(`/v1/edits/${encodeURIComponent(id)}`, {}, signal), [id, changes.value]);
  if (!data) {
    return html`<div class="edit-view"><h1 class="sr" tabindex="-1">Correction ${short(id)}</h1>
      ${error ? html`<${Empty} title="This correction can't be shown."><${Failed} error=${error} again=${again} /><p><a href="#/log">To the log</a></p><//>` : html`<${Waiting} rows=${4} />`}</div>`;
  }
  return html`<${Whole} key=${data.id} one=${data} />`;
}

/** @param {{ one: any }} props */
function Whole({ one }) {
  const receipt = one.receipt ?? {};
  const lost = receipt.lost ?? [], old = receipt.supersedes ?? [];
  return html`<article class="edit-view">
    <p class="crumbs"><a href="#/log">Log</a> <span aria-hidden="true">/</span> ${short(one.id)}</p>
    <header class="head edit-head ${one.images.length ? "" : "bare"}">
      ${one.images.length > 0 && html`<div class="pictures"><${Shots} images=${one.images} large alt="Picture of the question" /></div>`}
      <div><h1 tabindex="-1">${one.question}</h1>
        <${Slip} before=${receipt.before} after=${one.answer} off=${!one.in_force} />
        <p class="meta"><${Badge} status=${one.status} /> <span>${one.author || "somebody"}</span> <${When} at=${one.time} />
          ${one.ticket && html`<span class="ticket">${one.ticket}</span>`}</p>
        ${one.reason && html`<p class="reason">${one.reason}</p>`}
        <${TakeBack} one=${one} /></div>
    </header>
    ${receipt.why && one.status !== "in-force" && html`<p class="why">${receipt.why}</p>`}
    <div class="columns">
      <section aria-labelledby="fires"><h2 id="fires">Where it speaks</h2><${Fires} one=${one} /></section>
      <section aria-labelledby="silenced"><h2 id="silenced">Whom it silenced</h2>
        ${lost.length === 0 && old.length === 0 && html`<p class="quiet">No other correction lost its say by it.</p>`}
        ${old.length > 0 && html`<p>It took the place of</p><ul class="plainlist">${old.map((/** @type {string} */ other) => html`<${Other} key=${other} id=${other} />`)}</ul>`}
        ${lost.length > 0 && html`<p class="no">It took away</p><ul class="plainlist">${lost.map((/** @type {string} */ other) => html`<${Other} key=${other} id=${other} />`)}</ul>`}
        ${one.superseded_by && html`<p>Its own place was taken by</p><ul class="plainlist"><${Other} id=${one.superseded_by} /></ul>`}
      </section>
      ${(one.also.length > 0 || one.keep.length > 0) && html`<section aria-labelledby="given"><h2 id="given">What was given with it</h2>
        ${one.also.length > 0 && html`<h3>Also asked as</h3><ul>${one.also.map((/** @type {string} */ words) => html`<li key=${words}>${words}</li>`)}</ul>`}
        ${one.keep.length > 0 && html`<h3>Must stay</h3><ul>${one.keep.map((/** @type {string} */ words) => html`<li key=${words}>${words}</li>`)}</ul>`}</section>`}
      <section aria-labelledby="proof"><h2 id="proof">Proof</h2><${Proof} one=${one} /></section>
    </div>
    <section aria-labelledby="history"><h2 id="history">History</h2><ol class="entries">${one.history.map((/** @type {any} */ entry) => html`<${EntryLine} key=${entry.seq} one=${entry} />`)}</ol></section>
    <details class="numbers"><summary>What the write reported</summary>
      <dl class="facts">${facts(one, receipt).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl></details>
  </article>`;
}

/** @param {any} one @param {any} receipt @returns {[string, string][]} */
function facts(one, receipt) {
  /** @type {[string, string][]} */
  const known = [["edit", one.id], ["reach", one.reach]];
  if (one.subject) known.push(["subject", one.subject]);
  if (one.valid_until) known.push(["valid until", one.valid_until]);
  if (receipt.write_ms) known.push(["written in", took(receipt.write_ms)], ["checked in", took(receipt.guard_ms)]);
  for (const [name, value] of Object.entries(one.telemetry ?? {})) {
    known.push([name, typeof value === "number" ? String(Number(value.toPrecision(4))) : typeof value === "object" ? JSON.stringify(value) : String(value)]);
  }
  return known;
}

/** Another correction, with its words. @param {{ id: string }} props */
function Other({ id }) {
  const { data } = useLoad((signal) => get(`/v1/edits/${id}`, {}, signal), [id]);
  return html`<li><${EditLink} id=${id} />${data && html` <span class="q">${data.question}</span> <ins>${data.answer}</ins>`}</li>`;
}

/** The recent questions that it is nearest to; where its editor tells no score, those on which it spoke. @param {{ one: any }} props */
function Fires({ one }) {
  const { data, error, again } = useLoad((signal) => near(one.id, signal), [one.id, one.status]);
  if (!data) return error ? html`<${Failed} error=${error} again=${again} />` : html`<${Busy} what="Recent questions are compared with it." />`;
  if (!data.asked) return html`<p class="quiet">Nothing was asked lately.</p>`;
  if (!data.rows.length) return html`<p class="quiet">On none of the ${counted(data.asked, "recent question")}.</p>`;
  return html`<ul class="plainlist scores">${data.rows.slice(0, 5).map((row) => html`<li key=${row.question} class=${row.inside ? "in" : ""}>
      <span class="q">${row.question}</span> <span class="score">${row.score === null ? (row.told ? "spoke" : "may have spoken") : `${scored(row.score)}${row.inside ? "" : " too far"}`}</span></li>`)}</ul>
    <p><a href=${`#/scope/${one.id}`}>All recent questions</a></p>`;
}

/** @param {{ one: any }} props */
function Proof({ one }) {
  const sending = useSending();
  /** @param {string} name @param {string} path @param {string} as */
  const fetched = (name, path, as) => sending.start(name, async () => {
    const url = URL.createObjectURL(await (await send("GET", path)).blob());
    const link = Object.assign(document.createElement("a"), { href: url, download: as });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
    say(`${as} is saved.`);
  });
  return html`<p>Its entries stand in a chain of hashes. A checkpoint, kept elsewhere, finds out a log that was cut or rewritten since.</p>
    <div class="actions">
      <button type="button" class="plain" disabled=${sending.busy !== ""} onClick=${() => fetched("proof", "/v1/log/checkpoint", `checkpoint-${head.value ?? "log"}.json`)}>Save a checkpoint</button>
      <button type="button" class="plain" disabled=${sending.busy !== ""} onClick=${() => fetched("edit", `/v1/edits/${one.id}`, `edit-${short(one.id)}.json`)}>Save this correction</button></div>
    <${Failed} error=${sending.error} />`;
}

/** Revert or restore, each with its preview. @param {{ one: any }} props */
function TakeBack({ one }) {
  const [tried, set] = useState(/** @type {any} */ (null));
  const [reason, because] = useState("");
  const sending = useSending();
  const verb = one.in_force ? "revert" : ["reverted", "superseded", "expired", "quarantined"].includes(one.status) ? "restore" : one.status === "proposed" ? "approve" : "";
  const words = /** @type {Record<string, string[]>} */ ({ revert: ["Take it back", "Taken back."], restore: ["Restore it", "In force again."], approve: ["Approve it", "Approved, and in force."] })[verb] ?? ["", ""];
  const heading = useRef(/** @type {HTMLElement | null} */ (null)), open = useRef(/** @type {HTMLElement | null} */ (null)), begun = useRef(false);
  useEffect(() => set(null), [one.status]);
  // What was pressed is gone then: the focus goes to what came in its place.
  useEffect(() => { if (tried) heading.current?.focus(); else if (begun.current) open.current?.focus(); begun.current = true; }, [tried]);
  const look = () => sending.start("look", async () => {
    const receipt = await post(`/v1/edits/${one.id}/${verb}`, { dry_run: true, recent: true });
    set(receipt);
    say(`${STATUS[receipt.status] ?? receipt.status}. ${counted(receipt.moved.length, "other answer")} would change. Nothing was changed.`);
  });
  const commit = () => sending.start("commit", async () => {
    const receipt = await post(`/v1/edits/${one.id}/${verb}`, { reason });
    set(null);
    if (receipt.status === "refused") { set(receipt); return; }
    changes.value += 1;
    notify(words[1]);
  });
  const reject = () => sending.start("reject", async () => {
    await post(`/v1/edits/${one.id}/reject`, { reason });
    changes.value += 1;
    notify("Turned down.");
  });
  useKeys(verb && may("approve") && !tried ? { r: [`${words[0]}: see what would move`, look] } : {}, [verb, tried, one.id]);
  if (!verb || !may("approve")) return null;
  const refuses = tried && /refuse/.test(tried.status);
  return html`<div class="takeback">
    ${!tried && html`<div class="actions"><button type="button" ref=${open} class=${verb === "revert" ? "plain" : "main"} disabled=${sending.busy !== ""} onClick=${look}>${sending.busy === "look" ? "Looking…" : `${words[0]}…`} <kbd>R</kbd></button>
      ${verb === "approve" && html`<button type="button" class="plain" disabled=${sending.busy !== ""} onClick=${reject}>Turn it down</button>`}
      <a class="button plain" href=${`#/scope/${one.id}`}>Scope</a></div>`}
    ${tried && html`<section class="would" aria-label="What would happen">
      <h3 tabindex="-1" ref=${heading}>${refuses ? "It would be refused" : verb === "revert" ? "After taking it back" : "With it in force again"}</h3>
      ${tried.why && html`<p class="why">${tried.why}</p>`}
      <dl class="diff"><dt>Its question</dt><dd><${Slip} before=${verb === "revert" ? one.answer : tried.before} after=${tried.after || "(nothing)"} /></dd>
        <dt>Recent questions</dt><dd>${tried.moved.length ? html`<${Moved} moved=${tried.moved} />` : tried.asked ? `${counted(tried.asked, "question")} asked; no other answer changes.` : "None was asked yet."}</dd></dl>
      ${!refuses && html`<${Field} label="Why" name="takeback-why"><input id="takeback-why" type="text" value=${reason} onInput=${(/** @type {any} */ event) => because(event.target.value)} /><//>`}
      <div class="actions">${!refuses && html`<button type="button" class="main" disabled=${sending.busy !== ""} onClick=${commit}>${words[0]}</button>`}
        <button type="button" class="plain" onClick=${() => set(null)}>Leave it</button></div></section>`}
    <${Failed} error=${sending.error} /></div>`;
}
