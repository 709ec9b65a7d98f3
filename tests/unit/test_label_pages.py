"""The pages for labellers: who gets in, what they see, and what their answers do."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from desk.access.access import Access
from desk.access.identity import Proxy
from desk.access.passwords import Passwords
from desk.access.roles import Role
from desk.access.sessions import Sessions
from desk.access.users import NO_PASSWORD, User, Users, text_of
from desk.app import create
from desk.journal import Journal
from desk.labels.key import Key
from desk.labels.outcomes import Answer
from desk.labels.rules import Labelling
from desk.labels.store import Intake, LabelStore
from desk.labels.tombstones import digest_of
from desk.labels.views import routes
from desk.web.streams import Streams
from desk.web.view import View
from tests.asgi_browser import ADDRESS, AsgiBrowser
from tests.review_crops import NOW_MS, review_crop

ROLES = {
    "vera": Role.VIEWER,
    "anna": Role.LABELLER,
    "bert": Role.LABELLER,
    "olga": Role.OPERATOR,
}
SignIn = Callable[[str], AsgiBrowser]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LabelStore]:
    store = LabelStore(tmp_path / "labels", Key(bytes(32)), clock=lambda: NOW_MS, twice=0)
    yield store
    store.close()


@pytest.fixture
def sign_in(store: LabelStore, tmp_path: Path) -> SignIn:
    """A browser of a person, whom a proxy has signed in."""
    file = tmp_path / "users"
    file.write_text(text_of({name: User(name, role, NO_PASSWORD) for name, role in ROLES.items()}))
    file.chmod(0o600)
    users, journal = Users(file), Journal(tmp_path / "journal.jsonl")
    access = Access(
        users,
        Sessions(users, idle_s=600, lifetime_s=600),
        journal,
        Passwords(users),
        Proxy(ADDRESS, "X-User"),
    )
    pages = routes(store, Labelling(store.database, store.clock), journal)
    app = create(
        [View("Labels", "/labels", Role.LABELLER, pages)],
        access,
        streams=Streams(access.sessions),
    )
    return lambda name: AsgiBrowser(app, {"X-User": name})


def shown(client: AsgiBrowser) -> str | None:
    found = re.search(r'name="crop_id" value="([0-9a-f]{32})"', client.get("/labels").text)
    return found[1] if found else None


def answer(client: AsgiBrowser, crop_id: str, given: str) -> int:
    form = {"crop_id": crop_id, "answer": given}
    return client.submit("/labels", "/labels/answer", **form).status_code


def journal(tmp_path: Path) -> list[dict[str, object]]:
    lines = (tmp_path / "journal.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "at"} for line in lines]


def test_a_labeller_answers_crop_after_crop_without_a_script(
    store: LabelStore, sign_in: SignIn, tmp_path: Path
) -> None:
    crops = [review_crop() for _ in range(3)]
    for crop in crops:
        store.add(crop)
    anna = sign_in("anna")
    for given in ("mask", "no_mask", "worn_badly"):
        crop_id = shown(anna) or ""
        assert answer(anna, crop_id, given) == 200
    assert shown(anna) is None
    assert "Nothing waits for you" in anna.get("/labels").text
    assert [line["answer"] for line in journal(tmp_path)] == ["mask", "no_mask", "worn_badly"]
    assert {line["crop"] for line in journal(tmp_path)} == {digest_of(c.crop_id) for c in crops}
    anna.submit("/labels", "/labels/undo")
    assert shown(anna) == crop_id
    assert journal(tmp_path)[-1] == {
        "who": "anna",
        "action": "label_undone",
        "crop": digest_of(crop_id),
    }


def test_a_labeller_sees_neither_the_models_verdict_nor_anothers_answer(
    tmp_path: Path, sign_in: SignIn, store: LabelStore
) -> None:
    store.add(review_crop(p_mask=0.617, model="the-model", inclusion_probability=0.345))
    work = Labelling(store.database, store.clock)
    text = sign_in("anna").get("/labels").text
    assert 'name="crop_id"' in text
    hidden = ["0.617", "the-model", "0.345", "uncertain", "lobby"]
    assert not [each for each in hidden if each in text]
    crop_id = work.next("bert")
    assert crop_id
    work.answer(crop_id, "bert", Answer.MASK)
    assert "bert" not in sign_in("anna").get("/labels").text


def test_a_browser_gets_the_picture_and_keeps_nothing(store: LabelStore, sign_in: SignIn) -> None:
    crop = review_crop()
    store.add(crop)
    for name in ("anna", "olga"):
        answered = sign_in(name).get(f"/labels/picture/{crop.crop_id}")
        assert answered.status_code == 200
        assert answered.headers["content-type"] == "image/png"
        assert answered.headers["cache-control"] == "no-store"
        assert answered.content.startswith(b"\x89PNG")
    assert sign_in("anna").get("/labels").headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", ["vera", "nobody"])
def test_no_crop_is_ever_sent_to_a_viewer(store: LabelStore, sign_in: SignIn, name: str) -> None:
    crop = review_crop()
    store.add(crop)
    client = sign_in(name)
    assert bool(client.token("/labels")) is (name == "vera")
    for path in ("/labels", f"/labels/picture/{crop.crop_id}", "/labels/deletion"):
        answered = client.get(path)
        assert answered.status_code == 403 or "/sign-in" in str(answered.url), path
        assert b"PNG" not in answered.content
        assert crop.crop_id.encode() not in answered.content
    for path in ("/labels/answer", "/labels/undo", "/labels/delete"):
        form = {"crop_id": crop.crop_id, "answer": "mask", "scope": "crop", "value": crop.crop_id}
        assert client.submit("/labels", path, **form).status_code in (401, 403), path
    assert store.count() == 1
    assert store.database.rows("SELECT * FROM answers") == []


@pytest.mark.parametrize("name", ["..%2f..%2flabels.sqlite", "%00", "0" * 32, "A" * 32, "x" * 5000])
def test_no_other_file_can_be_asked_for(sign_in: SignIn, name: str) -> None:
    assert sign_in("anna").get(f"/labels/picture/{name}").status_code in (400, 404)


def test_an_answer_needs_a_token_and_a_known_word(store: LabelStore, sign_in: SignIn) -> None:
    crop = review_crop()
    store.add(crop)
    anna = sign_in("anna")
    assert answer(anna, crop.crop_id, "maybe") == 400
    form = {"crop_id": crop.crop_id, "answer": "mask"}
    assert anna.post("/labels/answer", **form).status_code == 403
    assert anna.post("/labels/answer", **form, csrf="x").status_code == 403
    assert anna.get("/labels/answer").status_code == 405
    assert store.database.rows("SELECT * FROM answers") == []


def test_a_second_answer_to_one_crop_changes_nothing(
    store: LabelStore, sign_in: SignIn, tmp_path: Path
) -> None:
    crop = review_crop()
    store.add(crop)
    anna = sign_in("anna")
    assert answer(anna, crop.crop_id, "mask") == 200
    assert answer(anna, crop.crop_id, "no_mask") == 200
    assert answer(anna, "0" * 32, "mask") == 200, "deleted meanwhile: the next one is shown"
    assert [row["answer"] for row in store.database.rows("SELECT * FROM answers")] == ["mask"]
    assert len(journal(tmp_path)) == 1


def test_an_operator_deletes_and_the_journal_does_not_keep_the_id(
    store: LabelStore, sign_in: SignIn, tmp_path: Path
) -> None:
    crop, other = review_crop(), review_crop(camera_id="yard")
    store.add(crop)
    store.add(other)
    olga = sign_in("olga")

    def delete(scope: str, value: str) -> tuple[int, str]:
        answered = olga.submit("/labels", "/labels/delete", scope=scope, value=value)
        return answered.status_code, answered.text

    assert delete("crop", "<script>")[0] == 400
    assert "<script>alert" not in delete("camera", "<script>alert(1)</script>")[1]
    assert delete("everything", "1")[0] == 400
    assert store.count() == 2
    status, text = delete("crop", f" {crop.crop_id} ")
    assert status == 200
    assert "1 crops deleted" in text
    assert store.add(crop) is Intake.DELETED
    assert delete("camera", "yard")[0] == 200
    assert store.count() == 0
    assert journal(tmp_path) == [
        {
            "who": "olga",
            "action": "crops_deleted",
            "scope": "crop",
            "value": digest_of(crop.crop_id),
        },
        {"who": "olga", "action": "crops_deleted", "scope": "camera", "value": "yard"},
    ]


def test_only_an_operator_deletes(store: LabelStore, sign_in: SignIn) -> None:
    store.add(review_crop())
    anna = sign_in("anna")
    assert "/labels/deletion" not in anna.get("/labels").text
    assert "/labels/deletion" in sign_in("olga").get("/labels").text
    assert anna.get("/labels/deletion").status_code == 403
    refused = anna.submit("/labels", "/labels/delete", scope="age", value="0")
    assert refused.status_code == 403
    assert store.count() == 1
