"""What the emulator's page is sent, as the tests ask for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import requests

    from tests.emulator.client import Api


def get(api: Api, path: str, **headers: str) -> requests.Response:
    return api.session.get(f"{api.url}{path}", headers=headers, timeout=10)


def get_state(api: Api, run: str = "", since: int = 0) -> Any:
    response = get(api, f"/_emulator/state?run={run}&since={since}")
    assert response.status_code == 200
    return response.json()


def get_table(api: Api, name: str) -> Any:
    (number,) = (table["id"] for table in get_state(api)["tables"] if table["name"] == name)
    return get(api, f"/_emulator/table?id={number}").json()


def get_rows(api: Api, name: str) -> list[dict[str, Any]]:
    """Return the rows of a table as the page has them, without the columns of Stitch."""
    table = get_table(api, name)
    names = [column for column, _ in table["shown"][: -table["system"]]]
    return [dict(zip(names, row["cells"], strict=False)) for row in table["rows"]]


def get_counts(api: Api) -> dict[str, int]:
    return {table["name"]: table["rows"] for table in get_state(api)["tables"]}
