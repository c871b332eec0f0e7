// The studio: a page over errata's public routes. One view at a time, each with an address of its own.
import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { get, key, listen } from "./lib/api.js";
import { html } from "./lib/html.js";
import { shown, useKeys } from "./lib/keys.js";
import { changes, go, head, letters, live, may, me, notice, route, spoken, theme, waiting, wanted, wear } from "./lib/state.js";
import { Dialog } from "./parts/basics.js";
import { Ask } from "./views/ask.js";
import { EditPage } from "./views/edit.js";
import { Health } from "./views/health.js";
import { Learning } from "./views/learning.js";
import { Log } from "./views/log.js";
import { Queue } from "./views/queue.js";
import { Scope } from "./views/scope.js";

/** @type {Record<string, [component: any, title: string, tab: string]>} */
const VIEWS = {
  queue: [Queue, "Queue", "queue"], ask: [Ask, "Ask and correct", "ask"], log: [Log, "Log", "log"], edit: [EditPage, "Correction", "log"],
  scope: [Scope, "Scope", "scope"], health: [Health, "Health", "health"], learning: [Learning, "Learning", "learning"],
};

/** @type {[view: string, name: string, path: string][]} */
const TABS = [
  ["queue", "Queue", "M4 6h16M4 12h10M4 18h6"],
  ["ask", "Ask", "M5 5h14v10H11l-4 4v-4H5z"],
  ["log", "Log", "M6 4v16M6 7h12M6 12h9M6 17h12"],
  ["scope", "Scope", "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z"],
  ["health", "Health", "M3 12h4l3-7 4 14 3-7h4"],
  ["learning", "Learning", "M5 19v-6M12 19V5M19 19v-9"],
];

function Studio() {
  const { view, name } = route.value;
  const [View, title, tab] = VIEWS[view] ?? VIEWS.queue;
  const main = useRef(/** @type {HTMLElement | null} */ (null));
  const [help, setHelp] = useState(false);
  const first = useRef(true);

  // A new view begins at its heading, for eyes and for screen readers; the first one leaves the focus alone.
  useEffect(() => {
    document.title = `${title} · errata studio`;
    if (first.current) { first.current = false; return; }
    scrollTo(0, 0);
    requestAnimationFrame(() => main.current?.querySelector("h1")?.focus({ preventScroll: true }));
  }, [view, view === "scope" ? "" : name]);

  useKeys({
    "?": ["Show the keys", () => setHelp(true)],
    ...Object.fromEntries(TABS.map(([to, words], at) => [String(at + 1), [`Go to ${words}`, () => go(`#/${to}`)]])),
  }, []);
  useEffect(() => {
    if (me.value && may("propose")) get("/v1/queue").then((found) => { waiting.value = found.data.length; }, () => {});
  }, [me.value, changes.value]);
  const undo = notice.value?.undo;
  useKeys(undo ? { u: ["Undo", undo] } : {}, [undo]);

  return html`
    <a class="skip" href="#main" onClick=${(/** @type {Event} */ event) => { event.preventDefault(); main.current?.focus(); }}>To the content</a>
    <header class="masthead">
      <p class="name"><a href="#/queue" aria-label="errata studio"><span class="word">errata</span></a></p>
      <p class="which" title=${live.value === "off" ? "The server isn't heard from; trying again" : ""}>
        <b>${me.value?.model ?? ""}</b>${head.value !== null && html`<span> entry ${head.value}</span>`}${live.value === "off" && html`<span class="lost"> not connected</span>`}</p>
      <nav class="tabs" aria-label="Views"><ul>${TABS.map(([to, words, path]) => html`<li key=${to}>
        <a href=${`#/${to}`} aria-current=${to === tab ? "page" : undefined}><svg viewBox="0 0 24 24" aria-hidden="true"><path d=${path} /></svg>
          <span>${words}</span>${to === "queue" && waiting.value ? html`<b class="n"><span class="sr">, </span>${waiting.value}<span class="sr"> waiting</span></b>` : ""}</a></li>`)}</ul></nav>
      <div class="tools"><${Theme} /><button type="button" class="icon" aria-label="Keys and settings" title="Keys and settings (?)" onClick=${() => setHelp(true)}>?</button></div>
    </header>
    <main id="main" ref=${main} tabindex="-1"><${View} /></main>
    <${Notice} />
    <p class="sr" aria-live="polite">${spoken.value}</p>
    ${help && html`<${Help} close=${() => setHelp(false)} />`}
    ${wanted.value && html`<${KeyAsked} />`}`;
}

