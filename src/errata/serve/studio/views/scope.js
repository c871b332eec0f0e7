// Scope: recent questions by how near they are to a correction, and what another threshold would change.
import { useEffect, useRef, useState } from "preact/hooks";
import { get } from "../lib/api.js";
import { html } from "../lib/html.js";
import { changes, go, route, say } from "../lib/state.js";
import { askedAgain, near } from "../lib/near.js";
import { counted, scored, short } from "../lib/words.js";
import { Busy, EditLink, Empty, Failed, Shots, useLoad, useSending, Waiting } from "../parts/basics.js";

export function Scope() {
  const id = route.value.name;
  const { data, error, again } = useLoad((signal) => get("/v1/edits", { status: "in-force", limit: 100 }, signal), [changes.value]);
  useEffect(() => { if (!id && data?.data.length) location.replace(`#/scope/${data.data[0].id}`); }, [id, data]);
  const known = data?.data ?? [];
  const one = known.find((/** @type {any} */ edit) => id && edit.id.startsWith(id));
  return html`<div class="scope-view">
    <header class="head"><h1 tabindex="-1">Scope</h1><p>How far one correction reaches among what was asked lately.</p></header>
    ${!data ? (error ? html`<${Failed} error=${error} again=${again} />` : html`<${Waiting} />`)
      : known.length === 0 ? html`<${Empty} title="No correction is in force."><p>Once one is, this shows which questions it speaks on.</p><p><a class="button main" href="#/ask">Ask and correct</a></p><//>`
        : html`<div class="field"><label for="scope-edit">Correction</label>
          <select id="scope-edit" value=${one?.id ?? ""} onChange=${(/** @type {any} */ event) => go(`#/scope/${event.target.value}`)}>
            ${!one && html`<option value="">${id ? `${short(id)} (not in force)` : "choose one"}</option>`}
            ${known.map((/** @type {any} */ edit) => html`<option key=${edit.id} value=${edit.id}>${edit.question} → ${edit.answer}</option>`)}</select></div>
        ${id && html`<${Scored} key=${id} id=${one?.id ?? id} one=${one} />`}`}
  </div>`;
}

/** @param {{ id: string, one: any }} props */
function Scored({ id, one }) {
  const { data, error, again, busy } = useLoad((signal) => near(id, signal), [id]);
  if (!data) return error ? html`<${Failed} error=${error} again=${again} />` : html`<${Busy} what="Recent questions are compared with it." />`;
  const look = html`<button type="button" class="link" disabled=${busy} onClick=${again}>Look again</button>`;
  if (!data.asked) return html`<${Empty} title="Nothing was asked lately."><p>Ask something, and come back.</p><p class="actions"><a class="button main" href="#/ask">Ask</a>${look}</p><//>`;
  return html`<div class="scope">
    ${one && html`<p class="scope-of"><${Shots} images=${one.images} /> <span><span class="q">${one.question}</span> <span class="for">read</span> <ins>${one.answer}</ins> <${EditLink} id=${id} /></span></p>`}
    ${data.scored ? html`<${Threshold} data=${data} />` : html`<${Spoken} id=${id} data=${data} />`}
    <p class="count">${counted(data.asked, "recent question")}. ${look}</p></div>`;
}

/** How many recent questions are asked again at once. */
const AGAIN = 30;

/** Of an editor without scores: where it spoke, as it was answered, or as it is answered now.
 * @param {{ id: string, data: Awaited<ReturnType<typeof near>> }} props */
function Spoken({ id, data }) {
  const [fresh, set] = useState(/** @type {import("../lib/near.js").Near[] | null} */ (null));
  const [done, count] = useState(0);
  const sending = useSending();
  const stop = useRef(/** @type {AbortController | null} */ (null));
  useEffect(() => () => stop.current?.abort(), []);
  const all = [...data.rows, ...data.rest].slice(0, AGAIN);
  const again = () => sending.start("again", async () => {
    stop.current = new AbortController();
    count(0);
    const found = await askedAgain(id, all, count, stop.current.signal);
    set(found);
    say(`It speaks on ${found.filter((row) => row.inside).length} of ${found.length}.`);
  });
  const rows = fresh ? fresh.filter((row) => row.inside) : data.rows, rest = fresh ? fresh.filter((row) => !row.inside) : data.rest;
  const list = (/** @type {import("../lib/near.js").Near[]} */ some, /** @type {string} */ mark) => html`<ol class="scored unscored">${some.map((row) => html`<li key=${row.question + row.images.join()} class=${mark}>
    <${Shots} images=${row.images} /><span class="q">${row.question}</span><span class="a">${row.answer}</span></li>`)}</ol>`;
  return html`<p class="note">This editor tells no score, so there is no threshold to try: a question either reaches the correction or doesn't. To narrow it, give it questions that must stay; to widen it, other wordings. Editors with a scope (told, ike, serac, mscke) tell scores.</p>
    <div class="actions"><button type="button" class="plain" disabled=${sending.busy !== ""} onClick=${again}>${sending.busy ? `Asking: ${done} of ${all.length}` : `Ask the last ${all.length} again`}</button>
      <small>${fresh ? "As the model answers now." : "As they were answered, perhaps before the correction."}</small></div>
    <${Failed} error=${sending.error} again=${again} />
    <section aria-labelledby="spoke"><h2 id="spoke">${fresh ? "It speaks" : "It spoke"} on ${rows.length}</h2>${rows.length ? list(rows, "in") : html`<p class="quiet">On none.</p>`}</section>
    <section aria-labelledby="silent"><h2 id="silent">${fresh ? "It is" : "It was"} silent on ${rest.length}</h2>${list(rest, "out")}</section>`;
}

