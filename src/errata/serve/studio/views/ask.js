// Ask and correct: a picture, a question, the answer as it comes, and what to do where it is wrong.
import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { chat, dataUrl, get, pictureData, pins, post } from "../lib/api.js";
import { html } from "../lib/html.js";
import { useKeys } from "../lib/keys.js";
import { changes, draft, may, me, notify, say } from "../lib/state.js";
import { scored, took } from "../lib/words.js";
import { EditLink, Failed, Shots, useLoad, useSending } from "../parts/basics.js";
import { Correct } from "../parts/correct.js";

const LARGEST = 20 * 1024 * 1024, MOST = 16;
const kept = draft("ask");

/** What is typed and was answered: it stays while other views are looked at.
 * @type {import("@preact/signals").Signal<{ question: string, images: string[], version: string }>} */
const typed = signal({ question: "", images: [], version: "", ...kept.read() });

/** @typedef {{ question: string, images: string[], version: string, text: string, id: string, errata: any, cut: boolean, ended: boolean, ms: number | null, flagged: boolean }} Given */
/** @type {import("@preact/signals").Signal<Given | null>} */
const given = signal(null);
const correcting = signal(false);
const bare = signal(/** @type {string | null} */ (null));
/** @type {AbortController | null} */
let stop = null;

/** @param {Partial<{ question: string, images: string[], version: string }>} some */
function type(some) {
  typed.value = { ...typed.value, ...some };
  kept.write(typed.value);
}

/** @param {Iterable<File>} files @param {(problem: string) => void} complain */
async function add(files, complain) {
  complain("");
  for (const file of files) {
    if (!file.type.startsWith("image/")) complain(`${file.name || "That"} is no picture. PNG, JPEG and WebP are.`);
    else if (file.size > LARGEST) complain(`${file.name} is larger than 20 MB. Make it smaller first.`);
    else if (typed.value.images.length >= MOST) complain(`A question takes ${MOST} pictures at most.`);
    else {
      const url = await dataUrl(file);
      type({ images: [...typed.value.images, url] });
      say(`Picture ${typed.value.images.length} added.`);
    }
  }
}

export function Ask() {
  const sending = useSending();
  const [problem, complain] = useState("");
  const [over, setOver] = useState(false);
  const field = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const answer = useRef(/** @type {HTMLElement | null} */ (null));

  useEffect(() => {
    const paste = (/** @type {ClipboardEvent} */ event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length) { event.preventDefault(); add(files, complain); }
    };
    addEventListener("paste", paste);
    return () => removeEventListener("paste", paste);
  }, []);

  /** @param {{ question: string, images: string[], version: string }} asked */
  const ask = (asked) => {
    if (!asked.question.trim()) { complain("Type a question first."); field.current?.focus(); return; }
    complain("");
    stop?.abort();
    const mine = stop = new AbortController();
    sending.start("ask", async () => {
      const began = performance.now();
      correcting.value = false;
      bare.value = null;
      /** @type {Given} */
      const one = { ...asked, text: "", id: "", errata: null, cut: false, ended: false, ms: 0, flagged: false };
      given.value = one;
      try {
        const said = await chat(asked, (text) => { given.value = { ...one, text }; }, mine.signal);
        given.value = { ...one, ...said, ended: true, ms: performance.now() - began };
        say(`Answer: ${said.text}`);
        requestAnimationFrame(() => answer.current?.focus({ preventScroll: false }));
      } catch (error) {
        if (mine.signal.aborted) { given.value = given.value && { ...given.value, ended: true, cut: true }; return; }
        given.value = null;
        throw error;
      }
    });
  };
  const again = () => { const now = given.value; if (now) ask({ question: now.question, images: now.images, version: "" }); };
  const correct = () => { if (given.value?.ended) correcting.value = true; };
  useKeys({ "/": ["Go to the question", () => field.current?.focus()] }, []);

  return html`<div class="ask-view ${over ? "over" : ""} ${given.value ? "answered" : ""}"
    onDragOver=${(/** @type {DragEvent} */ event) => { event.preventDefault(); setOver(true); }}
    onDragLeave=${(/** @type {DragEvent} */ event) => { if (event.currentTarget === event.target) setOver(false); }}
    onDrop=${(/** @type {DragEvent} */ event) => { event.preventDefault(); setOver(false); add(event.dataTransfer?.files ?? [], complain); }}>
    <h1 class="sr" tabindex="-1">Ask and correct</h1>
    <form class="asking" aria-label="Ask the model" onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); ask(typed.value); }}>
      <${Pictures} complain=${complain} />
      <div class="field"><label for="question">Question</label>
        <textarea id="question" ref=${field} rows="2" value=${typed.value.question} placeholder="What is asked of the picture?"
          onInput=${(/** @type {any} */ event) => type({ question: event.target.value })}
          onKeyDown=${(/** @type {KeyboardEvent} */ event) => { if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); ask(typed.value); } }}></textarea></div>
      <div class="actions">
        ${sending.busy ? html`<button type="button" class="plain" onClick=${() => stop?.abort()}>Stop</button>`
          : html`<button type="submit" class=${correcting.value ? "plain" : "main"}>Ask</button>`}
        <${Version} />
        ${(typed.value.question || typed.value.images.length > 0) && html`<button type="button" class="link" onClick=${() => { type({ question: "", images: [] }); field.current?.focus(); }}>Clear</button>`}
      </div>
      ${problem && html`<p class="problem" role="alert">${problem}</p>`}
      <${Failed} error=${sending.error} again=${() => ask(typed.value)} />
    </form>
    <section class="answering" aria-label="Answer">
      ${given.value ? html`<${Answer} heading=${answer} again=${again} correct=${correct} />` : html`<${Hello} />`}
    </section>
    <${Lately} />
  </div>`;
}

