// The page, from top to bottom.

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
  addLineage();
  addCards();
  addNotes();
  document.documentElement.dataset.ready = "yes";
}

open();
