"""A real browser for the tests that need one: Chromium, driven by selenium, without a network.

On Debian and Ubuntu: apt-get install chromium chromium-driver. Without both the tests are skipped, with this reason.
"""

import functools
import http.server
import json
import shutil
import threading
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next((path for path in map(shutil.which, NAMES) if path), None)
DRIVER = shutil.which("chromedriver")
needs_browser = pytest.mark.skipif(
    not (BROWSER and DRIVER),
    reason="no Chromium with its driver here: apt-get install chromium chromium-driver",
)
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    # whatever is not this machine cannot be found, so that asking for it is an error on the console
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
READY = """
const [unfold, done] = arguments, since = Date.now();
const look = () => {
  const here = document.readyState === "complete";   // the driver may come before a busy machine has run all scripts
  if (here) {
    dispatchEvent(new Event("beforeprint"));          // draws every figure, also those far below
    document.querySelectorAll("details").forEach((one) => (one.open = one.open || unfold));
  }
  const figures = [...document.querySelectorAll(".lmem-plotly")].every((box) => box.querySelector(".main-svg"));
  const formulas = !document.querySelector(".math") || document.querySelector("mjx-container");
  const drawn = here && figures && !!formulas;
  if (drawn || Date.now() - since > 100000) done(drawn);
  else setTimeout(look, 50);
};
look();
"""


@contextmanager
def browser(folder, width=1300, height=1000):
    """A driver with a profile of its own in `folder`."""
    selenium = pytest.importorskip("selenium", reason="the [dev] extra is not installed")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in (*FLAGS, f"--user-data-dir={folder}", f"--window-size={width},{height}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=DRIVER)
    try:
        driver = webdriver.Chrome(options=options, service=service)
    except selenium.common.exceptions.WebDriverException as error:
        pytest.fail(f"Chromium is here and does not start: {error}")
    try:
        driver.set_script_timeout(120)
        # without a window no page has the focus, and JupyterLab knows its notebook by the focus
        driver.execute_cdp_cmd("Emulation.setFocusEmulationEnabled", {"enabled": True})
        yield driver
    finally:
        driver.quit()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def served(folder):
    """The address of a server for this folder."""
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def visit(driver, address, unfold=False):
    """Open a page and wait until all of its figures and formulas are drawn; `unfold` opens all that is folded."""
    driver.get(address)
    assert driver.execute_async_script(READY, unfold), f"{address}: not all is drawn"


def complaints(driver):
    """What went wrong since the last call: errors on the console, requests that failed or asked another machine."""
    errors = [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]
    urls = {}
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        event, details = message["method"], message["params"]
        if event == "Network.requestWillBeSent":
            url = urls[details["requestId"]] = details["request"]["url"]
            parts = urlsplit(url)
            if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname != "127.0.0.1":
                errors.append(f"asked another machine: {url}")
        elif event == "Network.loadingFailed" and not details.get("canceled"):
            errors.append(f"failed: {urls.get(details['requestId'])} {details['errorText']}")
        elif event == "Network.responseReceived" and details["response"]["status"] >= 400:
            errors.append(f"{details['response']['status']}: {details['response']['url']}")
    return errors
