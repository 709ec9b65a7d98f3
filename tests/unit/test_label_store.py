"""The store of crops to label: once each, encrypted, and gone when it is deleted."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from desk.labels import exports
from desk.labels.deletion import EXPORTS, delete, sweep
from desk.labels.key import Key, load, make
from desk.labels.outcomes import Answer
from desk.labels.pictures import PictureError, Pictures
from desk.labels.rules import Labelling
from desk.labels.store import Intake, LabelStore
from desk.labels.tombstones import Scope
from maskgate.operations.secrets import LABELS_KEY, generate
from maskgate.protocol.crop import new_crop_id
from maskgate.protocol.errors import ConfigurationError
from tests.review_crops import DAY_MS, NOW_MS, review_crop


class Time:
    def __init__(self) -> None:
        self.now_ms = NOW_MS + 1000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def store(tmp_path: Path, time: Time) -> Iterator[LabelStore]:
    store = LabelStore(tmp_path / "labels", Key(bytes(32)), clock=time, twice=0)
    yield store
    store.close()


def everything(folder: Path) -> bytes:
    """The bytes and the names of all files below a folder, the database's log included."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return b"\n".join(str(path).encode() + b"\n" + path.read_bytes() for path in files)


def test_a_crop_is_stored_once(store: LabelStore) -> None:
    crop = review_crop()
    assert [store.add(crop), store.add(crop)] == [Intake.STORED, Intake.KNOWN]
    assert store.count() == 1
    assert store.pictures.read(crop.crop_id) == crop.body


def test_a_crop_that_waited_beyond_its_retention_is_not_stored(store: LabelStore) -> None:
    crop = review_crop(keep_until_ms=NOW_MS + 1000)
    assert store.add(crop) is Intake.EXPIRED
    assert crop.crop_id.encode() not in everything(store.folder)


def test_no_picture_is_on_disk_in_plain(store: LabelStore) -> None:
    crop = review_crop(body=b"P6 2 2 255\n" + b"face bytes!!")
    store.add(crop)
    found = everything(store.folder)
    assert crop.crop_id.encode() in found
    assert b"face bytes" not in found
    assert b"P6 2 2" not in found


def test_two_pictures_alike_are_not_alike_on_disk(store: LabelStore) -> None:
    for _ in range(2):
        store.add(review_crop())
    sealed = [path.read_bytes() for path in (store.folder / "pictures").rglob("*.sealed")]
    assert len(set(sealed)) == 2


def test_another_key_is_named_in_the_error(store: LabelStore) -> None:
    crop = review_crop()
    store.add(crop)
    wrong = Key(b"\1" * 32)
    with pytest.raises(PictureError) as caught:
        Pictures(store.folder / "pictures", wrong).read(crop.crop_id)
    assert Key(bytes(32)).identity.hex() in str(caught.value)
    assert f"present key is {wrong.identity.hex()}" in str(caught.value)


def test_a_picture_renamed_to_another_crop_is_refused(store: LabelStore) -> None:
    one, other = review_crop(), review_crop()
    store.add(one)
    store.add(other)
    paths = {path.stem: path for path in (store.folder / "pictures").rglob("*.sealed")}
    paths[one.crop_id].replace(paths[other.crop_id])
    with pytest.raises(PictureError, match="not the file of this crop"):
        store.pictures.read(other.crop_id)


@pytest.mark.parametrize("keep", [0, 3, 20, 30])
def test_a_damaged_picture_is_named(store: LabelStore, keep: int) -> None:
    crop = review_crop()
    store.add(crop)
    [path] = (store.folder / "pictures").rglob("*.sealed")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(PictureError, match=crop.crop_id):
        store.pictures.read(crop.crop_id)


@pytest.mark.parametrize("crop_id", ["../../etc/passwd", "", "A" * 32, "0" * 31 + "/"])
def test_no_name_reaches_out_of_the_folder(store: LabelStore, crop_id: str) -> None:
    with pytest.raises(PictureError, match="not a crop id"):
        store.pictures.read(crop_id)


def exported(store: LabelStore) -> Path:
    """Label all crops ``mask`` and export them."""
    labelling = Labelling(store.database, store.clock)
    while crop_id := labelling.next("anna"):
        labelling.answer(crop_id, "anna", Answer.MASK)
    rows = [
        exports.row_of(dict(row), Answer.MASK) for row in store.database.rows("SELECT * FROM crops")
    ]
    folder = store.folder / EXPORTS / "first"
    exports.write(folder, rows, store.pictures.read)
    return folder


