"""The built site and a live memory in JupyterLab, used as a reader uses them, in a real browser without a network."""

import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time

import pytest
from browsing import complaints, needs_browser, visit
from test_book import PAGES, ROOT

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_browser]
PATIENCE = 300  # seconds, on a machine that is busy with other things
OPENED = """  // the notebook stands in front, and its kernel is there
const app = window.jupyterapp;
const book = app && [...app.shell.widgets("main")].find((one) => one.context?.path === "gallery_live.ipynb");
if (book && app.shell.currentWidget !== book) app.shell.activateById(book.id);
return !!book?.sessionContext.isReady && app.shell.currentWidget === book;
"""
FIRST = "notebooks/01_a_model_that_forgets"
CUT = """  // words that a figure's frame cuts off
return [...document.querySelectorAll(".lmem-plotly")].flatMap((box) => {
  const frame = box.getBoundingClientRect();
  const out = ({left, right, width}) => width > 0 && (left < frame.left - 2 || right > frame.right + 2);
  return [...box.querySelectorAll("text")].filter((one) => out(one.getBoundingClientRect())).map((one) => one.textContent);
});
"""
WIDE = """  // tables and code that are wider than their place on the page, opened or not
document.querySelectorAll("details").forEach((one) => (one.open = true));
return [...document.querySelectorAll("article :is(.pst-scrollable-table-container, .cell pre)")].flatMap((one) =>
  one.scrollWidth > one.clientWidth + 1 ? [`${one.scrollWidth} of ${one.clientWidth}: ${one.textContent.trim().slice(0, 60)}`] : []);
"""
FITTING = [  # pages whose tables and code fit
    "book/results", "notebooks/03_before_the_encoder", "notebooks/12_what_the_score_hides", "notebooks/13_capacity",
]  # fmt: skip
WEIGHT = """  // bytes that the page and all that it loaded have when they are unpacked; the weights of a live piece come later, when it is started
return ["navigation", "resource"].flatMap((kind) => performance.getEntriesByType(kind)).reduce((sum, {decodedBodySize}) => sum + decodedBodySize, 0);
"""


@pytest.fixture
def phone(driver):
    seen = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", seen)
    yield seen
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_all_on_a_phone_and_complains_of_nothing(driver, phone, site, page):
    """All figures drawn, with all their words, and all that is folded opened; nothing makes the page run over its side."""
    complaints(driver)
    driver.execute_cdp_cmd("Network.setCacheDisabled", {"cacheDisabled": True})
    visit(driver, f"{site}/{page}.html", unfold=True)
    driver.execute_cdp_cmd("Network.setCacheDisabled", {"cacheDisabled": False})
    assert driver.execute_script(CUT) == []
    assert driver.execute_script(WEIGHT) <= 5.5e6
    assert driver.execute_script("return document.documentElement.scrollWidth") <= phone["width"]
    assert complaints(driver) == []


