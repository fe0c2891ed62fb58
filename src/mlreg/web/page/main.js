// The page, from top to bottom.

document.title = report.title;
document.querySelector("h1").textContent = report.title;
document.querySelector("header p").textContent = report.about;
if (report.runs.length) {
  addRuns();
  addCurves();
  addFacts();
}
addLineage();
addCards();
addNotes();
document.documentElement.dataset.ready = "yes";
