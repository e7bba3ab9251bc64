"""Find a Chrome or Chromium for the tests, or install one.

Usage: python scripts/chromium.py     prints the path

In this order: $CHROMIUM, a browser on PATH, Debian's package (as root), Playwright's own download.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
HELP = "No Chrome or Chromium, and none could be installed. Install one, or set CHROMIUM to its path."


def find() -> str | None:
    """The path of an installed browser; None where there is none."""
    if given := os.environ.get("CHROMIUM"):
        return given
    if found := next((path for name in NAMES if (path := shutil.which(name))), None):
        return found
    try:
        from playwright.sync_api import sync_playwright

        with sync_playwright() as playwright:
            path = playwright.chromium.executable_path
        return path if os.path.exists(path) else None
    except ImportError:
        return None


def install() -> None:
    """Try Debian's package where we may install it, then Playwright's download."""
    if shutil.which("apt-get") and os.geteuid() == 0:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], env=environment, check=False)
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"], env=environment, check=False
        )
    if not find():
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)


def main() -> int:
    if not find():
        install()
    path = find()
    print(path or HELP, file=sys.stdout if path else sys.stderr)
    return not path


if __name__ == "__main__":
    sys.exit(main())
