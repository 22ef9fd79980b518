"""axe-core looks at every page of the built site, in light and in dark: what our content does wrong fails."""

from importlib import resources

import pytest
from browsing import needs_browser, visit
from test_book import PAGES

# minutes long, so only with `make test-full`
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.full, needs_browser]
THEME = {  # (rule, where): what the theme's shell does, and why it is left
    (
        "region",
        ".sidebar-primary-item",
    ): "the theme's sidebar holds its logo and search outside of a landmark",
}
RUN = """
const [shell, theme, done] = arguments;
const listed = (rule, one) => (shell[rule] || []).some((where) => one && one.closest(where));
const drawings = {exclude: [".main-svg"]};  // plotly's, whose colours test_browser looks at; their figures are looked at here
const options = {resultTypes: ["violations"], preload: false};
if (theme === "dark") options.runOnly = ["color-contrast"];  // nothing else depends on it
axe.run(drawings, options).then((found) => done(found.violations.flatMap((rule) =>
  rule.nodes
    .filter((node) => !listed(rule.id, document.querySelector(node.target[0])))
    .map((node) => `${rule.id} at ${node.target.join(" ")}: ${rule.help} | ${node.html.slice(0, 200)}`)
)));
"""

THEN = """
const [theme, done] = arguments, since = Date.now();
const look = () => {
  const now = document.documentElement.dataset.theme || null;   // an empty page has none
  if (now === theme || !now || Date.now() - since > 10000) setTimeout(() => done(now), 300);  // colours fade over
  else setTimeout(look, 50);
};
look();
"""


@pytest.fixture(scope="module")
def axe():
    found = pytest.importorskip("selenium_axe_python", reason="the [dev] extra is not installed")
    return (resources.files(found) / "axe-core/axe.min.js").read_text(encoding="utf-8")


def violations(driver, axe, theme="light"):
    shell = {}
    for rule, where in THEME:
        shell.setdefault(rule, []).append(where)
    driver.execute_script(axe)
    return driver.execute_async_script(RUN, shell, theme)


def prefer(driver, theme):
    """Ask for a theme as the reader's system does."""
    wanted = [{"name": "prefers-color-scheme", "value": theme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": wanted})
    now = driver.execute_async_script(THEN, theme)
    assert now in (theme, None), f"the page is {now}"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_accessible_in_light_and_dark(driver, axe, site, page):
    prefer(driver, "light")
    visit(driver, f"{site}/{page}.html", unfold=True)
    found = {"light": violations(driver, axe)}
    prefer(driver, "dark")  # the page follows, as it does in the evening
    found["dark"] = violations(driver, axe, "dark")
    assert found == {"light": [], "dark": []}


def test_what_is_wrong_is_seen(driver, axe, tmp_path):
    """So that none means something: a picture without a name, words too pale to read, a level left out."""
    page = """<!doctype html><html lang="en"><title>A</title><main><h1>A</h1><h3>B</h3><img src="">
        <p style="color:#bbb;background:#fff">pale</p></main></html>"""
    (tmp_path / "wrong.html").write_text(page, encoding="utf-8")
    driver.get((tmp_path / "wrong.html").as_uri())
    rules = {line.split()[0] for line in violations(driver, axe)}
    assert {"image-alt", "color-contrast", "heading-order"} <= rules
