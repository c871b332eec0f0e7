// Which recent questions a correction speaks on: by its scope's score, or, where there is none, by what was said.
import { chat, get, pictureData, post } from "./api.js";

/** @typedef {{ question: string, images: string[], score: number | null, inside: boolean, told: boolean, answer: string }} Near */

/** Whether it was found that the editor tells no score: asking again would take as long for nothing. */
let mute = false;

/** @param {string} id @param {AbortSignal} [signal]
 * @returns {Promise<{ rows: Near[], rest: Near[], asked: number, threshold: number, scored: boolean }>} */
export async function near(id, signal) {
  const [scores, recent] = await Promise.all([
    mute ? { data: [], threshold: 0 } : post(`/v1/edits/${id}/questions`, { questions: [] }, { signal }), get("/v1/recent", { limit: 200 }, signal),
  ]);
  /** @type {Map<string, any>} */
  const said = new Map();
  for (const one of recent.data) if (!said.has(name(one))) said.set(name(one), one);
  const scored = scores.data.filter((/** @type {any} */ one) => typeof one.score === "number");
  mute = scores.data.length > 0 ? !scored.length : mute;
  if (scored.length) {
    const rows = scored.map((/** @type {any} */ one) => ({ ...one, told: true, answer: said.get(name(one))?.answer ?? "" }));
    return { rows: rows.sort((/** @type {Near} */ a, /** @type {Near} */ b) => Number(b.score) - Number(a.score)), rest: [], asked: scores.data.length, threshold: scores.threshold, scored: true };
  }
  const all = [...said.values()].map((one) => ({ question: one.question, images: one.images, score: null, inside: one.edits.includes(id), told: one.told, answer: one.answer }));
  return { rows: all.filter((one) => one.inside), rest: all.filter((one) => !one.inside), asked: all.length, threshold: scores.threshold, scored: false };
}

/** @param {any} one */
const name = (one) => JSON.stringify([one.question, one.images]);

/** Ask questions again as the model is now, and tell on which a correction speaks.
 * @param {string} id @param {Near[]} rows @param {(done: number) => void} progress @param {AbortSignal} signal @returns {Promise<Near[]>} */
export async function askedAgain(id, rows, progress, signal) {
  const found = [];
  for (const row of rows) {
    const images = await Promise.all(row.images.map((path) => pictureData(path.split("/").pop() ?? "")));
    const said = await chat({ question: row.question, images, store: false }, () => {}, signal);
    found.push({ ...row, answer: said.text, inside: (said.errata?.edits ?? []).some((/** @type {any} */ one) => one.id === id), told: said.errata?.told ?? false });
    progress(found.length);
  }
  return found;
}
