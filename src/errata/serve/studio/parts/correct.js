// A correction from the wrong answer to the receipt: the right answer, what would move, apply or propose, undo.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { post } from "../lib/api.js";
import { html } from "../lib/html.js";
import { useKeys } from "../lib/keys.js";
import { changes, draft, head, may, me, notify, say } from "../lib/state.js";
import { counted, short, STATUS, took } from "../lib/words.js";
import { Busy, EditLink, Failed, Field, Moved, Slip, useSending } from "./basics.js";

/** @typedef {{ question: string, images: string[], completion?: string, before: string }} Asked */

const EMPTY = { answer: "", also: "", keep: "", reach: "open", reason: "", ticket: "", more: false };

/** @param {string} text */
const lines = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);

/** A name for a request, so that it is done once however often it is sent. */
function once() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What is sent for a correction.
 * @param {Asked} asked @param {typeof EMPTY} typed @param {string[]} supersede */
function bodyOf(asked, typed, supersede) {
  const named = asked.completion ? { completion: asked.completion } : { question: asked.question, images: asked.images };
  return {
    ...named, answer: typed.answer.trim(), also: lines(typed.also), keep: lines(typed.keep), reach: typed.reach,
    reason: typed.reason.trim(), ticket: typed.ticket.trim(), supersede,
  };
}

