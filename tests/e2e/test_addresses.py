"""Addresses of a running stack, for people and for the network."""

from __future__ import annotations

import re

import httpx
import psutil
from e2e.airflow_rest import AirflowRest

from model_lifecycle.stack.stack import Stack
from model_lifecycle.stack.status_page import page

_BROWSER = {"Accept": "text/html,application/xhtml+xml"}


def test_every_printed_page_opens(stack: Stack, admin: AirflowRest) -> None:
    """A browser that follows an address of the page sees a page, those in Airflow after the
    log-in."""
    printed = re.findall(r"http://[^ \n]+", page(stack.instance))
    pages = [address for address in printed if address != stack.instance.url("s3")]
    answers = {}
    for address in pages:
        if address.startswith(stack.instance.url("airflow")):
            answer = admin.open(address, _BROWSER)
        else:
            answer = httpx.get(address, headers=_BROWSER, follow_redirects=True)
        answers[address] = (answer.status_code, answer.headers["content-type"].partition(";")[0])

    assert len(pages) == 4
    assert answers == dict.fromkeys(pages, (200, "text/html"))


def test_nothing_listens_on_other_interfaces(stack: Stack) -> None:
    """Every port of every process of the stack is open to this host alone."""
    supervisor = psutil.Process(stack.supervision.pid)
    listening = {
        (one.laddr.ip, one.laddr.port)
        for process in supervisor.children(recursive=True)
        for one in process.net_connections("inet")
        if one.status == psutil.CONN_LISTEN
    }

    assert {port for _, port in listening} >= set(stack.instance.ports.values())
    assert {ip for ip, _ in listening} <= {"127.0.0.1", "::1"}
