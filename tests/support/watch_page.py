"""Opens a page in a browser and prints, as JSON, what that is like; runs where Playwright is.

python watch_page.py BROWSER PAGE.html WIDTH light|dark [SCREENSHOT.png]
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

_PLAY_ALL = """async () => {
  const found = [];
  for (const audio of document.querySelectorAll("audio")) {
    audio.muted = true;
    const ended = new Promise(done => {
      audio.onerror = audio.onended = done;
      audio.ontimeupdate = () => audio.currentTime > 0 && done();
      setTimeout(done, 5000);
    });
    await audio.play().catch(() => null);
    await ended;
    found.push({label: audio.ariaLabel, duration: audio.duration, time: audio.currentTime,
                error: audio.error && audio.error.message});
    audio.pause();
    audio.currentTime = 0;
  }
  return found;
}"""

_PICTURES = """() => [...document.images].map(
  each => ({alt: each.alt, width: each.naturalWidth, height: each.naturalHeight}))"""


def watch(browser: str, page_path: str, width: int, scheme: Any, screenshot: str) -> dict[str, Any]:
    """What the browser says of the page, what it fetched, its players, pictures and sizes."""
    url = Path(page_path).absolute().as_uri()
    said: list[str] = []
    fetched: list[str] = []
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, args=root)
        page = opened.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.on("request", lambda request: fetched.append(request.url))
        page.goto(url)
        found = {
            "said": said,
            "fetched": [each for each in fetched if not each.startswith("data:") and each != url],
            "players": page.evaluate(_PLAY_ALL),
            "pictures": page.evaluate(_PICTURES),
            "text": page.inner_text("body"),
            "scroll_width": page.evaluate("document.documentElement.scrollWidth"),
            "paper": page.evaluate("getComputedStyle(document.body).backgroundColor"),
        }
        if screenshot:
            page.screenshot(path=screenshot, full_page=True)
        opened.close()
    return found


if __name__ == "__main__":
    program, path, wide, colors = sys.argv[1:5]
    print(json.dumps(watch(program, path, int(wide), colors, "".join(sys.argv[5:]))))
