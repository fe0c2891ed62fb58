// What people wrote: cards of versions, and notes.

function addCards() {
  if (!report.cards.length) return;
  const card = ({ ref, fields, body }) => make("article", { class: "card" }, make("h3", {}, plain(ref)),
    make("dl", {}, ...fields.flatMap(([name, value]) => [make("dt", {}, cut(plain(name), 120)), make("dd", {}, shown(revived(value)))])),
    body ? make("div", { class: "prose" }, ...prose(body)) : null);
  addSection("cards", report.cards.length > 1 ? "Cards" : "Card", ...report.cards.map(card));
}

function addNotes() {
  if (!report.notes.length) return;
  const subject = (ref) => {
    const run = report.runs.find((one) => one.ref === ref);
    return run ? [swatch(run), run.name, " ", make("span", { class: "soft" }, plain(ref))] : [plain(ref)];
  };
  const note = ({ ref, text, author, time }) => make("article", { class: "said" }, make("h3", {}, ...subject(ref)),
    make("div", { class: "prose" }, ...prose(text)), make("div", { class: "soft" }, `${plain(author)}, ${plain(time)}`));
  addSection("notes", "Notes", ...report.notes.map(note));
}
