"""A page in headless Chromium: what a script finds in it, with every error that the page reports."""

import html
import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

BUDGETS_MS = (5_000, 60_000, 600_000)
"""Virtual time in which the script must end. On a loaded machine it runs ahead of the decoding of pictures."""

CATCH_ERRORS = """<script>
window.faults = [];
const fault = (event) => window.faults.push(event.message || `not loaded: ${event.target.tagName}`);
window.addEventListener("error", fault, true);
window.addEventListener("unhandledrejection", (event) => window.faults.push(String(event.reason)));
console.error = (...words) => window.faults.push(words.join(" "));
</script>"""
PROBE = """<script>
window.addEventListener("load", async () => {
  const found = await (async () => {%s})();
  const place = document.createElement("pre");
  place.id = "probe";
  place.textContent = JSON.stringify({...found, faults: window.faults});
  document.body.append(place);
});
</script></body>"""


def probed(page: Path, script: str, *, folder: Path, flags: Sequence[str] = ()) -> dict[str, Any]:
    """Return what the body of an async function returns in a page, and under `faults` every error of the page."""
    assert CHROMIUM is not None
    text = page.read_text(encoding="utf-8").replace("<head>", f"<head>{CATCH_ERRORS}", 1)
    before, _, after = text.rpartition("</body>")
    copy = folder / "probed.html"
    copy.write_text(before + PROBE % script + after, encoding="utf-8")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", *flags, "--dump-dom", copy.resolve().as_uri()]
    for budget_ms in BUDGETS_MS:
        # a new profile: an attempt that did not end may have left something in the storage of the page
        given = [*command, f"--user-data-dir={folder / f'profile-{budget_ms}'}", f"--virtual-time-budget={budget_ms}"]
        done = subprocess.run(given, capture_output=True, text=True, check=True, timeout=120)
        if found := re.search('<pre id="probe">(.*?)</pre>', done.stdout, re.DOTALL):
            result: dict[str, Any] = json.loads(html.unescape(found[1]))
            return result
    raise AssertionError(f"the script did not end: {done.stderr}")
