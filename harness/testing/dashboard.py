"""The customer's dashboard as a customer uses it: a form, a page, a number on it."""

from __future__ import annotations

import hashlib
import re
from html.parser import HTMLParser
from urllib.parse import urljoin

import requests

from harness.errors import PromiseBroken
from harness.testing.answers import not_declared
from harness.testing.stack_info import StackInfo

#: A page that takes longer is a broken promise of its own (the plan: p95 < 1 s).
PAGE_LIMIT_S = 10


class DashboardView:
    """One browser without scripts, of one user. What the target file does not name is not observed."""

    def __init__(self, info: StackInfo, tenant: str) -> None:
        if info.target.paths.dashboard is None:
            not_declared("the target file names no paths.dashboard")
        if "create_user" not in info.target.actions:
            not_declared("the target file declares no action create_user")
        self._info = info
        self._url = info.target.base_url + info.target.paths.dashboard
        self._tenant = tenant
        self._name = f"{tenant.lower()}-viewer"
        self._password = hashlib.sha256(f"{info.seed}/{tenant}/dashboard".encode()).hexdigest()[:24]
        self._http = requests.Session()
        self._http.trust_env = False

    def create_user(self) -> None:
        """The operator lets this user in."""
        wish = {"tenant": self._tenant, "name": self._name, "password": self._password}
        self._info.control.call("action", name="create_user", input=wish)

    def log_in(self, *, password: str | None = None) -> bool:
        """Fill in the form that stands where the dashboard should be; whether the dashboard came."""
        page = self._http.get(self._url, timeout=PAGE_LIMIT_S)
        form = _Form(page.text)
        if not form.password:
            raise PromiseBroken(f"who is not logged in must be asked for a password; {self._url} shows no such form")
        given = {**form.hidden, form.name: self._name, form.password: password or self._password}
        self._http.post(urljoin(page.url, form.action), data=given, timeout=PAGE_LIMIT_S)
        return self.page() is not None

    def cookies(self) -> str:
        """What this browser sends with each request, as the header says it."""
        return "; ".join(f"{one.name}={one.value}" for one in self._http.cookies)

    def page(self) -> str | None:
        """The dashboard's HTML; None where it asks to log in."""
        answer = self._http.get(self._url, timeout=PAGE_LIMIT_S)
        return None if _Form(answer.text).password or not answer.ok else answer.text

    def purchases(self) -> int | None:
        """The number of purchases that the page says; None where it says none yet."""
        pattern = self._info.target.probes.dashboard_purchases
        if pattern is None:
            not_declared("the target file gives no probes.dashboard_purchases")
        found = re.search(pattern, self.page() or "")
        return int(re.sub(r"\D", "", found.group(1))) if found else None


class _Form(HTMLParser):
    """The first form that asks for a password: where it goes, and what its fields are called."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.action, self.name, self.password = "", "", ""
        self.hidden: dict[str, str] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the fields of one form, until its password was seen."""
        given = {key: value or "" for key, value in attrs}
        if self.password:
            return
        if tag == "form":
            self.action, self.name, self.hidden = given.get("action", ""), "", {}
        elif tag == "input":
            self._field(given.get("type", "text"), given)

    def _field(self, kind: str, given: dict[str, str]) -> None:
        match kind:
            case "hidden":
                self.hidden[given.get("name", "")] = given.get("value", "")
            case "password":
                self.password = given.get("name", "")
            case "text" | "email":
                self.name = given.get("name", "")
