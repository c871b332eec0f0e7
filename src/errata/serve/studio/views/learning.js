// Learning: where people corrected the same thing, did they say the same?
import { all } from "../lib/api.js";
import { html } from "../lib/html.js";
import { changes } from "../lib/state.js";
import { counted, plain } from "../lib/words.js";
import { Badge, EditLink, Empty, Failed, Shots, useLoad, Waiting, When } from "../parts/basics.js";

const MOST = 2000;

/** The same thing: the same words about the same pictures. @param {any} edit */
const thing = (edit) => JSON.stringify([plain(edit.question).replace(/[?.!]+$/, ""), edit.images]);

/** What people said of the same things.
 * @param {any[]} edits newest first */
export function agreement(edits) {
  /** @type {Map<string, any[]>} */
  const things = new Map();
  for (const edit of edits) things.set(thing(edit), [...(things.get(thing(edit)) ?? []), edit]);
  let pairs = 0, same = 0;
  const shared = [];
  for (const rows of things.values()) {
    // What a person said last counts.
    const last = new Map(rows.toReversed().map((edit) => [edit.author, edit]));
    if (last.size < 2) continue;
    const said = [...last.values()];
    let agreed = 0, asked = 0;
    for (let one = 0; one < said.length; one += 1) {
      for (let other = one + 1; other < said.length; other += 1) {
        asked += 1;
        if (plain(said[one].answer) === plain(said[other].answer)) agreed += 1;
      }
    }
    pairs += asked; same += agreed;
    shared.push({ question: said[0].question, images: said[0].images, said, agreed: agreed === asked });
  }
  const people = new Map();
  for (const edit of edits) {
    const one = people.get(edit.author) ?? { author: edit.author, made: 0, standing: 0, back: 0, refused: 0 };
    one.made += 1;
    if (edit.status === "in-force") one.standing += 1;
    if (["reverted", "quarantined"].includes(edit.status)) one.back += 1;
    if (["refused", "rejected"].includes(edit.status)) one.refused += 1;
    people.set(edit.author, one);
  }
  return { shared: shared.sort((a, b) => Number(a.agreed) - Number(b.agreed)), pairs, same, people: [...people.values()].sort((a, b) => b.made - a.made) };
}

export function Learning() {
  const { data, error, again } = useLoad(() => all("/v1/edits", { all: "true" }, MOST), [changes.value]);
  const found = data && agreement(data.data);
  return html`<div class="learning-view">
    <header class="head"><h1 tabindex="-1">Learning</h1><p>Where several people corrected the same thing, and whether they said the same.</p></header>
    ${!found ? (error ? html`<${Failed} error=${error} again=${again} />` : html`<${Waiting} />`)
      : !data.data.length ? html`<${Empty} title="Nobody has corrected anything yet."><p><a class="button main" href="#/ask">Ask and correct</a></p><//>`
        : html`<div class="figures">
          <p><b>${found.pairs ? `${Math.round(100 * found.same / found.pairs)} %` : "–"}</b><span>${found.pairs ? `of ${counted(found.pairs, "pair")} of people agree` : "no two people corrected the same thing yet"}</span></p>
          <p><b>${found.shared.filter((one) => !one.agreed).length}</b><span>questions with two right answers</span></p>
          <p><b>${found.people.length}</b><span>${found.people.length === 1 ? "person has" : "people have"} corrected</span></p></div>
        ${found.shared.length > 0 && html`<section aria-labelledby="shared"><h2 id="shared">The same thing, by several</h2><ul class="shared">${found.shared.map((one) => html`<li key=${one.question} class=${one.agreed ? "agreed" : "apart"}>
          <${Shots} images=${one.images} /><div><p class="q">${one.question}</p><ul>${one.said.map((/** @type {any} */ edit) => html`<li key=${edit.id + edit.author}><span class="who">${edit.author || "somebody"}</span> <ins>${edit.answer}</ins> <${Badge} status=${edit.status} /> <${EditLink} id=${edit.id} /> <${When} at=${edit.time} /></li>`)}</ul></div>
          <span class="verdict">${one.agreed ? "agree" : "disagree"}</span></li>`)}</ul></section>`}
        <section aria-labelledby="people"><h2 id="people">By person</h2><div class="scroll" tabindex="0" role="group" aria-label="Corrections by person"><table><thead><tr><th scope="col">who</th><th scope="col">made</th><th scope="col">in force</th><th scope="col">taken back</th><th scope="col">refused</th></tr></thead>
          <tbody>${found.people.map((one) => html`<tr key=${one.author}><th scope="row"><a href=${`#/log?author=${encodeURIComponent(one.author)}`}>${one.author || "somebody"}</a></th><td>${one.made}</td><td>${one.standing}</td><td>${one.back}</td><td>${one.refused}</td></tr>`)}</tbody></table></div>
          <p class="note">Agreement is the share of pairs of people whose last answers to the same words about the same pictures match, letter case and spaces aside.${data.more ? ` Of the newest ${MOST} corrections.` : ""}</p></section>`}
  </div>`;
}
