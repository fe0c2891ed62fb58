// The page, from top to bottom.

/** Put what datasets are like into its place: it was written as HTML, of which every text was escaped. */
function addData() {
  for (const section of [...document.getElementById("data-sections").children]) {
    document.querySelector("main").append(section);
    document.querySelector("nav").append(make("a", { href: `#${section.id}` }, section.querySelector("h2").textContent));
  }
}

async function open() {
  const main = document.querySelector("main");
  if (!("DecompressionStream" in window)) {
    main.append(make("p", {}, "This browser cannot unpack the report: one from 2023 or later can."));
    return;
  }
  report = JSON.parse(new TextDecoder().decode(await inflated(document.getElementById("data").textContent)));
  document.title = plain(report.title);
  document.querySelector("h1").textContent = plain(report.title);
  document.querySelector("header p").textContent = plain(report.about);
  report.runs = report.runs.map(withFacts);
  report.order = inOrder(report.runs);
  report.order.forEach((run, place) => { run.place = place; });
  addGlance();
  if (report.runs.length) {
    addRuns();
    addCurves();
    addScatter();
    addParallel();
    addParams();
  }
  addData();
  addLineage();
  addCards();
  addNotes();
  document.documentElement.dataset.ready = "yes";
}

open();
