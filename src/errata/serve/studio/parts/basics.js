// Small pieces that every view is made of.
import { useEffect, useRef, useState } from "preact/hooks";
import { picture, Refused } from "../lib/api.js";
import { html } from "../lib/html.js";
import { say } from "../lib/state.js";
import { ago, atFull, moment, short, STATUS } from "../lib/words.js";

/** What is read for a view: what was there stays in sight while it is read again.
 * @template T
 * @param {(signal: AbortSignal) => Promise<T>} read @param {unknown[]} inputs */
export function useLoad(read, inputs) {
  const [state, set] = useState(/** @type {{ data: T | null, error: Error | null, busy: boolean }} */ ({ data: null, error: null, busy: true }));
  const [turn, again] = useState(0);
  useEffect(() => {
    const stop = new AbortController();
    set((old) => ({ ...old, busy: true }));
    read(stop.signal).then(
      (data) => { if (!stop.signal.aborted) set({ data, error: null, busy: false }); },
      (error) => { if (!stop.signal.aborted) set((old) => ({ ...old, error, busy: false })); },
    );
    return () => stop.abort();
  }, [...inputs, turn]);
  return { ...state, again: () => again(turn + 1), set: (/** @type {T} */ data) => set({ data, error: null, busy: false }) };
}

/** Something that is sent when a person says so: is it under way, and what went wrong? */
export function useSending() {
  const [busy, setBusy] = useState("");
  const [error, setError] = useState(/** @type {Error | null} */ (null));
  const now = useRef(false);
  /** @param {string} name @param {() => Promise<void>} what */
  const start = async (name, what) => {
    if (now.current) return;
    now.current = true;
    setBusy(name);
    setError(null);
    try { await what(); } catch (failed) {
      setError(/** @type {Error} */ (failed));
      say(/** @type {Error} */ (failed).message);
    } finally { now.current = false; setBusy(""); }
  };
  return { busy, error, start, clear: () => setError(null) };
}

/** What went wrong, where it belongs.
 * @param {{ error: Error | null, again?: () => void }} props */
export function Failed({ error, again }) {
  if (!error) return null;
  const wait = error instanceof Refused && error.after ? ` The server asks to wait ${Math.ceil(error.after)} s.` : "";
  return html`<div class="failed" role="alert">
    <p>${error.message}${wait}</p>
    ${again && html`<button type="button" class="plain" onClick=${again}>Try again</button>`}
  </div>`;
}

/** @param {{ what: string }} props */
export const Busy = ({ what }) => html`<p class="busy" role="status"><span class="pulse" aria-hidden="true"></span>${what}</p>`;

/** Lines where something will stand. @param {{ rows?: number }} props */
export const Waiting = ({ rows = 3 }) => html`<div class="skeletons" role="status"><span class="sr">Loading</span>
  ${Array.from({ length: rows }, () => html`<div class="skeleton" aria-hidden="true"><i></i><b></b></div>`)}</div>`;

/** Nothing is here, and what to do about it. @param {{ title: string, children?: any }} props */
export const Empty = ({ title, children }) => html`<div class="empty"><h2>${title}</h2>${children}</div>`;

/** An errata slip: for this, read that.
 * @param {{ before?: string | null, after: string, wrong?: boolean, off?: boolean }} props */
export function Slip({ before, after, wrong = false, off = false }) {
  return html`<p class="slip ${wrong ? "gone" : ""} ${off ? "off" : ""}">
    ${before ? html`<span class="for">for</span> <del>${before}</del>${" "}` : ""}
    <span class="for">${wrong ? "not" : "read"}</span> <ins>${after}</ins>
  </p>`;
}

/** A picture of the log, by its address or digest.
 * @param {{ of: string, alt?: string, large?: boolean }} props */
export function Shot({ of, alt = "", large = false }) {
  const [url, set] = useState("");
  const [gone, lose] = useState(false);
  const digest = of.startsWith("data:") ? "" : of.split("/").pop() ?? "";
  useEffect(() => {
    let here = true;
    set(""); lose(false);
    if (digest) picture(digest).then((found) => here && set(found), () => here && lose(true));
    return () => { here = false; };
  }, [of]);
  const kind = large ? "shot large" : "shot";
  if (gone) return html`<span class="${kind} gone">no picture any more</span>`;
  const shown = digest ? url : of;
  return shown ? html`<img class=${kind} src=${shown} alt=${alt} />` : html`<span class=${kind} aria-hidden="true"></span>`;
}

/** The pictures of a question, or that it has none.
 * @param {{ images: string[], large?: boolean, alt?: string }} props */
export function Shots({ images, large = false, alt = "" }) {
  if (!images?.length && large) return null;
  if (!images?.length) return html`<span class="shot none" title="A question in words alone"><span aria-hidden="true">“ ”</span><span class="sr">no picture</span></span>`;
  const shown = large ? images : images.slice(0, 1);
  return html`<span class="shots">${shown.map((one) => html`<${Shot} key=${one} of=${one} large=${large} alt=${alt} />`)}
    ${images.length > shown.length && html`<small class="more">+${images.length - shown.length}</small>`}</span>`;
}

/** @param {{ status: string }} props */
export const Badge = ({ status }) => html`<span class="badge ${status.replace(/ /g, "-")}">${STATUS[status] ?? status}</span>`;

/** @param {{ at: string | number | null | undefined }} props */
export function When({ at }) {
  const when = moment(at);
  return when ? html`<time dateTime=${when.toISOString()} title=${atFull(at)}>${ago(at)}</time>` : null;
}

/** @param {{ id: string, children?: any }} props */
export const EditLink = ({ id, children }) => html`<a class="id" href=${`#/edit/${id}`}>${children ?? html`<span class="sr">correction </span>${short(id)}`}</a>`;

/** A labelled control. @param {{ label: string, hint?: string, children: any, name: string }} props */
export const Field = ({ label, hint, children, name }) => html`<div class="field">
  <label for=${name}>${label}</label>${children}${hint && html`<small id=${`${name}-hint`}>${hint}</small>`}</div>`;

/** Answers that would change.
 * @param {{ moved: { query: string, before: string, after: string }[] }} props */
export function Moved({ moved }) {
  return html`<ul class="moved">${moved.map((one) => html`<li key=${one.query}>
    <span class="q">${one.query}</span> <del>${one.before || "(nothing)"}</del> <span class="to">becomes</span> <ins>${one.after || "(nothing)"}</ins></li>`)}</ul>`;
}

/** A window above the page; Escape and the button close it.
 * @param {{ title: string, close: () => void, children: any }} props */
export function Dialog({ title, close, children }) {
  const box = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => {
    const before = document.activeElement;
    box.current?.showModal();
    return () => { if (before instanceof HTMLElement) before.focus(); };
  }, []);
  return html`<dialog ref=${box} aria-labelledby="dialog-title" onCancel=${(/** @type {Event} */ event) => { event.preventDefault(); close(); }}
    onClick=${(/** @type {MouseEvent} */ event) => { if (event.target === box.current) close(); }}>
    <div class="dialog"><header><h2 id="dialog-title">${title}</h2>
      <button type="button" class="icon" aria-label="Close" onClick=${close}>×</button></header>${children}</div></dialog>`;
}