/** @param {{ asked: Asked, name: string, onApplied?: (receipt: any) => void, onAgain?: () => void, onUndone?: () => void, onClose?: () => void }} props */
export function Correct({ asked, name, onApplied, onAgain, onUndone, onClose }) {
  const kept = draft(`correct.${name}`);
  const [typed, setTyped] = useState(() => ({ ...EMPTY, ...kept.read() }));
  const [tried, setTried] = useState(/** @type {null | { receipt: any, body: string }} */ (null));
  const [done, setDone] = useState(/** @type {any} */ (null));
  const [allowed, allow] = useState(/** @type {string[]} */ ([]));
  const sending = useSending();
  const token = useRef({ body: "", key: "" });
  const result = useRef(/** @type {HTMLElement | null} */ (null));
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));

  const body = bodyOf(asked, typed, allowed);
  const now = JSON.stringify(body);
  const fresh = tried !== null && tried.body === now;

  /** @param {Partial<typeof EMPTY>} some */
  const type = (some) => setTyped((/** @type {typeof EMPTY} */ old) => { const next = { ...old, ...some }; kept.write(next); return next; });

  // Before the form is seen: whoever types on at once loses no letter.
  useLayoutEffect(() => { field.current?.focus(); }, []);
  useEffect(() => { if (tried || done) result.current?.focus(); }, [tried, done]);

  /** @param {string[]} supersede */
  const look = (supersede = allowed) => {
    if (!typed.answer.trim()) { field.current?.focus(); say("Type the right answer first."); return; }
    const sent = bodyOf(asked, typed, supersede);
    sending.start("look", async () => {
      const receipt = await post("/v1/edits", { ...sent, mode: "dry_run", recent: true });
      allow(supersede);
      setTried({ receipt, body: JSON.stringify(sent) });
      say(`${STATUS[receipt.status] ?? receipt.status}. ${receipt.why} ${counted(receipt.moved.length, "other answer")} would change.`);
    });
  };
  /** @param {"apply" | "propose"} mode */
  const commit = (mode) => {
    if (!fresh) { look(); return; }
    sending.start(mode, async () => {
      const named = mode + now;
      if (token.current.body !== named) token.current = { body: named, key: once() };
      const receipt = await post("/v1/edits", { ...body, mode }, { headers: { "Idempotency-Key": token.current.key } });
      setDone(receipt);
      if (receipt.seq) head.value = Math.max(head.value ?? 0, receipt.seq);
      changes.value += 1;
      if (receipt.status !== "refused") { kept.drop(); onApplied?.(receipt); }
      say(receipt.status === "applied" ? `Applied: entry ${receipt.seq}.` : `${STATUS[receipt.status] ?? receipt.status}. ${receipt.why}`);
    });
  };
  const undo = () => sending.start("undo", async () => {
    const receipt = await post(`/v1/edits/${done.id}/revert`, { reason: "undone right after it was made" });
    setDone({ ...done, status: receipt.status, seq: receipt.seq, undone: receipt });
    changes.value += 1;
    notify("Taken back. The model answers as before.");
    onUndone?.();
  });

  useKeys(
    done
      ? (done.status === "applied" ? { u: ["Undo the correction", undo] } : {})
      : fresh && tried.receipt.status === "would apply" ? { ...(may("approve") ? { a: ["Apply the correction", () => commit("apply")] } : {}), p: ["Propose it", () => commit("propose")] } : {},
    [done, fresh, now, sending.busy, me.value],
  );

  if (done && done.status !== "refused") {
    return html`<${Receipt} receipt=${done} heading=${result} undo=${undo} again=${onAgain} close=${onClose} sending=${sending} />`;
  }
  return html`<form class="correct" onKeyDown=${(/** @type {KeyboardEvent} */ event) => { if (event.key === "Escape" && onClose) { event.preventDefault(); onClose(); } }} onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); look(); }}>
    <${Field} label="The right answer" name=${`${name}-answer`} hint="In the words that the model should say.">
      <input ref=${field} id=${`${name}-answer`} class="answer" type="text" autocomplete="off" value=${typed.answer} required
        aria-describedby=${`${name}-answer-hint`} onInput=${(/** @type {any} */ event) => type({ answer: event.target.value })} />
    <//>
    <details open=${typed.more} onToggle=${(/** @type {any} */ event) => { if (event.target.open !== typed.more) type({ more: event.target.open }); }}>
      <summary>Other wordings, what must stay, and why</summary>
      <div class="grid">
        <${Field} label="Also asked as" name=${`${name}-also`} hint="One to a line. Each must get the right answer too.">
          <textarea id=${`${name}-also`} rows="2" aria-describedby=${`${name}-also-hint`} value=${typed.also} onInput=${(/** @type {any} */ event) => type({ also: event.target.value })}></textarea><//>
        <${Field} label="Must stay as it is" name=${`${name}-keep`} hint="Questions whose answers must not move, one to a line.">
          <textarea id=${`${name}-keep`} rows="2" aria-describedby=${`${name}-keep-hint`} value=${typed.keep} onInput=${(/** @type {any} */ event) => type({ keep: event.target.value })}></textarea><//>
        <${Field} label="How far it reaches" name=${`${name}-reach`}>
          <select id=${`${name}-reach`} value=${typed.reach} onChange=${(/** @type {any} */ event) => type({ reach: event.target.value })}>
            <option value="open">not said</option><option value="image">this picture</option>
            <option value="kind">everything of its kind</option><option value="text">the words alone</option></select><//>
        <${Field} label="Reason" name=${`${name}-reason`}>
          <input id=${`${name}-reason`} type="text" value=${typed.reason} onInput=${(/** @type {any} */ event) => type({ reason: event.target.value })} /><//>
        <${Field} label="Ticket" name=${`${name}-ticket`}>
          <input id=${`${name}-ticket`} type="text" value=${typed.ticket} onInput=${(/** @type {any} */ event) => type({ ticket: event.target.value })} /><//>
      </div>
    </details>
    <div class="actions">
      <button type="submit" class=${fresh ? "plain" : "main"} disabled=${sending.busy !== ""}>${sending.busy === "look" ? "Looking…" : "See what would move"}</button>
      ${onClose && html`<button type="button" class="plain" onClick=${onClose}>Not now</button>`}
    </div>
    ${sending.busy === "look" && html`<${Busy} what="The correction is written beside the model and read back; nothing is changed." />`}
    ${done?.status === "refused" && html`<div class="failed" role="alert"><p>It was refused: ${done.why} Nothing changed; entry ${done.seq} says so.</p></div>`}
    <${Failed} error=${sending.error} />
    ${tried && html`<${WouldMove} receipt=${tried.receipt} stale=${!fresh} typed=${typed} heading=${result} busy=${sending.busy}
      allow=${(/** @type {string[]} */ ids) => look(ids)} apply=${() => commit("apply")} propose=${() => commit("propose")} />`}
  </form>`;
}

/** What a dry run found, as a diff.
 * @param {{ receipt: any, stale: boolean, typed: typeof EMPTY, heading: any, busy: string, allow: (ids: string[]) => void, apply: () => void, propose: () => void }} props */