function Theme() {
  const next = theme.value === "" ? "light" : theme.value === "light" ? "dark" : "";
  const words = { "": "as the system", light: "light", dark: "dark" }[theme.value] ?? "";
  return html`<button type="button" class="icon theme" aria-label=${`Colours: ${words}. Change`} title=${`Colours: ${words}`} onClick=${() => wear(next)}>
    <svg viewBox="0 0 24 24" aria-hidden="true">${theme.value === "dark" ? html`<path d="M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z" />`
      : theme.value === "light" ? html`<circle cx="12" cy="12" r="4.5" /><path d="M12 2v2.5M12 19.5V22M2 12h2.5M19.5 12H22M5 5l1.7 1.7M17.3 17.3L19 19M5 19l1.7-1.7M17.3 6.7L19 5" />`
        : html`<circle cx="12" cy="12" r="8" /><path class="half" d="M12 4a8 8 0 0 1 0 16z" />`}</svg></button>`;
}

function Notice() {
  const now = notice.value;
  useEffect(() => {
    if (!now) return undefined;
    const timer = setTimeout(() => { if (notice.value?.id === now.id) notice.value = null; }, now.undo ? 12_000 : 5000);
    return () => clearTimeout(timer);
  }, [now?.id]);
  if (!now) return null;
  return html`<div class="notice" key=${now.id}><p>${now.text}</p>
    ${now.undo && html`<button type="button" onClick=${now.undo}>Undo <kbd>U</kbd></button>`}
    <button type="button" class="icon" aria-label="Away with this line" onClick=${() => { notice.value = null; }}>×</button></div>`;
}

/** @param {{ close: () => void }} props */
function Help({ close }) {
  const names = /** @type {Record<string, string>} */ ({ ArrowDown: "↓", ArrowUp: "↑" });
  const keys = shown();
  const here = keys.filter(({ key: one }) => !/^[1-6?]$/.test(one)), always = keys.filter(({ key: one }) => /^[1-6?]$/.test(one));
  const list = (/** @type {typeof keys} */ some) => html`<dl class="keys">${[...new Set(some.map(({ says }) => says))].map((says) => html`<div key=${says}>
    <dt>${some.filter((one) => one.says === says).map(({ key: one }) => html`<kbd key=${one}>${names[one] ?? one.toUpperCase()}</kbd>`)}</dt><dd>${says}</dd></div>`)}</dl>`;
  return html`<${Dialog} title="Keys" close=${close}>
    ${here.length > 0 && html`<h3>Here</h3>${list(here)}`}<h3>Everywhere</h3>${list(always)}
    <label class="check"><input type="checkbox" checked=${letters.value} onChange=${(/** @type {any} */ event) => { letters.value = event.target.checked; localStorage.setItem("errata.letters", letters.value ? "on" : "off"); }} /> single letters are keys</label>
    ${me.value && html`<p class="note">The server knows you as ${me.value.name}, who may ${{ ask: "ask", propose: "ask and propose", approve: "ask, propose and approve", admin: "do everything" }[me.value.role] ?? me.value.role}, on the branch ${me.value.branch}${me.value.two_people ? ", where one proposes and another approves" : ""}. errata ${me.value.version}.</p>`}
    ${key.read() && html`<p class="actions"><button type="button" class="plain" onClick=${() => { key.drop(); location.reload(); }}>Forget the key of this tab</button></p>`}<//>`;
}

function KeyAsked() {
  const asked = /** @type {NonNullable<typeof wanted.value>} */ (wanted.value);
  const [typed, set] = useState("");
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  useEffect(() => { field.current?.focus(); }, []);
  return html`<${Dialog} title="The server asks for a key" close=${() => asked.done(null)}>
    <form onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); if (typed.trim()) asked.done(typed); }}>
      ${asked.why && html`<p class="problem" role="alert">${asked.why}</p>`}
      <div class="field"><label for="key">Key</label><input id="key" ref=${field} type="password" autocomplete="off" spellcheck=${false} placeholder="errata_…" value=${typed} onInput=${(/** @type {any} */ event) => set(event.target.value)} /></div>
      <p class="note">An operator makes one with <code>errata key add</code>. It is kept in this tab alone, and forgotten when the tab is closed.</p>
      <div class="actions"><button type="submit" class="main" disabled=${!typed.trim()}>Go on</button><button type="button" class="plain" onClick=${() => asked.done(null)}>Not now</button></div></form><//>`;
}

wear(theme.value);
render(html`<${Studio} />`, /** @type {HTMLElement} */ (document.querySelector("#studio")));
listen();