/** @param {{ complain: (problem: string) => void }} props */
function Pictures({ complain }) {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const { images } = typed.value;
  return html`<div class="drop ${images.length ? "has" : ""}">
    ${images.map((url, at) => html`<figure key=${url.slice(-64) + at}><img src=${url} alt=${`Picture ${at + 1} of the question`} />
      <button type="button" class="icon" aria-label=${`Remove picture ${at + 1}`} onClick=${() => type({ images: images.filter((_, other) => other !== at) })}>×</button></figure>`)}
    <button type="button" class=${images.length ? "plain" : "wide"} onClick=${() => input.current?.click()}>
      ${images.length ? "Add another picture" : html`<strong>Choose a picture</strong><span>or drop it here, or paste it</span>`}</button>
    <input ref=${input} class="sr" type="file" accept="image/*" multiple tabindex="-1" aria-label="Pictures of the question"
      onChange=${(/** @type {any} */ event) => { add([...event.target.files], complain); event.target.value = ""; }} />
  </div>`;
}

function Version() {
  const [aliases, set] = useState(/** @type {string[]} */ ([]));
  useEffect(() => { pins().then(set, () => {}); }, [changes.value]);
  const chosen = typed.value.version;
  return html`<label class="inline">as it answers
    <select value=${chosen} onChange=${(/** @type {any} */ event) => type({ version: event.target.value })}>
      <option value="">now</option><option value="base">without corrections</option>
      ${aliases.slice(0, 30).map((pin) => html`<option key=${pin} value=${pin}>${/^\d+$/.test(pin) ? `after entry ${pin}` : `at ${pin}`}</option>`)}
    </select></label>`;
}

