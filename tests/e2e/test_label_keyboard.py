"""Labelling in a real browser: by keyboard, and without a script."""

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from desk.labels import key
from desk.labels.outcomes import Answer
from desk.labels.rules import Labelling
from desk.labels.store import LabelStore
from maskgate.runtime.clock import now_ms
from tests.desk_site import PASSWORD, Desk, desk
from tests.review_crops import DAY_MS, review_crop
from tests.servers.redis_server import RedisServer

CROPS = 20
CHROMIUM = shutil.which("chromium")


@contextmanager
def store(state: Path) -> Iterator[LabelStore]:
    opened = LabelStore(state / "labels", key.load(state / "key"), clock=now_ms, twice=0)
    with closing(opened):
        yield opened


@pytest.fixture
def site(redis: RedisServer, tmp_path: Path) -> Iterator[Desk]:
    key.make(tmp_path / "key")
    with store(tmp_path) as filled:
        for _ in range(CROPS):
            filled.add(review_crop(captured_at_ms=now_ms(), keep_until_ms=now_ms() + DAY_MS))
    settings = {"MASKGATE_DESK_LABELS_KEY_FILE": str(tmp_path / "key")}
    with desk(redis.url, tmp_path, settings) as site:
        yield site


@contextmanager
def browser(site: Desk, *, script: bool = True) -> Iterator[Any]:
    """The labels page, signed in as a labeller."""
    from playwright.sync_api import sync_playwright

    if CHROMIUM is None:
        pytest.skip("no chromium on PATH")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = chromium.new_context(java_script_enabled=script).new_page()
        page.goto(f"{site.url}sign-in?next=/labels")
        page.fill("[name=name]", "labeller")
        page.fill("[name=password]", PASSWORD)
        page.press("[name=password]", "Enter")
        page.wait_for_selector(".crop")
        yield page
        chromium.close()


def counted(page: Any, number: int) -> None:
    page.wait_for_selector(f"#own:text-is('{number}')")
    page.wait_for_load_state("load")  # before that, no script hears a key


def test_twenty_crops_are_labelled_by_keyboard_alone(site: Desk, tmp_path: Path) -> None:
    complaints: list[str] = []
    with browser(site) as page:
        page.on("console", lambda message: complaints.append(message.text))
        for done, pressed in enumerate("1m2n3b4c" * 2 + "mnbc", 1):
            page.keyboard.press(pressed)
            counted(page, done)
        assert page.locator(".crop").count() == 0
        page.keyboard.press("u")
        counted(page, CROPS - 1)
        page.keyboard.press("x")
        page.keyboard.press("1")
        counted(page, CROPS)
    assert complaints == [], "the policy of the page refuses nothing"
    with store(tmp_path) as labelled:
        labels = Labelling(labelled.database, now_ms).outcomes().labels
    assert labels == {
        Answer.MASK: 6,
        Answer.NO_MASK: 5,
        Answer.WORN_BADLY: 5,
        Answer.CANT_TELL: 4,
    }


def test_a_browser_without_scripts_labels_with_buttons(site: Desk) -> None:
    with browser(site, script=False) as page:
        for done in (1, 2):
            page.click("button[value=no_mask]")
            counted(page, done)
        page.click("text=Undo my last answer")
        counted(page, 1)
