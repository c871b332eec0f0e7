// The queue: what somebody flagged, proposed, or an audit found, suspects first; one key goes on.
import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { get, pictureData, post, send } from "../lib/api.js";
import { html } from "../lib/html.js";
import { useKeys } from "../lib/keys.js";
import { changes, notice, notify, say, waiting } from "../lib/state.js";
import { counted, STATUS } from "../lib/words.js";
import { Badge, EditLink, Empty, Failed, Moved, Shots, Slip, useLoad, useSending, Waiting, When } from "../parts/basics.js";
import { Correct } from "../parts/correct.js";

/** How long a rejection waits before it is sent: in that time it can be taken back. */
const GRACE_MS = 6000;

/** @typedef {{ kind: "flagged" | "proposed" | "faded", key: string, id: string, question: string, images: string[], before: string, answer: string, author: string, time: any, reason: string, ticket: string, why: string, edits: string[] }} Item */

/** What was dealt with in this tab, by its key: it leaves the list at once.
 * @type {import("@preact/signals").Signal<Record<string, string>>} */
const dealt = signal({});
/** @type {import("@preact/signals").Signal<string>} */
const current = signal("");
/** What is being corrected: it stays in sight, with its receipt, though the queue has it no more.
 * @type {import("@preact/signals").Signal<Item | null>} */
const pinned = signal(null);
/** How many were dealt with since the page was opened. */
const gone = () => Object.keys(dealt.value).length;

/** @type {{ timer: number, send: (leaving: boolean) => void } | null} */
let pending = null;
const flush = (leaving = false) => { const now = pending; pending = null; if (now) { clearTimeout(now.timer); now.send(leaving); } };
addEventListener("pagehide", () => flush(true));

/** What was pressed may be gone: the focus goes to what is shown now. */
function toTitle() {
  requestAnimationFrame(() => {
    const title = document.querySelector("#item-title") ?? document.querySelector("main h1");
    if (title instanceof HTMLElement) title.focus({ preventScroll: false });
  });
}

/** @param {any} one @returns {Item} */
function item(one) {
  const { kind, id, question, images, answered, edit } = one, faded = kind === "faded", flagged = kind === "flagged";
  return {
    kind, id, key: `${kind}:${id}`, question, images, before: flagged ? one.answer : edit?.before ?? "", answer: flagged ? "" : one.answer,
    author: faded ? "" : one.by, time: answered?.created ?? edit?.time ?? null, reason: faded ? "" : one.note, ticket: edit?.ticket ?? "",
    why: faded ? one.note.replace(/^\w+; /, "") : "", edits: answered?.edits ?? [],
  };
}