@pytest.mark.parametrize("page", [FIRST, *FITTING])
def test_tables_and_code_fit_a_wide_screen(driver, site, page):
    """At 1400 px nothing of them has to be scrolled sideways; commands in the text may be longer."""
    seen = {"width": 1400, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", seen)
    try:
        visit(driver, f"{site}/{page}.html")
        assert driver.execute_script(WIDE) == []
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_complaint_is_heard(driver, site):
    """So that none means something: a script that fails, a file that is not there, another machine."""
    visit(driver, f"{site}/book/intro.html")
    complaints(driver)
    driver.execute_async_script(
        "const done = arguments[0]; console.error('broken'); new Image().src = 'none.png';"
        "fetch('http://example.org/x').catch(() => setTimeout(done, 200));"
    )
    found = "\n".join(complaints(driver))
    for word in ("broken", "404: ", "asked another machine: http://example.org/x"):
        assert word in found


def test_a_slider_changes_its_figure_by_keyboard(driver, site):
    visit(driver, f"{site}/{FIRST}.html")
    slider = driver.find_element("css selector", ".lmem-plotly + .lmem-slider input")
    shown = "const figure = arguments[0].parentNode.previousElementSibling; return [figure.querySelector('.heatmaplayer image, .plot')?.outerHTML, arguments[0].nextSibling.textContent]"
    wait(lambda: driver.execute_script(shown, slider)[0], 30)
    map_before, label_before = driver.execute_script(shown, slider)
    slider.send_keys("\ue010")  # the end
    for _ in range(50):
        map_after, label_after = driver.execute_script(shown, slider)
        if map_after != map_before and label_after != label_before:
            break
        time.sleep(0.05)
    assert label_after != label_before
    assert slider.get_attribute("aria-valuetext") == label_after
    assert map_after != map_before
    assert not driver.find_elements("css selector", ".slider-rail-touch-rect")


def test_a_folded_solution_opens(driver, site):
    visit(driver, f"{site}/{FIRST}.html")
    folded = driver.find_element("css selector", ".tag_solution details")
    code = folded.find_element("css selector", ".highlight")
    assert not code.is_displayed()
    summary = folded.find_element("tag name", "summary")
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", summary)
    summary.send_keys("\n")  # by keyboard
    wait(code.is_displayed, 5)
    assert "def turns_kept" in code.text


def test_dark_mode_turns_page_and_figures(driver, site):
    visit(driver, f"{site}/{FIRST}.html")
    colours = (
        "const ink = document.querySelector('.lmem-plotly .gtitle, .lmem-plotly text');"
        "return [document.documentElement.dataset.theme, getComputedStyle(document.body).backgroundColor, getComputedStyle(ink).fill]"
    )
    seen = {}
    for _ in range(4):  # the switch goes round: auto, light, dark
        theme, ground, ink = driver.execute_script(colours)
        seen[theme] = (ground, ink)
        driver.find_element("css selector", ".theme-switch-button").click()
        time.sleep(0.2)
    assert set(seen) == {"light", "dark"}
    light, dark = ([brightness(colour) for colour in seen[theme]] for theme in ("light", "dark"))
    assert light[0] > 200 > 100 > light[1]
    assert dark[0] < 100 < 200 < dark[1]
    driver.execute_script("localStorage.clear()")


def brightness(colour):
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3


# ---- JupyterLab ----------------------------------------------------------------------------------


@pytest.fixture
def lab(tmp_path):
    """The address of a JupyterLab of its own, without settings of whoever runs this: the gallery, up to its first widget."""
    pytest.importorskip("jupyterlab", reason="the [book] extra is not installed")
    (tmp_path / "work").mkdir()
    (tmp_path / "config/labconfig").mkdir(parents=True)
    asks_for_news = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (tmp_path / "config/labconfig/page_config.json").write_text(json.dumps(asks_for_news))
    notebook = json.loads((ROOT / "notebooks/gallery_live.ipynb").read_text(encoding="utf-8"))
    sources = ["".join(cell["source"]) for cell in notebook["cells"]]
    last = next(i for i, source in enumerate(sources) if "live(model, bank)" in source)
    notebook["cells"] = notebook["cells"][: last + 1]
    (tmp_path / "work/gallery_live.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"), "JUPYTER_DATA_DIR": str(tmp_path / "data"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"), "JUPYTER_TOKEN": token, "IPYTHONDIR": str(tmp_path / "ipython"),
        "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    options = [
        "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={tmp_path / 'work'}", "--LabApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly",
    ]  # fmt: skip
    with (tmp_path / "lab.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options], env=environment, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        wait(lambda: answers(port), PATIENCE, lambda: (tmp_path / "lab.log").read_text()[-2000:])
        yield f"http://127.0.0.1:{port}/lab/tree/gallery_live.ipynb?token={token}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def answers(port):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def wait(true, seconds, told=str):
    """Until `true()` is; what it gave."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = true()
        if found:
            return found
        time.sleep(0.5)  # each look costs the page time
    pytest.fail(f"not within {seconds} s: {told()}")


@pytest.mark.full
def test_a_turn_typed_into_a_live_memory_is_written_and_answered(driver, lab):
    driver.get(lab)
    wait(lambda: driver.execute_script(OPENED), PATIENCE, lambda: seen(driver))
    driver.execute_script("window.jupyterapp.commands.execute('notebook:run-all-cells')")

    def typed(label, text):
        field = f".jp-OutputArea input[aria-label='{label}']"
        wait(lambda: driver.find_elements("css selector", field), PATIENCE, lambda: seen(driver))
        line = driver.find_element("css selector", field)
        driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", line)
        line.send_keys(f"{text}\n")

    typed("Ask it", "What is Ana's cat called?")
    wait(lambda: answered(driver) == "Miro", PATIENCE, lambda: seen(driver))  # told by Python
    typed("Tell it something", "My brother is Hugo.")
    typed("Ask it", "Who is Ana's brother?")
    wait(lambda: answered(driver) == "Hugo", PATIENCE, lambda: seen(driver))


def seen(driver):
    """The page's words, for whoever must find out why something did not come."""
    return driver.find_element("tag name", "body").text[-2000:]


def answered(driver):
    """The model's last word."""
    return driver.execute_script(
        "return [...document.querySelectorAll('.live-said')].map((one) => one.textContent).at(-1) || ''"
    )
