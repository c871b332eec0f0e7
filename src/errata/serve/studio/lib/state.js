// What all views share: who is asked for, what the log's head is, what was just said aloud.
import { signal } from "@preact/signals";

/** The hash route, split: `#/edit/abc?x=1` is `{ view: "edit", name: "abc", query }`. */
export const route = signal(read());

/** Who the server takes this page for, and what it serves; null until it has said so.
 * @type {import("@preact/signals").Signal<null | { name: string, role: string, branch: string, two_people: boolean, seq: number, model: string, version: string }>} */
export const me = signal(null);

const ROLES = ["ask", "propose", "approve", "admin"];

/** Whether the caller may do what a role may; until it is known, the server is asked.
 * @param {string} role */
export const may = (role) => me.value === null || ROLES.indexOf(me.value.role) >= ROLES.indexOf(role);

/** The number of the last entry of the log that is known of; null until one is. */
export const head = signal(/** @type {number | null} */ (null));

/** Goes up whenever something happened to the corrections: views that show them read again. */
export const changes = signal(0);

/** Whether what happens is heard of as it happens. */
export const live = signal(/** @type {"" | "on" | "off"} */ (""));

/** How many things wait in the queue; null until it was read. */
export const waiting = signal(/** @type {number | null} */ (null));

/** Said to screen readers. */
export const spoken = signal("");

/** A short line at the foot of the page, with what takes it back.
 * @type {import("@preact/signals").Signal<null | { text: string, undo?: () => void, id: number }>} */
export const notice = signal(null);

/** Whoever waits for a key to be typed.
 * @type {import("@preact/signals").Signal<null | { why: string, done: (key: string | null) => void }>} */
export const wanted = signal(null);

/** Whether single letters are shortcuts. */
export const letters = signal(localStorage.getItem("errata.letters") !== "off");

/** @type {import("@preact/signals").Signal<string>} */
export const theme = signal(localStorage.getItem("errata.theme") ?? "");

function read() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [view = "", name = ""] = path.split("/").map(decodeURIComponent);
  return { view: view || "queue", name, query: new URLSearchParams(query) };
}

addEventListener("hashchange", () => { route.value = read(); });

/** @param {string} hash */
export function go(hash) {
  location.hash = hash;
}

/** Put what is chosen in a view into its address, without a step back for each.
 * @param {string} view @param {Record<string, string>} query */
export function remember(view, query) {
  const kept = Object.entries(query).filter(([, value]) => value);
  const said = new URLSearchParams(kept).toString();
  history.replaceState(null, "", `#/${view}${said ? `?${said}` : ""}`);
}

/** @param {string} text */
export function say(text) {
  spoken.value = "";
  requestAnimationFrame(() => { spoken.value = text; });
}

let count = 0;

/** @param {string} text @param {() => void} [undo] */
export function notify(text, undo) {
  count += 1;
  notice.value = { text, undo, id: count };
  say(undo ? `${text} It can be taken back: U.` : text);
}

/** What was typed and not sent, kept for as long as the tab is open.
 * @param {string} name */
export function draft(name) {
  const at = `errata.draft.${name}`;
  return {
    /** @returns {Record<string, any>} */
    read() {
      try { return JSON.parse(sessionStorage.getItem(at) ?? "{}"); } catch { return {}; }
    },
    /** @param {Record<string, any>} value */
    write(value) {
      // A large picture may not fit: the words matter more.
      try { sessionStorage.setItem(at, JSON.stringify(value)); } catch {
        try { sessionStorage.setItem(at, JSON.stringify({ ...value, images: [] })); } catch { /* nothing is kept then */ }
      }
    },
    drop() { sessionStorage.removeItem(at); },
  };
}

/** @param {string} choice "light", "dark", or "" for what the system says */
export function wear(choice) {
  theme.value = choice;
  if (choice) { localStorage.setItem("errata.theme", choice); document.documentElement.dataset.theme = choice; }
  else { localStorage.removeItem("errata.theme"); delete document.documentElement.dataset.theme; }
}
