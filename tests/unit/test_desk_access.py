"""Users, sessions, tokens and limits of the desk, each by itself."""

from collections.abc import Callable
from pathlib import Path

import pytest

from desk.access import user_commands
from desk.access.attempts import Attempts
from desk.access.passwords import Passwords, hash_of
from desk.access.roles import Role
from desk.access.sessions import Sessions
from desk.access.sign_in import next_of
from desk.access.tokens import Tokens
from desk.access.users import User, Users, read
from desk.settings import DeskSettings
from maskgate.protocol.errors import ConfigurationError
from maskgate.runtime.settings import load
from tests.desk_site import PASSWORD, write_users


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_users(tmp_path / "users")
    return tmp_path / "users"


@pytest.fixture
def users(file: Path) -> Users:
    return Users(file)


@pytest.fixture
def sessions(users: Users, clock: Clock) -> Sessions:
    return Sessions(users, idle_s=100, lifetime_s=1000, clock=clock)


def user(users: Users, name: str) -> User:
    found = users.find(name)
    assert found is not None
    return found


# The users file


@pytest.mark.parametrize("mode", [0o604, 0o620, 0o666, 0o602])
def test_a_users_file_that_others_can_read_or_change_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(ConfigurationError, match=f"chmod 600 {file}"):
        read(file)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("anna", "line 4: wanted NAME"),
        ("anna king $argon2id$x", "line 4: wanted NAME viewer|labeller|operator"),
        ("an:na viewer $argon2id$x", "line 4: wanted NAME"),
        ("anna viewer 5f4dcc3b5aa765d61d8327deb882cf99", "line 4: the hash is not one of Argon2"),
        ("viewer operator $argon2id$x", "line 4: viewer is there twice"),
    ],
)
def test_a_wrong_line_is_named_without_its_hash(file: Path, line: str, complaint: str) -> None:
    write_users(file, line)
    with pytest.raises(ConfigurationError, match=complaint.replace("|", r"\|")) as error:
        read(file)
    assert "$argon2" not in str(error.value)
    assert "5f4dcc" not in str(error.value)


def test_a_file_that_becomes_unusable_lets_nobody_in(file: Path, users: Users) -> None:
    assert users.find("viewer")
    file.chmod(0o644)
    assert users.find("viewer") is None
    file.chmod(0o600)
    assert users.find("viewer")
    file.unlink()
    assert users.find("viewer") is None


def test_a_users_hash_is_in_no_repr(users: Users) -> None:
    assert "argon2" not in repr(user(users, "viewer"))


# The commands


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., int]:
    (tmp_path / "password").write_text("a long password\n")

    def run(*line: str) -> int:
        name, *rest = line
        return user_commands.main([name, "--users-file", str(tmp_path / "new" / "users"), *rest])

    return run