function WouldMove({ receipt, stale, typed, heading, busy, allow, apply, propose }) {
  const would = receipt.status === "would apply", also = lines(typed.also), keep = lines(typed.keep);
  return html`<section class="would ${stale ? "stale" : ""}" aria-labelledby="would-title">
    <h3 id="would-title" tabindex="-1" ref=${heading}>${stale ? "You changed it since: look again" : would ? "This is what would move" : "It would be refused"}</h3>
    ${!would && html`<p class="why">${receipt.why}</p>`}
    <dl class="diff">
      <dt>This question</dt>
      <dd><${Slip} before=${receipt.before} after=${receipt.after || "(nothing)"} wrong=${!would && receipt.after === receipt.before} /></dd>
      ${also.length > 0 && html`<dt>Other wordings</dt><dd>${would ? `${also.length === 1 ? "It gets" : `All ${also.length} get`} the right answer too.` : `${counted(also.length, "wording")} asked.`}</dd>`}
      ${receipt.unsaid?.length > 0 && html`<dt>Not reached</dt><dd><${Moved} moved=${receipt.unsaid} /></dd>`}
      ${keep.length > 0 && html`<dt>Must stay</dt><dd><ul class="checks">${keep.map((one, at) => html`<li class=${receipt.kept[at] ? "yes" : "no"}>
        ${one} <span>${receipt.kept[at] === undefined ? "not asked" : receipt.kept[at] ? "stays" : "would move"}</span></li>`)}</ul></dd>`}
      <dt>Corrections nearby</dt>
      <dd>${receipt.lost.length
        ? html`<p class="no">It takes ${counted(receipt.lost.length, "other correction")} away: ${receipt.lost.map((/** @type {string} */ id) => html`<${EditLink} id=${id} /> `)}</p>
          <button type="button" class="plain" disabled=${busy !== ""} onClick=${() => allow(receipt.lost)}>It may: look again</button>`
        : receipt.beside ? html`<span class="yes">${counted(receipt.beside, "correction")} in force asked again; ${receipt.beside === 1 ? "it is" : "all are"} still given.</span>` : "None in force is near."}
        ${receipt.supersedes.length > 0 && html`<p>It takes the place of ${receipt.supersedes.map((/** @type {string} */ id) => html`<${EditLink} id=${id} /> `)}</p>`}</dd>
      <dt>Recent questions</dt>
      <dd>${receipt.moved.length
        ? html`<p>${receipt.moved.length} of ${counted(receipt.asked, "question")} would be answered otherwise:</p><${Moved} moved=${receipt.moved} />`
        : receipt.asked ? html`<span class="yes">${counted(receipt.asked, "recent question")} asked; no answer changes.</span>` : "None was asked yet, so none can move."}</dd>
    </dl>
    ${receipt.unprotected && html`<p class="note">This branch began without a pool of ordinary questions, so the editor protects none.</p>`}
    ${!stale && would && html`<div class="actions">
      ${may("approve") && html`<button type="button" class="main" disabled=${busy !== ""} onClick=${apply}>${busy === "apply" ? "Applying…" : "Apply"} <kbd>A</kbd></button>`}
      <button type="button" class=${may("approve") ? "plain" : "main"} disabled=${busy !== ""} onClick=${propose}>${busy === "propose" ? "Proposing…" : "Propose"} <kbd>P</kbd></button>
      <small>Nothing has changed yet. Looking took ${took(receipt.write_ms + receipt.guard_ms)}.</small>
    </div>`}
  </section>`;
}

/** @param {{ receipt: any, heading: any, undo: () => void, again?: () => void, close?: () => void, sending: any }} props */
function Receipt({ receipt, heading, undo, again, close, sending }) {
  const applied = receipt.status === "applied";
  const title = applied ? "In force" : receipt.undone ? "Taken back" : "Proposed";
  return html`<section class="receipt ${receipt.status}" aria-labelledby="receipt-title">
    <h3 id="receipt-title" tabindex="-1" ref=${heading}>${title}</h3>
    ${receipt.undone
      ? html`<p>The model answers <ins>${receipt.undone.after || receipt.before}</ins> again.</p>`
      : html`<${Slip} before=${receipt.before} after=${receipt.after} />`}
    <p class="note">Entry ${receipt.seq} of the log${applied && receipt.write_ms ? `: written in ${took(receipt.write_ms)}, checked in ${took(receipt.guard_ms)}` : ""}.
      ${!applied && !receipt.undone && " Somebody with the role approve decides."} <${EditLink} id=${receipt.id}>Its page (${short(receipt.id)})<//></p>
    <div class="actions">
      ${again && html`<button type="button" class="main" onClick=${again}>Ask again</button>`}
      ${applied && html`<button type="button" class="plain" disabled=${sending.busy !== ""} onClick=${undo}>${sending.busy === "undo" ? "Taking back…" : "Undo"} <kbd>U</kbd></button>`}
      ${close && html`<button type="button" class="plain" onClick=${close}>Done</button>`}
    </div>
    <${Failed} error=${sending.error} />
  </section>`;
}