/** @param {{ data: Awaited<ReturnType<typeof near>> }} props */
function Threshold({ data }) {
  const [chosen, choose] = useState(/** @type {number | null} */ (null));
  const now = data.threshold, at = chosen ?? now, mine = data.rows;
  const change = mine.filter((row) => (Number(row.score) >= now) !== (Number(row.score) >= at));
  const gain = change.filter((row) => Number(row.score) >= at).length, loss = change.length - gain;
  const told = change.length === 0 ? "Nothing changes." : [gain && `${counted(gain, "question")} more would get it`, loss && `${counted(loss, "question")} would lose it`].filter(Boolean).join("; ") + ".";
  return html`<div class="threshold">
      <${Rail} rows=${mine} now=${now} at=${at} />
      <label for="threshold"><span>Threshold</span> <output for="threshold">${scored(at)}</output></label>
      <input id="threshold" type="range" min="0" max="1" step="0.01" value=${at} aria-valuetext=${`${scored(at)}. ${told}`}
        onInput=${(/** @type {any} */ event) => choose(Number(event.target.value))} />
      <p class="what" role="status"><strong>${told}</strong> ${chosen !== null && chosen !== now && html`<button type="button" class="link" onClick=${() => choose(null)}>Back to ${scored(now)}</button>`}</p>
      <p class="note">A what-if, as though it were the only correction: the server speaks from ${scored(now)} on and has no way to set that for one. To narrow it, give it questions that must stay; to widen it, other wordings.</p>
    </div>
    <ol class="scored" aria-label="Recent questions by score">
      ${mine.map((row, place) => html`<${Line} key=${row.question + row.images.join()} row=${row} now=${now} at=${at} cut=${place > 0 && Number(mine[place - 1].score) >= at && Number(row.score) < at} />`)}
    </ol>`;
}

/** @param {{ row: any, now: number, at: number, cut: boolean }} props */
function Line({ row, now, at, cut }) {
  const was = row.score >= now, would = row.score >= at;
  const mark = was === would ? (would ? "in" : "out") : would ? "gain" : "loss";
  const words = { in: "gets it", out: "doesn't", gain: "would get it", loss: "would lose it" }[mark];
  return html`<li class=${`${mark} ${cut ? "cut" : ""}`}><span class="score">${scored(row.score)}</span><${Shots} images=${row.images} />
    <span><span class="q">${row.question}</span> <span class="a">${row.answer}</span></span><span class="mark">${words}</span></li>`;
}

/** The scores on a line. @param {{ rows: any[], now: number, at: number }} props */
function Rail({ rows, now, at }) {
  const share = (/** @type {number} */ score) => 1 + 98 * Math.min(1, Math.max(0, score)), x = (/** @type {number} */ score) => `${share(score)}%`;
  return html`<svg class="rail" aria-hidden="true">
    <rect class="reach" x=${x(at)} y="6" width=${`${99 - share(at)}%`} height="34" rx="3" />
    <line class="base" x1="1%" x2="99%" y1="40" y2="40" />
    ${[0, 0.25, 0.5, 0.75, 1].map((tick) => html`<text class=${tick === 0 ? "" : tick === 1 ? "end" : "mid"} x=${x(tick)} y="54">${tick}</text>`)}
    ${rows.map((row, place) => html`<circle class=${row.score >= at ? "in" : "out"} cx=${x(row.score)} cy=${30 - (place % 3) * 8} r="4.5" />`)}
    <line class="now" x1=${x(now)} x2=${x(now)} y1="4" y2="40" /><line class="at" x1=${x(at)} x2=${x(at)} y1="2" y2="40" />
  </svg>`;
}
