"use strict";
// Shows the edits that fit what is chosen. Without it the page shows all of them.
const form = document.querySelector("form.filters"), cards = [...document.querySelectorAll("article.edit")];
const said = document.querySelector("#shown");
const plain = (text) => text.normalize("NFKC").toLowerCase().replace(/\s+/g, " ").trim();
const words = new Map(cards.map((card) => [card, plain(card.textContent)]));
function choose() {
  const data = new FormData(form), text = plain(data.get("text")), statuses = data.getAll("status"), author = data.get("author");
  let count = 0;
  for (const card of cards) {
    const fits = statuses.includes(card.dataset.status) && (!author || card.dataset.author === author)
      && words.get(card).includes(text);
    card.hidden = !fits;
    count += fits;
  }
  said.textContent = `${count} of ${cards.length} shown`;
}
// #status=reverted&author=ann&text=harbor chooses from the start; #e-... is an edit, which is shown whatever is chosen.
const given = new URLSearchParams(location.hash.slice(1));
if (given.has("text")) form.elements.text.value = given.get("text");
if (given.has("author")) form.elements.author.value = given.get("author");
if (given.has("status")) for (const box of form.querySelectorAll("[name=status]")) box.checked = given.getAll("status").includes(box.value);
form.hidden = false;
form.addEventListener("input", choose);
form.addEventListener("reset", () => setTimeout(choose));
form.addEventListener("submit", (event) => event.preventDefault());
addEventListener("hashchange", () => {
  const card = document.getElementById(location.hash.slice(1));
  if (card && card.hidden) { card.hidden = false; card.scrollIntoView(); }
});
choose();
