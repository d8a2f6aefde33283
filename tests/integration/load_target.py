"""A small foreign pipeline for load tests: one gateway (Stripe), no database, no queue. Run as a script.

Only what load needs of a target: it answers 202 and tells Meta of each sale once. `--slow SHARE:MS` answers that share
of the webhooks so much later; `--freeze AFTER:SECONDS` stands still once, as in a long garbage collection.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import threading
from email.utils import formatdate
from pathlib import Path
from typing import Any

import requests

ANSWER = b"HTTP/1.1 %d X\r\nDate: %s\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


class Pipeline:
    """Answers at once, and tells Meta in batches from a thread of its own."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self.asked = asked
        share, _, ms = asked.slow.partition(":")
        self.slow_every = round(1 / float(share)) if share else 0
        self.slow_s = float(ms or 0) / 1000
        after, _, lasts_s = asked.freeze.partition(":")
        self.freeze_at = int(after) if after else -1
        self.freeze_s = float(lasts_s or 0)
        self.tenants: dict[str, dict[str, Any]] = {}
        self.seen = 0
        self.known: set[str] = set()
        self.waiting: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, kept alive."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                path = lines[0].split(" ")[1]
                sizes = [line.split(":")[1] for line in lines if line.lower().startswith("content-length:")]
                body = await reader.readexactly(int(sizes[0])) if sizes else b""
                writer.write(ANSWER % (await self.answer(path, body), formatdate(usegmt=True).encode()))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def answer(self, path: str, body: bytes) -> int:
        """The status that this request is answered with."""
        if "/webhooks/stripe/" not in path:
            return 200
        self.seen += 1
        if self.seen == self.freeze_at:
            threading.Event().wait(self.freeze_s)  # of the whole process: nothing else is answered meanwhile
        if self.slow_every and self.seen % self.slow_every == 0:
            await asyncio.sleep(self.slow_s)
        sale = json.loads(body)["data"]["object"]
        if sale["id"] not in self.known:
            self.known.add(sale["id"])
            self.waiting.put_nowait((path.rpartition("/")[2].partition("?")[0], sale))
        return 202

    async def tell_meta(self) -> None:
        """Batches: what has come while the last one was on its way."""
        http = requests.Session()
        http.trust_env = False
        while True:
            batch = [await self.waiting.get()]
            while not self.waiting.empty():
                batch.append(self.waiting.get_nowait())
            tenants = {name for name, _ in batch}
            parts = [(one, [sale for name, sale in batch if name == one]) for one in tenants]
            await asyncio.gather(*(asyncio.to_thread(self.tell, http, *part) for part in parts))

    def tell(self, http: requests.Session, tenant: str, sales: list[dict[str, Any]]) -> None:
        """One call to Meta."""
        if tenant not in self.tenants:
            self.tenants = json.loads(Path(self.asked.tenants).read_text(encoding="utf-8"))
        account = self.tenants[tenant]
        events = [
            {
                "event_name": "Purchase",
                "event_time": sale["created"],
                "event_id": sale["id"],
                "action_source": "website",
                "event_source_url": "https://shop.example.com/",
                "user_data": {"em": ["a" * 64], "client_user_agent": "Mozilla/5.0"},
                "custom_data": {"currency": "BRL", "value": 1.0, "order_id": sale["id"]},
            }
            for sale in sales
        ]
        url = f"{self.asked.meta}/v23.0/{account['pixel_id']}/events"
        answer = http.post(url, json={"data": events, "access_token": account["meta_token"]}, timeout=30)
        if not answer.ok:
            sys.stderr.write(f"{answer.status_code} {answer.text[:300]}\n")


def target_file(folder: Path, *words: str) -> Path:
    """Write a target file for this pipeline, which is started with these words of its own."""
    known = ["python", __file__, "--tenants", str(folder / "tenants.json")]
    start = [*known, "--port", "${port}", "--meta", "${meta_url}", *words]
    path = folder / "golive.toml"
    path.write_text(
        f"""
[target]
name = "small"
base_url = "http://127.0.0.1:${{port}}"
[target.start]
web = {json.dumps(start)}
[target.gateways]
stripe = ["vendor"]
[target.tenants]
provision = {json.dumps([*known, "--provision"])}
""",
        encoding="utf-8",
    )
    return path


async def main(asked: argparse.Namespace) -> None:
    """Serve until somebody ends this process."""
    pipeline = Pipeline(asked)
    server = await asyncio.start_server(pipeline.serve, "127.0.0.1", asked.port, backlog=1024)
    async with server:
        await pipeline.tell_meta()


def provision(tenants: Path) -> None:
    """Write down what the harness tells of tenants."""
    told = {one["tenant"]: one for one in json.load(sys.stdin)["tenants"]}
    known = json.loads(tenants.read_text(encoding="utf-8")) if tenants.exists() else {}
    tenants.write_text(json.dumps(known | told), encoding="utf-8")
    sys.stdout.write("{}\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--tenants", required=True)
    parser.add_argument("--provision", action="store_true")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--meta", default="")
    parser.add_argument("--slow", default="")
    parser.add_argument("--freeze", default="")
    given = parser.parse_args()
    if given.provision:
        provision(Path(given.tenants))
    else:
        asyncio.run(main(given))
