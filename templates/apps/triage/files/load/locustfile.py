"""Load on a served application, at the rate and against the flows of slo.yaml.

`just load` runs it and holds the result, var/reports/load.json, against the objectives. Everything
goes to one address on this machine; LOAD_HOST names another. Never point it at production.
"""

import csv
import itertools
import json
import os
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

import yaml
from locust import HttpUser, LoadTestShape, constant_throughput, events, task
from standardwebhooks import Webhook

OBJECTIVES = yaml.safe_load(Path("slo.yaml").read_text(encoding="utf-8"))
FLOWS = {flow["name"]: flow for flow in OBJECTIVES["flows"]}
REPORT = Path("var/reports/load.json")
DRAFT_LIMIT_S = 30.0
# Multiples of the golden ratio, modulo one, fill a second evenly for any number of users.
OFFSETS = (number * 0.618034 % 1 for number in itertools.count())

with Path("datasets/banking77_train.csv").open(newline="", encoding="utf-8") as _file:
    TEXTS = itertools.cycle([" ".join(row["text"].split()) for row in csv.DictReader(_file)])


class Agent(HttpUser):
    """A support agent and the systems around one; one task a second, whatever each takes."""

    host = os.environ.get("LOAD_HOST", f"http://127.0.0.1:{os.environ.get('PORT', '8000')}")
    wait_time = constant_throughput(1)

    def on_start(self) -> None:
        # Users start in bunches and would stay in step for ever: spread them over their second.
        time.sleep(next(OFFSETS))
        token = os.environ.get("ACCESS_TOKEN")
        if token:
            self.client.headers["Authorization"] = f"Bearer {token}"
        secret = os.environ.get("WEBHOOK_SECRET", "").split(",")[0]
        self.signer = Webhook(secret) if secret else None
        self.last_ticket = ""

    @task(8)
    def look_at_the_inbox(self) -> None:
        self.client.get("/inbox", name="inbox")

    @task(6)
    def open_a_ticket(self) -> None:
        if not self.last_ticket:
            self.list_tickets()
        self.client.get(f"/inbox/{self.last_ticket}", name="ticket-page")

    @task(5)
    def list_tickets(self) -> None:
        with self.client.get("/tickets?limit=20", name="ticket-list", catch_response=True) as found:
            items = found.json()["items"] if found.ok else []
            if items:
                self.last_ticket = items[len(items) // 2]["id"]
            else:
                found.failure("no tickets to open: app seed")

    @task(3)
    def read_a_ticket(self) -> None:
        if self.last_ticket:
            self.client.get(f"/tickets/{self.last_ticket}", name="ticket-read")

    @task(3)
    def send_a_webhook(self) -> None:
        if self.signer is None:
            return
        now = datetime.now(UTC)
        body = json.dumps({"type": "ticket.created", "data": {"text": next(TEXTS)}})
        key = f"msg_{uuid.uuid4().hex}"
        headers = {
            "content-type": "application/json",
            "webhook-id": key,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self.signer.sign(key, now, body),
        }
        self.client.post("/webhooks/load", data=body, headers=headers, name="webhook")

    @task(3)
    def file_a_ticket_and_wait_for_the_draft(self) -> None:
        started = time.perf_counter()
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        accepted = self.client.post(
            "/tickets", json={"text": next(TEXTS)}, headers=headers, name="ticket-create"
        )
        if not accepted.ok:
            return
        url = accepted.json()["url"]
        while time.perf_counter() - started < DRAFT_LIMIT_S:
            time.sleep(0.2)
            found = self.client.get(url, name="ticket-read")
            if found.ok and found.json()["status"] == "ready":
                self._note_draft(started, None)
                return
        self._note_draft(started, TimeoutError(f"no draft within {DRAFT_LIMIT_S:.0f} s"))

    def _note_draft(self, started: float, error: Exception | None) -> None:
        self.environment.events.request.fire(
            request_type="FLOW",
            name="draft",
            response_time=(time.perf_counter() - started) * 1000,
            response_length=0,
            exception=error,
        )


class Rate(LoadTestShape):
    """As many users as slo.yaml promises requests a second; --run-time ends it."""

    use_common_options = True

    def tick(self) -> tuple[int, float] | None:
        seconds = self.runner.environment.parsed_options.run_time
        if seconds and self.get_run_time() > seconds:
            return None
        users = int(OBJECTIVES["requests_per_second"])
        return users, users / 2


@events.test_stop.add_listener
def write_report(environment, **_options) -> None:
    """Write what was measured of each flow, in the form that `app slo check` reads."""
    found = []
    for (name, _method), entry in environment.stats.entries.items():
        if name not in FLOWS:
            continue
        found.append(
            {
                "flow": name,
                "requests": entry.num_requests,
                "failures": entry.num_failures,
                "p95_ms": entry.get_response_time_percentile(0.95),
            }
        )
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    if not any(item["requests"] for item in found):
        environment.process_exit_code = 1
