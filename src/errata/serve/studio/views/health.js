// Health: does everything that was corrected still hold, how much room is left, how long answers take.
import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { get, post, send } from "../lib/api.js";
import { html } from "../lib/html.js";
import { useKeys } from "../lib/keys.js";
import { changes, head, say } from "../lib/state.js";
import { counted, took } from "../lib/words.js";
import { measured, quantile, sum } from "../lib/metrics.js";
import { Busy, EditLink, Failed, useLoad, useSending } from "../parts/basics.js";

const EVERY_MS = 5000, KEPT = 60;

/** The last audit of this tab. @type {import("@preact/signals").Signal<any>} */
const audit = signal(null);
/** @type {import("@preact/signals").Signal<{ at: number, rows: number, waiting: number, tokens: number }[]>} */
const seen = signal([]);

export function Health() {
  const metrics = useMetrics();
  return html`<div class="health-view">
    <header class="head"><h1 tabindex="-1">Health</h1><p>Whether what was corrected still holds, and how the server is.</p></header>
    <${Audit} />
    <${Chain} />
    <${Load} found=${metrics.found} error=${metrics.error} />
  </div>`;
}

/** The metrics, read again while they are in sight. */
function useMetrics() {
  const [found, set] = useState(/** @type {ReturnType<typeof measured> | null} */ (null));
  const [error, fail] = useState(/** @type {Error | null} */ (null));
  useEffect(() => {
    let here = true;
    const read = async () => {
      if (document.hidden) return;
      try {
        const now = measured(await (await send("GET", "/metrics")).text());
        if (!here) return;
        set(now); fail(null);
        seen.value = [...seen.value, { at: Date.now(), rows: sum(now, "errata_rows"), waiting: sum(now, "errata_waiting"), tokens: sum(now, "errata_tokens_total") }].slice(-KEPT);
      } catch (failed) { if (here) fail(/** @type {Error} */ (failed)); }
    };
    read();
    const timer = setInterval(read, EVERY_MS);
    return () => { here = false; clearInterval(timer); };
  }, []);
  return { found, error };
}

/** @type {[string, string][]} */
const VERDICTS = [["holds", "hold"], ["faded", "not given any more"], ["leaks", "moved what must stay"], ["obsolete", "needed no more"], ["expired", "past their time"], ["unasked", "can't be asked"]];

function Audit() {
  const sending = useSending();
  const run = () => sending.start("audit", async () => {
    audit.value = await post("/v1/audit", {});
    changes.value += 1;
    const bad = (audit.value.counts?.faded ?? 0) + (audit.value.counts?.leaks ?? 0);
    say(bad ? `${counted(bad, "correction")} ask for a look.` : "Everything holds.");
  });
  useKeys({ a: ["Run the audit", run] }, []);
  const found = audit.value;
  const bad = (found?.edits ?? []).filter((/** @type {any} */ one) => ["faded", "leaks"].includes(one.verdict));
  return html`<section aria-labelledby="audit"><h2 id="audit">Audit</h2>
    <p class="lede">Every correction in force is asked again, with its wordings and what must stay. It changes nothing.</p>
    <div class="actions"><button type="button" class="main" disabled=${sending.busy !== ""} onClick=${run}>${sending.busy ? "Asking…" : found ? "Audit again" : "Run the audit"} <kbd>A</kbd></button></div>
    ${sending.busy && html`<${Busy} what="Each correction is asked again. Answers to others go on meanwhile." />`}
    <${Failed} error=${sending.error} again=${run} />
    ${found && html`<p class="verdict ${bad.length ? "bad" : "good"}">${bad.length ? `${counted(bad.length, "correction")} ${bad.length === 1 ? "asks" : "ask"} for a look.` : found.edits.length ? "Everything holds." : "No correction is in force, so there was nothing to ask."}</p>
      <ul class="counts">${VERDICTS.filter(([name]) => found.counts?.[name]).map(([name, words]) => html`<li key=${name} class=${name}><b>${found.counts[name]}</b> ${words}</li>`)}</ul>
      ${bad.length > 0 && html`<ul class="plainlist found">${bad.map((/** @type {any} */ one) => html`<li key=${one.edit}><span class="q">${one.question}</span> <span class="for">should be</span> <ins>${one.target}</ins> <span class="for">is</span> <del>${one.now || "(nothing)"}</del> <${EditLink} id=${one.edit} />
        ${one.silenced_by.length > 0 && html`<small>silenced by ${one.silenced_by.map((/** @type {string} */ id) => html`<${EditLink} id=${id} /> `)}</small>`}</li>`)}</ul><p><a href="#/queue">They wait in the queue</a></p>`}
      ${found.branch?.length > 0 && html`<p class="no">${counted(found.branch.length, "rule")} of the branch broken.</p>`}`}
  </section>`;
}

