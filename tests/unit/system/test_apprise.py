"""Messages to services: with the real apprise, to a service of this test's own."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from rescue import paths
from rescue.commands import notify
from rescue.errors import RescueError, UsageError
from rescue.model.run.alarm import AlarmSettings
from rescue.store.config import CONFIG_VERSION, Config, DiskEntry, check
from rescue.system.notify import apprise


class Service(HTTPServer):
    """Takes messages as JSON; ends with the code that a test asks for."""

    answer = 200

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"json://ann:s3cret-word@127.0.0.1:{self.server_port}/alarm"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        service = self.server
        assert isinstance(service, Service)
        size = int(self.headers["Content-Length"])
        service.got.append(json.loads(self.rfile.read(size)))
        self.send_response(service.answer)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def there() -> Iterator[Service]:
    with Service() as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        yield service
        service.shutdown()


def test_a_message_arrives_whole(there: Service, tmp_path: Path) -> None:
    text = "rescue-mirror.service on server did not end well.\n\nline | $HOME 'x'\n" + "y" * 3000
    apprise.tell(there.url, title="rescue on server: failed", text=text, place=tmp_path)
    (got,) = there.got
    assert got["title"] == "rescue on server: failed"
    assert got["message"].strip() == text.strip()
    assert got["type"] == "failure"
    assert list(tmp_path.iterdir()) == [], "the file with the password is left"


def test_no_password_stands_in_the_arguments() -> None:
    assert apprise.argv("/usr/bin/apprise", config=Path("/run/rescue/x/services"), title="t") == [
        "/usr/bin/apprise",
        "--config=/run/rescue/x/services",
        "--title=t",
        "--notification-type=failure",
        "--input-format=text",
    ]


def test_a_service_that_refuses_is_named_without_its_password(
    there: Service, tmp_path: Path
) -> None:
    there.answer = 500
    with pytest.raises(RescueError, match="json: apprise could not deliver") as caught:
        apprise.tell(there.url, title="t", text="x", place=tmp_path)
    assert "s3cret" not in f"{caught.value.message}{caught.value.hint}{caught.value.__cause__}"
    assert list(tmp_path.iterdir()) == []


def test_one_that_fails_does_not_keep_it_from_the_others(
    there: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "RUNTIME", tmp_path)
    told = notify.by_services(
        ("json://127.0.0.1:9/nobody", "nosuch://pass@word", there.url), subject="t", text="x"
    )
    assert told.ways == ("told by json",)
    assert [failure.split(" (")[0] for failure in told.failures] == [
        "could not notify by json: apprise could not deliver",
        "could not notify by nosuch: apprise could not deliver",
    ]
    assert "pass" not in "".join(told.failures)
    assert len(there.got) == 1


def test_without_apprise_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apprise, "program", lambda: None)
    told = notify.by_services(("json://host",), subject="t", text="x")
    assert told.ways == ()
    assert told.failures == (
        f"could not notify by json: apprise is not installed ({apprise.INSTALL})",
    )


@pytest.mark.parametrize("url", ["", "host", "json:/x", "json://a b", "json://a\njson://b", "://x"])
def test_what_is_no_url_is_refused_without_repeating_it(url: str) -> None:
    settings = Config(
        version=CONFIG_VERSION,
        source=DiskEntry(table_uuid="x"),
        alarm=AlarmSettings(apprise=("json://ok", url)),
    )
    with pytest.raises(UsageError, match=r"alarm\.apprise") as caught:
        check(settings, where="rescue.toml")
    assert not url or url not in caught.value.message