@pytest.mark.parametrize(
    ("scope", "value"), [(Scope.CROP, ""), (Scope.CAMERA, "cellar"), (Scope.AGE, "3")]
)
def test_what_is_deleted_is_in_no_file_any_more(
    store: LabelStore, time: Time, scope: Scope, value: str
) -> None:
    gone = review_crop(
        camera_id="cellar",
        track_id="the-track-of-one-person",
        captured_at_ms=NOW_MS - 4 * DAY_MS,
        body=b"P6 2 2 255\nGONEGONEGONE",
    )
    kept = [review_crop(body=b"P6 2 2 255\nKEPTKEPTKEPT") for _ in range(20)]
    for crop in [*kept[:10], gone, *kept[10:]]:
        store.add(crop)
    folder = exported(store)
    traces = [gone.crop_id.encode(), b"the-track-of-one-person", b"cellar", b"GONEGONE"]
    before = everything(store.folder)
    assert all(trace in before for trace in traces), "the search finds what is there"
    deleted = delete(store, scope, value or gone.crop_id)
    assert (deleted.crops, deleted.exported) == (1, 1)
    after = everything(store.folder)
    assert not [trace for trace in traces if trace in after]
    assert store.count() == 20
    assert len(list(folder.rglob("*.ppm"))) == 20
    assert all(store.pictures.read(crop.crop_id) == crop.body for crop in kept)
    assert store.add(gone) is Intake.DELETED, "it waited in the queue meanwhile"
    assert gone.crop_id.encode() not in everything(store.folder)


def test_after_a_deletion_only_what_came_before_it_is_dropped(
    store: LabelStore, time: Time
) -> None:
    delete(store, Scope.CAMERA, "lobby")
    delete(store, Scope.AGE, "2")
    assert store.add(review_crop(captured_at_ms=NOW_MS)) is Intake.DELETED
    assert store.add(review_crop(captured_at_ms=NOW_MS, camera_id="yard")) is Intake.STORED
    old = review_crop(captured_at_ms=NOW_MS - 3 * DAY_MS, camera_id="yard")
    assert store.add(old) is Intake.DELETED
    time.now_ms += 3600_000
    assert store.add(review_crop(captured_at_ms=time.now_ms)) is Intake.STORED


def test_tombstones_are_forgotten_when_no_message_can_wait_any_more(
    store: LabelStore, time: Time
) -> None:
    crop = review_crop()
    delete(store, Scope.CROP, crop.crop_id)
    time.now_ms += 47 * 3600_000
    sweep(store)
    assert store.add(crop) is Intake.DELETED
    time.now_ms += 3600_000
    sweep(store)
    assert store.database.rows("SELECT * FROM tombstones") == []


@pytest.mark.parametrize(
    ("scope", "value"),
    [(Scope.CROP, "x"), (Scope.CAMERA, "a:b"), (Scope.CAMERA, ""), (Scope.AGE, "-1")],
)
def test_a_deletion_of_nothing_that_exists_is_refused(
    store: LabelStore, scope: Scope, value: str
) -> None:
    with pytest.raises(ConfigurationError, match=str(scope)):
        delete(store, scope, value)


def test_a_sweep_deletes_what_is_too_old_and_what_was_left_over(
    store: LabelStore, time: Time
) -> None:
    old, new = review_crop(keep_until_ms=NOW_MS + DAY_MS), review_crop()
    store.add(old)
    store.add(new)
    folder = exported(store)
    left_over = new_crop_id()
    store.pictures.write(left_over, b"x")
    assert sweep(store).crops == 0
    time.now_ms = NOW_MS + DAY_MS
    assert (sweep(store).crops, store.count()) == (1, 1)
    found = everything(store.folder)
    assert old.crop_id.encode() not in found
    assert left_over.encode() not in found
    assert [path.stem for path in folder.rglob("*.ppm")] == [new.crop_id]


def test_a_database_of_another_release_is_refused(tmp_path: Path, time: Time) -> None:
    with sqlite3.connect(tmp_path / "labels.sqlite") as other:
        other.execute("PRAGMA user_version = 9")
    with pytest.raises(ConfigurationError, match="has version 9"):
        LabelStore(tmp_path, Key(bytes(32)), clock=time)


def test_a_key_is_made_once_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "key"
    make(path)
    assert load(path) == load(path)
    assert path.stat().st_mode & 0o777 == 0o400
    with pytest.raises(ConfigurationError, match="is there already"):
        make(path)


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o602])
def test_a_key_that_others_may_change_or_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    make(path)
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match=rf"key: mode {mode:04o} is too open"):
        load(path)


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o444, 0o600])
def test_a_key_of_a_secret_mount_is_read(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    make(path)
    path.chmod(mode)
    assert len(load(path).secret) == 32


@pytest.mark.parametrize("content", [b"", b"short", b"!" * 44, b"\xff" * 32, b"QUJD"])
def test_what_is_no_key_is_refused_and_not_repeated(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o400)
    with pytest.raises(ConfigurationError, match="not a key") as caught:
        load(path)
    assert "QUJD" not in str(caught.value)


def test_the_secrets_of_an_installation_have_a_key_that_stays(tmp_path: Path) -> None:
    generate(tmp_path)
    first = load(tmp_path / LABELS_KEY)
    generate(tmp_path)
    assert load(tmp_path / LABELS_KEY) == first
    generate(tmp_path / "other")
    assert load(tmp_path / "other" / LABELS_KEY) != first