/** @param {{ heading: any, again: () => void, correct: () => void }} props */
function Answer({ heading, again, correct }) {
  const sending = useSending();
  const one = /** @type {Given} */ (given.value);
  const able = one.ended && !one.version && one.id !== "", corrects = able && may("propose");
  const flag = () => sending.start("flag", async () => {
    await post(`/v1/recent/${encodeURIComponent(one.id)}/flag`, { flag: !one.flagged });
    given.value = { ...one, flagged: !one.flagged };
    changes.value += 1;
    notify(one.flagged ? "Out of the queue again." : "It waits in the queue.");
  });
  const compare = () => sending.start("bare", async () => {
    const said = await chat({ ...one, version: "base", store: false }, () => {});
    bare.value = said.text;
    say(`Without corrections: ${said.text}`);
  });
  useKeys(able && !correcting.value ? { ...(corrects ? { c: ["Correct this answer", correct] } : {}), f: ["Flag it for later", flag] } : {}, [able, corrects, one, correcting.value]);

  return html`<p class="question">${one.question}</p>
    <h2 class="said ${one.ended ? "" : "coming"}" tabindex="-1" ref=${heading}><span class="sr">Answer: </span>${one.text}${one.ended && !one.text ? html`<em>(the model said nothing)</em>` : ""}</h2>
    ${one.ended && html`<${Spoke} one=${one} />
      ${bare.value !== null && html`<p class="bare">Without corrections: <q>${bare.value}</q></p>`}
      ${!correcting.value && html`<div class="actions">
        ${corrects && html`<button type="button" class="main" onClick=${correct}>It's wrong: correct it <kbd>C</kbd></button>`}
        ${able && html`<button type="button" class="plain" aria-pressed=${one.flagged ? "true" : "false"} disabled=${sending.busy !== ""} onClick=${flag}>${one.flagged ? "Flagged" : "Flag for later"} <kbd>F</kbd></button>`}
        <button type="button" class="plain" onClick=${again}>Ask again</button>
        ${one.errata?.edits?.length > 0 && bare.value === null && html`<button type="button" class="plain" disabled=${sending.busy !== ""} onClick=${compare}>Without corrections?</button>`}
      </div>`}
      <${Failed} error=${sending.error} />
      ${correcting.value && html`<${Correct} key=${one.id} name="ask" asked=${{ question: one.question, images: one.images, completion: one.id, before: one.text }}
        onAgain=${again} onClose=${() => { correcting.value = false; heading.current?.focus(); }} />`}`}`;
}

/** Which corrections spoke. @param {{ one: Given }} props */
function Spoke({ one }) {
  const { edits = [], told = true, decision = null, seq = null } = one.errata ?? {};
  const near = decision && !decision.inside && decision.edit;
  return html`<p class="spoke">
    ${edits.length === 0 ? "The model's own answer: no correction spoke." : html`<span class="mark" aria-hidden="true"></span>${told ? "Corrected by " : "Any of these may have spoken: "}
      ${edits.map((/** @type {any} */ edit, /** @type {number} */ at) => html`${at ? ", " : ""}<${EditLink} id=${edit.id} />${typeof edit.score === "number" ? ` (score ${scored(edit.score)})` : ""}`)}.`}
    ${near && html` The nearest one, <${EditLink} id=${decision.edit} />, scored ${scored(decision.score)}: too far.`}
    <span class="quiet"> ${one.version ? `As at ${one.version}. ` : seq !== null ? `Entry ${seq}, ` : ""}${took(one.ms)}${one.cut ? ", cut at the limit" : ""}</span></p>`;
}

const Hello = () => html`<div class="hello">
  <h2>Ask what the model should know.</h2>
  <p>Where the answer is wrong, say what is right. You see what else would move before anything changes, and can take it back afterwards.</p>
  <p class="quiet"><kbd>Enter</kbd> asks. <kbd>?</kbd> shows every key.</p></div>`;

/** What anybody asked lately: an answer that is opened can be corrected without being asked again. */
function Lately() {
  const { data } = useLoad((signal) => (may("propose") ? get("/v1/recent", { limit: 60 }, signal) : Promise.resolve({ data: [] })), [changes.value, given.value?.id, me.value?.role]);
  const seen = new Set(), rows = [];
  for (const one of data?.data ?? []) {
    const name = JSON.stringify([one.question, one.images, one.answer]);
    if (!seen.has(name) && rows.length < 12) rows.push(one);
    seen.add(name);
  }
  if (!rows.length) return null;
  /** @param {any} one */
  const open = async (one) => {
    stop?.abort();
    const images = await Promise.all(one.images.map((/** @type {string} */ path) => pictureData(path.split("/").pop() ?? "")));
    type({ question: one.question, images, version: "" });
    correcting.value = false;
    bare.value = null;
    const [, pin = ""] = one.model.split("@");
    given.value = { question: one.question, images, version: pin, text: one.answer, id: one.id, errata: { edits: one.edits.map((/** @type {string} */ id) => ({ id, score: null })), told: one.told, decision: null, seq: one.seq }, cut: false, ended: true, ms: null, flagged: one.flagged };
    scrollTo(0, 0);
    requestAnimationFrame(() => { const said = document.querySelector(".said"); if (said instanceof HTMLElement) said.focus({ preventScroll: false }); });
  };
  return html`<aside class="lately" aria-labelledby="lately"><h2 id="lately">Asked lately</h2><ul>${rows.map((one) => html`<li key=${one.id}>
    <button type="button" aria-current=${one.id === given.value?.id ? "true" : undefined} onClick=${() => { open(one).catch((error) => notify(error.message)); }}><${Shots} images=${one.images} />
      <span><span class="q">${one.question}</span><span class="a">${one.edits.length > 0 && html`<span class="mark" aria-hidden="true"></span><span class="sr">corrected: </span>`}${one.answer || "(nothing)"}</span>${one.flagged && html` <span class="flag">flagged</span>`}</span></button></li>`)}</ul></aside>`;
}