export function Queue() {
  const { data, error, busy, again } = useLoad((signal) => get("/v1/queue", {}, signal), [changes.value]);
  const listed = (data?.data ?? []).map(item).filter((/** @type {Item} */ one) => !dealt.value[one.key]);
  const held = pinned.value;
  const items = held && data && !dealt.value[held.key] && !listed.some((/** @type {Item} */ one) => one.key === held.key) ? [held, ...listed] : listed;
  const at = Math.max(0, items.findIndex((/** @type {Item} */ one) => one.key === current.value));
  const one = items[at];
  useEffect(() => { if (data) waiting.value = items.length; }, [data, items.length]);

  /** @param {number} step */
  const move = (step) => {
    const from = Math.max(0, items.findIndex((/** @type {Item} */ each) => each.key === current.value));
    const next = items[Math.min(items.length - 1, Math.max(0, from + step))];
    if (!next) return;
    current.value = next.key;
    toTitle();
  };
  /** Away with an item, and on to the next. @param {Item} done @param {string} how */
  const leave = (done, how) => {
    const next = items[at + 1] ?? items[at - 1];
    if (pinned.value?.key === done.key) pinned.value = null;
    dealt.value = { ...dealt.value, [done.key]: how };
    current.value = next?.key ?? "";
    toTitle();
  };
  /** @param {Item} done */
  const back = (done) => {
    const { [done.key]: _, ...rest } = dealt.value;
    dealt.value = rest;
    current.value = done.key;
    changes.value += 1;
  };
  useKeys({ j: ["Next", () => move(1)], k: ["The one before", () => move(-1)], ArrowDown: ["Next", () => move(1)], ArrowUp: ["The one before", () => move(-1)] }, [items.length, at, data]);

  return html`<div class="queue-view">
    <header class="head"><h1 tabindex="-1">Queue</h1>
      <p role="status">${!data ? "" : items.length ? html`<b>${at + 1} of ${items.length}</b>${gone() ? `, ${gone()} done` : ""}` : gone() ? `${counted(gone(), "thing")} done.` : ""}</p>
      ${items.length > 1 && html`<span class="steps"><button type="button" class="icon" aria-label="The one before" disabled=${at === 0} onClick=${() => move(-1)}>‹</button>
        <button type="button" class="icon" aria-label="Next" disabled=${at === items.length - 1} onClick=${() => move(1)}>›</button></span>`}</header>
    <${Failed} error=${error} again=${again} />
    ${!data ? !error && html`<${Waiting} rows=${4} />`
      : !one ? html`<${Empty} title=${gone() ? "That was the last one." : "Nothing waits."}>
          <p>Answers that somebody flags, corrections that somebody proposes and what an audit finds faded come here.</p>
          <p class="actions"><a class="button main" href="#/ask">Ask and correct</a> <a class="button plain" href="#/health">Run an audit</a> <button type="button" class="plain" disabled=${busy} onClick=${again}>Look again</button></p><//>`
        : html`<div class="triage"><nav class="rail" aria-label="What waits"><ol>${items.map((/** @type {Item} */ each) => html`<li key=${each.key}>
            <button type="button" aria-current=${each.key === one.key ? "true" : undefined} onClick=${() => { current.value = each.key; }}>
              <${Shots} images=${each.images} /><span class="main"><span class="kind ${each.kind}">${KINDS[each.kind] ?? each.kind}</span><span class="q">${each.question}</span></span></button></li>`)}</ol></nav>
          <${Item} key=${one.key} one=${one} leave=${leave} back=${back} next=${() => move(1)} /></div>`}
  </div>`;
}

/** @type {Record<string, string>} */
const KINDS = { flagged: "flagged answer", proposed: "proposal", faded: "not given any more", leaks: "moved what must stay", imported: "imported" };

/** @param {{ one: Item, leave: (one: Item, how: string) => void, back: (one: Item) => void, next: () => void }} props */
function Item({ one, leave, back, next }) {
  const sending = useSending();
  const [tried, set] = useState(/** @type {any} */ (null));
  const title = useRef(/** @type {HTMLElement | null} */ (null));

  /** Undo, by whoever asks for it: a key, or the line at the foot. @param {string} path @param {unknown} body */
  const undoBy = (path, body) => async () => {
    notice.value = null;
    try { await post(path, body); back(one); notify("Taken back; it waits again."); } catch (error) { notify(/** @type {Error} */ (error).message); }
  };
  const approve = () => sending.start("approve", async () => {
    flush();
    const receipt = await post(`/v1/edits/${one.id}/approve`, {});
    if (receipt.status === "refused" || receipt.status === "would refuse") { set(receipt); return; }
    changes.value += 1;
    leave(one, "approved");
    notify(`Approved: “${one.answer}” is in force.`, async () => {
      notice.value = null;
      try { await post(`/v1/edits/${one.id}/revert`, { reason: "undone right after it was approved" }); changes.value += 1; notify("Taken back. It isn't in force, and no proposal any more; its page restores it."); } catch (error) { notify(/** @type {Error} */ (error).message); }
    });
  });
  /** A rejection is sent a little later: in the log it can't be unsaid. */
  const reject = () => {
    flush();
    leave(one, "rejected");
    const path = `/v1/edits/${one.id}/reject`;
    const away = (/** @type {boolean} */ leaving) => { send("POST", path, { body: {}, keepalive: leaving }).then(() => { changes.value += 1; }, (error) => { back(one); notify(error.message); }); };
    pending = { timer: setTimeout(flush, GRACE_MS), send: away };
    notify("Turned down.", () => { if (pending) { clearTimeout(pending.timer); pending = null; } notice.value = null; back(one); });
  };
  const dismiss = () => sending.start("dismiss", async () => {
    const path = `/v1/recent/${encodeURIComponent(one.id)}/flag`;
    await post(path, { flag: false });
    leave(one, "dismissed");
    notify("The answer stands; it is out of the queue.", undoBy(path, { flag: true, note: one.reason }));
  });
  const rewrite = () => sending.start("again", async () => {
    const whole = await get(`/v1/edits/${one.id}`);
    const images = await Promise.all(whole.images.map((/** @type {string} */ path) => pictureData(path.split("/").pop() ?? "")));
    const receipt = await post("/v1/edits", { question: whole.question, images, answer: whole.answer, also: whole.also, keep: whole.keep, reach: whole.reach, mode: "apply", reason: "it wasn't given any more" });
    if (receipt.status === "refused") { set(receipt); return; }
    changes.value += 1;
    leave(one, "written again");
    notify(`Written again: “${one.answer}” is given.`, undoBy(`/v1/edits/${receipt.id}/revert`, { reason: "undone" }));
  });
  const withdraw = () => sending.start("revert", async () => {
    await post(`/v1/edits/${one.id}/revert`, { reason: "it wasn't given any more" });
    changes.value += 1;
    leave(one, "taken back");
    notify("Taken back.", undoBy(`/v1/edits/${one.id}/restore`, { reason: "undone" }));
  });
  const look = () => sending.start("look", async () => {
    const receipt = await post(`/v1/edits/${one.id}/approve`, { dry_run: true, recent: true });
    set(receipt);
    say(`${STATUS[receipt.status] ?? receipt.status}. ${receipt.why} ${counted(receipt.moved.length, "other answer")} would change.`);
  });
  const done = (/** @type {any} */ receipt) => {
    pinned.value = one;
    if (receipt.status !== "refused") post(`/v1/recent/${encodeURIComponent(one.id)}/flag`, { flag: false }).catch(() => {});
  };

  useEffect(() => { set(null); }, [one.key]);
  useKeys({
    ...(one.kind === "proposed" ? { a: ["Approve", approve], d: ["See what would move", look], x: ["Turn down", reject] }
      : one.kind === "flagged" ? { x: ["The answer is right: out of the queue", dismiss] }
        : { a: ["Write it again", rewrite], x: ["Take it back", withdraw] }),
  }, [one.key, sending.busy]);

  return html`<article class="item" aria-labelledby="item-title">
    <p class="meta"><span class="kind ${one.kind}">${KINDS[one.kind] ?? one.kind}</span> ${one.author && html`<span>${one.kind === "flagged" ? "asked" : ""} by ${one.author}</span>`} <${When} at=${one.time} />
      ${one.ticket && html`<span class="ticket">${one.ticket}</span>`}
      ${one.kind !== "flagged" && html`<${EditLink} id=${one.id}>its page<//>`}</p>
    ${one.images.length > 0 && html`<div class="pictures"><${Shots} images=${one.images} large alt="Picture of the question" /></div>`}
    <h2 id="item-title" tabindex="-1" ref=${title}>${one.question}</h2>
    ${one.kind === "flagged"
      ? html`<p class="said small"><span class="for">answered</span> ${one.before || "(nothing)"}</p>${one.edits.length > 0 && html`<p class="spoke"><span class="mark" aria-hidden="true"></span>Corrected by ${one.edits.map((edit) => html`<${EditLink} id=${edit} /> `)}</p>`}`
      : one.kind === "faded" ? html`<p class="said small"><span class="for">should be</span> <ins>${one.answer}</ins></p>` : html`<${Slip} before=${one.before} after=${one.answer} />`}
    ${one.reason && html`<p class="reason">${one.reason}</p>`}
    ${one.why && html`<p class="why">${one.why}</p>`}
    ${tried && html`<section class="would" aria-label="What would move"><h3>${/refuse/.test(tried.status) ? "It would be refused" : "What would move"} <${Badge} status=${tried.status} /></h3>
      ${tried.why && html`<p class="why">${tried.why}</p>`}
      <p>${tried.asked ? (tried.moved.length ? `${tried.moved.length} of ${counted(tried.asked, "recent question")} would be answered otherwise:` : `${counted(tried.asked, "recent question")} asked; no answer changes.`) : "No recent question was asked."}</p>
      ${tried.moved.length > 0 && html`<${Moved} moved=${tried.moved} />`}${tried.lost.length > 0 && html`<p class="no">It takes away ${tried.lost.map((/** @type {string} */ id) => html`<${EditLink} id=${id} /> `)}</p>`}</section>`}
    <${Failed} error=${sending.error} />
    ${one.kind === "proposed" && html`<div class="actions sticky">
      <button type="button" class="main" disabled=${sending.busy !== ""} onClick=${approve}>${sending.busy === "approve" ? "Approving…" : "Approve"} <kbd>A</kbd></button>
      <button type="button" class="plain" disabled=${sending.busy !== ""} onClick=${look}>${sending.busy === "look" ? "Looking…" : "What would move?"} <kbd>D</kbd></button>
      <button type="button" class="plain" disabled=${sending.busy !== ""} onClick=${reject}>Turn down <kbd>X</kbd></button></div>`}
    ${one.kind !== "proposed" && one.kind !== "flagged" && html`<div class="actions sticky">
      <button type="button" class="main" disabled=${sending.busy !== ""} onClick=${rewrite}>${sending.busy === "again" ? "Writing…" : "Write it again"} <kbd>A</kbd></button>
      <button type="button" class="plain" disabled=${sending.busy !== ""} onClick=${withdraw}>Take it back <kbd>X</kbd></button></div>`}
    ${one.kind === "flagged" && html`<${Flagged} one=${one} dismiss=${dismiss} busy=${sending.busy} done=${done} leave=${() => { leave(one, "corrected"); next(); }} />`}
  </article>`;
}

/** A flagged answer: say what is right, or let it stand.
 * @param {{ one: Item, dismiss: () => void, busy: string, done: (receipt: any) => void, leave: () => void }} props */
function Flagged({ one, dismiss, busy, done, leave }) {
  const [open, set] = useState(false);
  useKeys(open ? {} : { c: ["Correct it", () => set(true)], a: ["Correct it", () => set(true)] }, [open]);
  return open
    ? html`<${Correct} name=${`queue.${one.id}`} asked=${{ question: one.question, images: [], completion: one.id, before: one.before }} onApplied=${done} onClose=${leave} />`
    : html`<div class="actions sticky"><button type="button" class="main" onClick=${() => set(true)}>Correct it <kbd>A</kbd></button>
      <button type="button" class="plain" disabled=${busy !== ""} onClick=${dismiss}>The answer is right <kbd>X</kbd></button></div>`;
}
