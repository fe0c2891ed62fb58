"""Texts that were made to become elements, or to run, stay texts, in whatever field they stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlreg.registry import ExperimentRegistry, noting
from mlreg.registry.annotating import Subject
from tests.web.conftest import Visit, made
from tests.web.projects import Project, log_run, report_on

TEXTS = (
    "<script>window.hit = 1; alert(1)</script>",
    "</script><script>window.hit = 2</script>",
    '<img src=x onerror="window.hit = 3">',
    "<svg onload=window.hit=4><b>bold</b>",
    "</title></style><style>* { display: none }</style>",
    "--><!-- ]]> <iframe srcdoc='<i>x</i>'></iframe>",
    "'\"` &lt;i&gt; &#60;i&#62; \\u003ci\\u003e",
    "javascript:window.hit=5//",
    '[click](javascript:window.hit=6) <javascript:window.hit=7> [x](https://e.org/"onmouseover="window.hit=8)',
    "`<b>code</b>` **<b>strong</b>** *<b>soft</b>*",
    "${window.hit = 9} {{7 * 7}} %s",
    '{"int": "1"} <!doctype html><html><body onload=window.hit=10>',
    "x" * 5000,
)
"""Names of params and metrics cannot have what no printer has; everything else can."""
INVISIBLE = ("a\u2028b\u2029c", "\x00\x1b[31mred\x07\x7f\x9b", "\u202egnp.exe", "\u2066\u200b\ufeff", "a\r\nb\tc")
INJECTED = (
    "b, i, img, iframe, object, embed, link, base, form, input[type=image], "
    "[onload], [onerror], [onmouseover], [style*='display: none']"
)
ATTRIBUTES = """() => [...document.querySelectorAll('main *')].flatMap(one => [...one.attributes])
  .filter(({ name }) => !['value', 'data-metric'].includes(name)).map(({ value }) => value).join('')"""
"""What the attributes of all elements say, without those that are keys of the data and nothing shows."""


def hostile(registry: ExperimentRegistry) -> None:
    """Fill a registry with such texts, in every field that takes them."""
    file = Path(registry.registry.path).parent / "file"
    file.write_bytes(b"file")
    texts = [*TEXTS, *INVISIBLE]
    registry.registry.add("data/rows", [file], version="2026.01.01", message=TEXTS[0])
    registry.set_goal("churn", TEXTS[0], "max")
    for number, text in enumerate(texts):
        name = text[:200] if text in TEXTS else TEXTS[number % len(TEXTS)][:200]
        ref = log_run(
            registry,
            text,
            {name: text, f"number {name}": number, "nested": {text: [text, {text: text}]}},
            {name: [0.0, 1.0, 2.0], TEXTS[0]: [float(number), number + 1.0]},
            tags={text: text},
            group=text,
            inputs=[("data", "data/rows@latest")],
            description=text,
        )
        noting.add(registry.registry, ref, f"{text}\n\n# {text}\n\n- {text}\n\n| {text} |\n|---|\n| {text} |")
        Subject.to_change(registry.registry, ref).state({"labels": {"said": text}}, text)
    everything = "\n\n".join(texts)
    registry.registry.add(
        "model/net",
        [file],
        version="1.0.0",
        inputs=[("data", "data/rows@latest")],
        message=everything,
        metadata={"card": everything, "description": everything, "x": {text: text for text in texts}},
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    found = made(tmp_path_factory, "hostile", hostile)
    return report_on(found.registry, title=" ".join([*TEXTS[:6], *INVISIBLE]))


def count(page: Any, selector: str) -> int:
    found: int = page.locator(selector).count()
    return found


def test_no_text_becomes_an_element_or_runs(project: Project, visit: Visit) -> None:
    page = visit(project.file)

    assert page.evaluate("() => window.hit") is None
    assert [element.evaluate("one => one.outerHTML") for element in page.locator(INJECTED).all()] == []
    assert count(page, "script:not([type])") == 1
    assert count(page, "script[type='text/plain']") == 1 + len(project.report.curves)
    assert count(page, "style") == 1
    assert {link.get_attribute("href").split(":")[0] for link in page.locator("main a").all()} <= {"https"}
    assert page.locator("noscript").count() == 1


def test_each_text_is_there_to_read(project: Project, visit: Visit) -> None:
    page = visit(project.file)

    named = set(page.locator("#runs tbody th").all_text_contents())
    assert {text for text in TEXTS if len(text) < 120} <= named
    assert r"\u0000\u001b[31mred\u0007\u007f\u009b" in named
    assert r"\u202egnp.exe" in named
    assert page.locator("h1").inner_text().startswith(TEXTS[0])
    for text in TEXTS[:7]:
        assert text in page.locator("#cards").inner_text()
        assert text in page.locator("#notes").inner_text()


def test_nothing_invisible_turns_the_page_round(project: Project, visit: Visit) -> None:
    page = visit(project.file)

    body = page.evaluate("() => document.querySelector('main').textContent + document.title")
    attributes = page.evaluate(ATTRIBUTES)
    for text in (body, attributes):
        assert not set("\x00\x1b\x07\x9b\u2028\u2029\u202e\u2066\u200b\ufeff") & set(text)


def test_it_can_be_used(project: Project, visit: Visit) -> None:
    page = visit(project.file)

    for head in page.locator("#runs thead button").all()[:8]:
        head.click()
    for text in ("<script>", "</script>", "name like '%<%'", "name = '<' or", "window.hit", "\u202e"):
        page.fill("#filter", text)
    assert page.locator("#runs .problem").inner_text() == ""
    page.fill("#filter", "name like '%script%'")
    assert page.locator("#runs tbody tr[data-run]").count() == sum("script" in text for text in TEXTS)
    page.fill("#filter", "")
    for place in ("#runs tbody tr", "#scatter circle", "#lineage g.node", "#curves .legend button"):
        for element in page.locator(place).all()[:4]:
            element.hover(force=True)
    for select in ("#scatter-x", "#scatter-y"):
        for option in page.locator(f"{select} option").all()[:6]:
            page.select_option(select, option.get_attribute("value"))
    page.locator("#equal").check()
    page.get_by_label("logarithmic").check()

    assert page.evaluate("() => window.hit") is None
    assert count(page, INJECTED) == 0


def changed(project: Project, old: str, new: str) -> Path:
    """Return a report that someone has put something into."""
    path = project.file.with_name("changed.html")
    text = project.file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def test_a_script_that_is_put_into_the_file_does_not_run(churn: Project, browser: Any) -> None:
    said: list[str] = []
    asked: list[str] = []
    evil = (
        "<script>window.hit = 1</script><script src='https://example.org/x.js'></script>"
        "<img src='https://example.org/x.png' onerror='window.hit = 2'><style>body { color: rgb(1, 2, 3) }</style>"
        "<iframe src='https://example.org/'></iframe><link rel='stylesheet' href='https://example.org/x.css'>"
    )
    path = changed(churn, "</body>", f"{evil}</body>")
    page = browser.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("requestfinished", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-ready]")
    page.evaluate("fetch('https://example.org/').catch(() => window.refused = true)")
    page.wait_for_function("() => window.refused")

    assert page.evaluate("() => window.hit") is None
    assert page.evaluate("() => getComputedStyle(document.body).color") != "rgb(1, 2, 3)"
    assert asked == [path.as_uri()]
    assert sum("Content Security Policy" in text for text in said) >= 6
    page.close()


def test_a_script_of_the_page_that_was_changed_does_not_run(churn: Project, browser: Any) -> None:
    path = changed(churn, "\nopen();</script>", "\nopen(); window.hit = 1;</script>")
    page = browser.new_page()
    page.goto(path.as_uri())

    assert page.evaluate("() => [window.hit ?? null, document.documentElement.dataset.ready ?? null]") == [None, None]
    page.close()


def test_a_page_in_a_browser_that_runs_no_scripts_says_so(churn: Project, browser: Any) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto(churn.file.as_uri())

    assert "This report needs JavaScript" in page.locator("body").inner_text()
    page.close()


def test_a_page_in_a_browser_that_cannot_unpack_says_so(churn: Project, browser: Any) -> None:
    page = browser.new_page()
    page.add_init_script("delete window.DecompressionStream")
    page.goto(churn.file.as_uri())

    assert "cannot unpack the report" in page.locator("main").inner_text()
    page.close()