function Chain() {
  const { data, error, again, busy } = useLoad((signal) => get("/v1/log/verify", {}, signal), [head.value]);
  return html`<section aria-labelledby="chain"><h2 id="chain">Log</h2><${Failed} error=${error} again=${again} />
    ${data && html`<p class=${data.verified ? "" : "no"}>${data.verified ? `${counted(data.entries, "entry", "entries")}: every hash, every correction and every picture is what was written.` : `Entry ${data.entry} isn't what was written: ${data.why}`} ${data.head && html`Head <code>${data.head.slice(0, 20)}</code>`} <button type="button" class="link" disabled=${busy} onClick=${again}>Check again</button></p>`}</section>`;
}

/** @param {{ found: ReturnType<typeof measured> | null, error: Error | null }} props */
function Load({ found, error }) {
  return html`<section aria-labelledby="load"><h2 id="load">Server</h2><${Failed} error=${error} />
    ${!found ? !error && html`<${Busy} what="Reading the server's figures." />` : html`<${Figures} found=${found} />`}</section>`;
}

/** @type {[string, string][]} */
const PHASES = [["pictures", "reading pictures"], ["first", "first word"], ["answer", "whole answer"], ["change", "a change"], ["rehearsal", "a dry run"]];

/** @param {{ found: ReturnType<typeof measured> }} props */
function Figures({ found }) {
  const last = seen.value[seen.value.length - 1], before = seen.value[seen.value.length - 2];
  const rate = last && before ? (last.tokens - before.tokens) / ((last.at - before.at) / 1000) : null;
  const room = found.get("errata_room_left")?.[0]?.value ?? null;
  const memory = found.get("process_resident_memory_bytes")?.[0]?.value ?? null;
  const edits = (/** @type {string} */ status) => (found.has("errata_edits") ? sum(found, "errata_edits", { status }) : "–");
  return html`<dl class="figures">
    <div><dt>in force</dt><dd>${edits("in-force")}</dd></div>
    <div><dt>proposed</dt><dd>${edits("proposed")}</dd></div>
    <div><dt>refused</dt><dd>${edits("refused")}</dd></div>
    <div><dt>room left</dt><dd>${room === null ? html`– <small>the editor doesn't say</small>` : `${Number((100 * room).toFixed(1))} %`}</dd></div>
    <div><dt>answering, waiting</dt><dd>${sum(found, "errata_rows")}, ${sum(found, "errata_waiting")}</dd></div>
    <div><dt>tokens a second</dt><dd>${rate === null ? "–" : Math.round(rate)}</dd></div>
    ${memory !== null && html`<div><dt>memory</dt><dd>${(memory / 2 ** 30).toFixed(1)} <small>GiB</small></dd></div>`}
  </dl>
  <${Latency} found=${found} />`;
}

/** How long the phases take: the middle one of two, and of twenty all but the slowest.
 * @param {{ found: ReturnType<typeof measured> }} props */
function Latency({ found }) {
  const rows = PHASES.flatMap(([phase, words]) => {
    const half = quantile(found, "errata_phase_seconds", 0.5, { phase }), most = quantile(found, "errata_phase_seconds", 0.95, { phase });
    return half === null || most === null ? [] : [{ phase, words, half, most, count: sum(found, "errata_phase_seconds_count", { phase }) }];
  });
  if (!rows.length) return html`<p class="quiet">Nothing was answered since the server began, so there is no time to tell.</p>`;
  const widest = Math.max(...rows.map((row) => row.most));
  return html`<h3>How long it takes</h3><dl class="bars">${rows.map((row) => html`<div key=${row.phase}><dt>${row.words}</dt>
      <dd><svg viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true"><rect class="tail" y="2" height="2" width=${(100 * row.most) / widest} /><rect class="mid" height="6" width=${(100 * row.half) / widest} /></svg></dd>
      <dd class="num">${took(1000 * row.half)}<small>, 95 % in ${took(1000 * row.most)}</small></dd></div>`)}</dl>
    <p class="note">Since the server began, over ${counted(rows.reduce((all, row) => all + row.count, 0), "measurement")}; the thick bar is the median. Buckets are coarse, so a time is near rather than exact.</p>`;
}
