// Numbers, times and names as they are said.

/** @param {string} id */
export const short = (id) => id.slice(0, 8);

/** @param {number} count @param {string} one @param {string} [many] */
export const counted = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

/** @param {string | number | null | undefined} time ISO 8601, or seconds since 1970 */
export function moment(time) {
  const when = typeof time === "number" ? new Date(time * 1000) : new Date(time ?? "");
  return Number.isNaN(when.getTime()) ? null : when;
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

/** @param {string | number | null | undefined} time */
export const atClock = (time) => { const when = moment(time); return when ? clock.format(when) : ""; };
/** @param {string | number | null | undefined} time */
export const atFull = (time) => { const when = moment(time); return when ? full.format(when) : ""; };

/** @param {string | number | null | undefined} time */
export function onDay(time) {
  const when = moment(time);
  if (!when) return "";
  const days = Math.round((midnight(new Date()) - midnight(when)) / 86_400_000);
  return days === 0 ? "Today" : days === 1 ? "Yesterday" : day.format(when);
}

/** @param {Date} when */
const midnight = (when) => new Date(when.getFullYear(), when.getMonth(), when.getDate()).getTime();

/** @param {string | number | null | undefined} time */
export function ago(time) {
  const when = moment(time);
  if (!when) return "";
  const minutes = Math.round((Date.now() - when.getTime()) / 60_000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  if (minutes < 48 * 60) return `${Math.round(minutes / 60)} h ago`;
  return `${Math.round(minutes / 1440)} days ago`;
}

/** @param {number | null | undefined} ms */
export const took = (ms) => (ms === null || ms === undefined ? "" : ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

/** @param {number | null | undefined} score */
export const scored = (score) => (typeof score === "number" ? score.toFixed(2) : "–");

/** @param {unknown} value */
export const plain = (value) => String(value ?? "").normalize("NFKC").toLowerCase().replace(/\s+/g, " ").trim();

/** What an edit's status is called.
 * @type {Record<string, string>} */
export const STATUS = {
  "in-force": "in force", applied: "in force", over: "past its time", proposed: "proposed", reverted: "taken back", refused: "refused",
  quarantined: "quarantined", superseded: "superseded", expired: "expired", erased: "erased", rejected: "turned down",
  "would apply": "would be applied", "would refuse": "would be refused", "would revert": "would be taken back",
};

/** What an entry of the log is called.
 * @type {Record<string, string>} */
export const KIND = {
  begun: "the branch began", applied: "applied", refused: "refused", proposed: "proposed", approved: "approved", reverted: "taken back",
  superseded: "superseded", quarantined: "quarantined", expired: "expired", aliased: "named", checkpointed: "checkpoint",
  imported: "imported", rebased: "rebased", ruled: "rules", erased: "picture erased", restored: "restored", rejected: "turned down",
};
