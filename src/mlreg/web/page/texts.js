// What people wrote: cards of versions, and notes. All of it is shown as text.

function addCards() {
  if (!report.cards.length) return;
  const card = ({ ref, fields: facts, body }) => make("article", { class: "card" }, make("h3", {}, ref),
    make("dl", {}, ...facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, shown(value))])),
    body ? make("pre", {}, body) : null);
  addSection("cards", "Cards", ...report.cards.map(card));
}

function addNotes() {
  if (!report.notes.length) return;
  const note = ({ ref, text, author, time }) => make("article", { class: "said" }, make("h3", {}, ref), make("p", {}, text), make("div", { class: "soft" }, `${author}, ${time}`));
  addSection("notes", "Notes", ...report.notes.map(note));
}