def test_users_are_added_changed_and_removed(
    command: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    password = ("--password-file", str(tmp_path / "password"))
    path = tmp_path / "new" / "users"
    assert command("add", "anna", "--role", "operator", *password) == 0
    assert command("add", "berta", "--role", "viewer", "--no-password") == 0
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o077 == 0
    added = read(path)
    assert added["anna"].role is Role.OPERATOR
    assert "a long password" not in path.read_text()
    (tmp_path / "password").write_text("another password")
    assert command("password", "anna", *password) == 0
    passwords = Passwords(Users(path))
    assert passwords.fits(read(path)["anna"], "another password")
    assert not passwords.fits(read(path)["anna"], "a long password")
    capsys.readouterr()
    assert command("list") == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["anna", "operator", "password"],
        ["berta", "viewer", "no", "password"],
    ]
    assert command("remove", "anna") == 0
    assert list(read(path)) == ["berta"]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("add an:na --role viewer --no-password", "'an:na' is not 1 to 64"),
        ("remove nobody", "there is no user 'nobody'"),
        ("password nobody --no-password", "there is no user 'nobody'"),
        ("add anna --role viewer --password-file /nowhere", "/nowhere: No such file"),
        ("add anna --role viewer", "use --password-file"),
    ],
)
def test_what_can_not_be_done_is_said(
    command: Callable[..., int],
    line: str,
    complaint: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(ConfigurationError, match=complaint):
        command(*line.split())


def test_a_short_password_is_refused(command: Callable[..., int], tmp_path: Path) -> None:
    (tmp_path / "password").write_text("short")
    with pytest.raises(ConfigurationError, match="10 to 256 characters"):
        command("add", "anna", "--role", "viewer", "--password-file", str(tmp_path / "password"))
    assert not (tmp_path / "new").exists()


# Passwords


def test_a_user_without_password_and_nobody_fit_no_password(file: Path) -> None:
    write_users(file, "berta viewer -")
    users = Users(file)
    passwords = Passwords(users)
    assert passwords.fits(user(users, "viewer"), PASSWORD)
    for stranger in (None, user(users, "berta")):
        for password in (PASSWORD, "-", ""):
            assert not passwords.fits(stranger, password)


def test_a_name_that_nobody_has_costs_a_check_too(
    users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []

    class Hasher:
        def verify(self, wanted: str, _: str) -> bool:
            checked.append(wanted)
            return True

    monkeypatch.setattr("desk.access.passwords._hasher", Hasher())
    assert not Passwords(users).fits(None, "guess")
    assert checked == [user(users, "viewer").password_hash]


def test_hashes_are_argon2id_as_rfc_9106_has_it() -> None:
    assert hash_of("x" * 10).startswith("$argon2id$v=19$m=65536,t=3,p=4$")


# Sessions


def test_a_session_ends_when_nobody_asks_for_a_while(
    sessions: Sessions, users: Users, clock: Clock
) -> None:
    session_id = sessions.start(user(users, "viewer"))
    for clock.now_s in (90, 180, 270):
        assert sessions.find(session_id)
    clock.now_s = 360
    assert sessions.find(session_id, touch=False)
    clock.now_s = 370
    assert sessions.find(session_id) is None


def test_a_session_ends_some_day_whoever_asks(
    sessions: Sessions, users: Users, clock: Clock
) -> None:
    session_id = sessions.start(user(users, "viewer"))
    for clock.now_s in range(0, 1000, 50):
        assert sessions.find(session_id)
    clock.now_s = 1000
    assert sessions.find(session_id) is None


def test_a_new_password_or_a_removal_ends_the_sessions(
    sessions: Sessions, users: Users, file: Path
) -> None:
    viewer, operator = (sessions.start(user(users, name)) for name in ("viewer", "operator"))
    lines = file.read_text().splitlines()
    lines[0] = f"viewer viewer {hash_of('another password')}"
    file.write_text("\n".join(lines[:2]))
    assert sessions.find(viewer) is None
    assert sessions.find(operator) is None


def test_many_sessions_of_one_user_end_the_oldest(sessions: Sessions, users: Users) -> None:
    other = sessions.start(user(users, "operator"))
    ids = [sessions.start(user(users, "viewer")) for _ in range(21)]
    assert [bool(sessions.find(each)) for each in ids] == [False] + [True] * 20
    assert sessions.find(other)


# Tokens, attempts, addresses


def test_a_token_fits_its_own_cookie_only() -> None:
    tokens, others = Tokens(), Tokens()
    token = tokens.of("cookie")
    assert tokens.fits(token, "cookie")
    for wrong, cookie in ((token, "other"), ("", "cookie"), (tokens.of(""), ""), ("é", "cookie")):
        assert not tokens.fits(wrong, cookie)
    assert not others.fits(token, "cookie")


def test_attempts_come_back_one_by_one(clock: Clock) -> None:
    attempts = Attempts(2, 60, clock)
    assert attempts.take("a") == 0
    clock.now_s = 10
    assert attempts.take("a") == 0
    clock.now_s = 20
    assert attempts.take("a") == 40
    assert attempts.take("b") == 0
    clock.now_s = 60
    assert attempts.take("a") == 0
    assert attempts.take("a") == 10
    attempts.forget("a")
    assert attempts.take("a") == 0
    attempts.give_back("a")
    assert attempts.take("a") == attempts.take("a") == 0


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("/doors/lobby", "/doors/lobby"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/doors\r\nSet-Cookie: x", "/"),
        ("", "/"),
    ],
)
def test_a_link_leads_to_this_page_only(asked: str, given: str) -> None:
    assert next_of(asked) == given


def test_a_trusted_header_without_a_proxy_is_no_setting() -> None:
    with pytest.raises(ConfigurationError, match="needs MASKGATE_DESK_PROXY"):
        load(DeskSettings, ["--desk-trusted-header", "X-User"], "desk")


@pytest.mark.parametrize("cameras", ["a:b", "lobby,", ",", "<b>", "a b"])
def test_a_list_of_cameras_holds_ids(cameras: str) -> None:
    with pytest.raises(ConfigurationError, match="MASKGATE_DESK_CAMERAS"):
        load(DeskSettings, ["--desk-cameras", cameras], "desk")
