"""The file of cameras: what it may say, and where it is wrong."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskgate.protocol.errors import ConfigurationError
from maskgate.runtime.toml_lines import line_of
from producer.video.cameras_file import Changes, changes, read

WHOLE = """\
# The cameras of one branch.
[defaults]
fps = 8
user = "viewer"

[cameras.lobby]
source = "rtsp://10.0.0.5/stream"
password_file = "{folder}/lobby"
broker_password_file = "{folder}/camera-lobby"
region = [
  [0.1, 0.0], [0.9, 0.0],
  [0.9, 1.0], [0.1, 1],
]
privacy = [[[0.0, 0.0], [0.2, 0.0], [0.2, 0.3]]]
fps = 10
crops_per_s = 4.5
min_face_px = 50
transport = "udp"
hwaccel = "vaapi"
loop = true

[cameras.yard]
source = "/dev/video0"
"""
LOBBY = '[cameras.lobby]\nsource = "a.mp4"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cameras.toml"


def error_of(file: Path, text: str) -> str:
    file.write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        read(file)
    return str(refused.value).replace(str(file), "FILE")


def test_a_whole_file_is_read(file: Path, tmp_path: Path) -> None:
    (tmp_path / "lobby").write_text("secret\n")
    (tmp_path / "camera-lobby").write_text("broker's\r\n")
    file.write_text(WHOLE.format(folder=tmp_path))
    cameras = read(file)
    assert list(cameras) == ["lobby", "yard"]
    lobby, yard = cameras.values()
    assert lobby.source == "rtsp://10.0.0.5/stream"
    assert lobby.login() == ("viewer", "secret")
    assert lobby.broker_password() == "broker's"
    assert lobby.region == ((0.1, 0.0), (0.9, 0.0), (0.9, 1.0), (0.1, 1.0))
    assert lobby.privacy == (((0.0, 0.0), (0.2, 0.0), (0.2, 0.3)),)
    assert (lobby.fps, lobby.crops_per_s, lobby.min_face_px) == (10, 4.5, 50)
    assert (lobby.transport, lobby.hwaccel, lobby.loop) == ("udp", "vaapi", True)
    assert (yard.source, yard.fps, yard.user, yard.transport) == ("/dev/video0", 8, "viewer", "tcp")
    assert yard.broker_password() is None
    assert "secret" not in repr(cameras)


def test_a_camera_without_defaults_has_those_of_the_program(file: Path) -> None:
    file.write_text(LOBBY)
    (lobby,) = read(file).values()
    assert lobby.model_dump(exclude={"source"}) == {
        "user": None,
        "password_file": None,
        "password_env": None,
        "broker_password_file": None,
        "region": None,
        "privacy": (),
        "fps": 5.0,
        "crops_per_s": 5.0,
        "min_face_px": 40,
        "transport": "tcp",
        "hwaccel": "",
        "loop": False,
    }
    assert lobby.login() is None


def test_a_byte_order_mark_and_windows_line_ends_are_read(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + LOBBY.replace("\n", "\r\n").encode())
    assert read(file)["lobby"].source == "a.mp4"
    file.write_bytes((LOBBY + "\nfps = 0\n").replace("\n", "\r\n").encode())
    with pytest.raises(ConfigurationError, match=r"line 4, cameras\.lobby\.fps"):
        read(file)


def test_200_cameras_are_read_and_a_wrong_one_of_them_is_named(file: Path) -> None:
    texts = [f'[cameras.door-{n}]\nsource = "rtsp://10.0.0.{n}/"\nfps = 5\n' for n in range(200)]
    file.write_text("".join(texts))
    assert len(read(file)) == 200
    texts[150] = texts[150].replace("fps = 5", "fps = -5")
    error = error_of(file, "".join(texts))
    assert error.startswith("FILE, line 453, cameras.door-150.fps: Input should be greater than 0")
    error = error_of(file, "".join(texts).replace("fps = 5", "fps = 0"))
    assert error.count("; FILE, line ") == 19
    assert error.endswith("; and 180 more")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (LOBBY + "fsp = 5\n", "line 3, cameras.lobby.fsp: unknown; did you mean fps?"),
        (LOBBY + "zzz = 5\n", "line 3, cameras.lobby.zzz: unknown; known: source, user"),
        ("[camera.lobby]\n" + LOBBY, "line 1, camera: unknown; did you mean cameras?"),
        (
            "[defaults]\nmin_fac = 1\n" + LOBBY,
            "line 2, defaults.min_fac: unknown; did you mean min_f",
        ),
        ('[defaults]\nsource = "a"\n' + LOBBY, "line 2, defaults.source: each camera has its own"),
        (LOBBY + 'fps = "5"\n', "line 3, cameras.lobby.fps: Input should be a valid number"),
        (LOBBY + "fps = true\n", "line 3, cameras.lobby.fps: Input should be a valid number"),
        (LOBBY + "fps = nan\n", "line 3, cameras.lobby.fps: Input should be a finite number"),
        (LOBBY + "\n\nfps = 61\n", "line 5, cameras.lobby.fps: Input should be less than or equal"),
        (LOBBY + "min_face_px = 1.5\n", "line 3, cameras.lobby.min_face_px: Input should be"),
        (LOBBY + 'transport = "tpc"\n', "line 3, cameras.lobby.transport: Input should be 'tcp'"),
        (LOBBY + "loop = 1\n", "line 3, cameras.lobby.loop: Input should be a valid boolean"),
        ("[defaults]\nfps = 0\n" + LOBBY, "line 2, defaults.fps: Input should be greater than 0"),
        ("\n[cameras.lobby]\nfps = 5\n", "line 2, cameras.lobby.source: Field required"),
        ("cameras.lobby = 5\n", "line 1, cameras.lobby: must be a table"),
        ("cameras = 5\n", "line 1, cameras: must be a table"),
        ("[defaults]\nfps = 5\n", "line 1, cameras: no camera is listed"),
        ("", "line 1, cameras: no camera is listed"),
        (
            "# x\n[cameras.'my lobby']\nsource = 'a'\n",
            "line 2, cameras.'my lobby': not a camera id",
        ),
        (
            LOBBY + "region = [\n[0, 0],\n[1, 0],\n[1, 1.5]]\n",
            "line 3, cameras.lobby.region: the polygon, point 3: (1.0, 1.5) is outside",
        ),
        (
            LOBBY + "region = [[0, 0], [1, 0], [1]]\n",
            "line 3, cameras.lobby.region: Field required (item 3, 2)",
        ),
        (
            LOBBY + "privacy = [[[0, 0], [1, 0]]]\n",
            "line 3, cameras.lobby.privacy: polygon 1: 2 points, expected at least 3",
        ),
        (LOBBY + 'password = "x"\n', "line 3, cameras.lobby.password: no password is kept in"),
        (
            LOBBY + 'user = "u"\npassword_env = "MASKGATE_NOT_SET"\n',
            "line 4, cameras.lobby.password_env: MASKGATE_NOT_SET is not set",
        ),
        (
            LOBBY + 'user = "u"\npassword_file = "/no/file"\n',
            "line 4, cameras.lobby.password_file: /no/file can't be read: No such file",
        ),
        (
            LOBBY + 'broker_password_file = "/"\n',
            "line 3, cameras.lobby.broker_password_file: / can't be read: Is a directory",
        ),
        (LOBBY + 'password_env = "HOME"\n', "line 1, cameras.lobby: a password is set, but no"),
        (
            LOBBY + 'user = "u"\npassword_env = "HOME"\npassword_file = "a"\n',
            "line 1, cameras.lobby: password_file and password_env are both set",
        ),
        (LOBBY + LOBBY, "not valid TOML: Cannot declare ('cameras', 'lobby') twice (at line 3"),
        (LOBBY + "fps = 1\nfps = 2\n", "not valid TOML: Cannot overwrite a value (at line 4"),
        (LOBBY + "fps =\n", "not valid TOML: Invalid value (at line 3"),
        ("x = " + 5000 * "1", "not valid TOML: Exceeds the limit"),
    ],
)
def test_an_error_names_line_and_key(file: Path, text: str, error: str) -> None:
    assert f"FILE, {error}".replace("FILE, not", "FILE: not") in error_of(file, text)


def test_arrays_that_never_end_are_refused(file: Path) -> None:
    assert "not valid TOML" in error_of(file, "x = " + 100_000 * "[")


def test_all_errors_are_shown_at_once_and_a_wrong_default_once(file: Path) -> None:
    yard = LOBBY.replace("lobby", "yard")
    error = error_of(file, f"[defaults]\nfps = 0\n{LOBBY}loop = 1\n{yard}hwacel = ''\n")
    assert error.count("FILE, line") == 3
    assert error.count("defaults.fps") == 1


@pytest.mark.parametrize(
    "source",
    [
        "rtsp://viewer:hunter2@10.0.0.5/stream",
        "rtsp://:hunter2@10.0.0.5/stream",
        "rtsp://viewer:hun/ter2@10.0.0.5/stream",
        "rtsp://viewer:hun#ter2@10.0.0.5/stream",
        "http://10.0.0.5/video?user=viewer&pwd=hunter2",
        "http://10.0.0.5/video?Password=hunter2",
    ],
)
def test_a_password_in_the_url_is_refused_and_not_shown(file: Path, source: str) -> None:
    error = error_of(file, f'[cameras.lobby]\nsource = "{source}"\n')
    assert error.startswith("FILE, line 2, cameras.lobby.source: holds a password")
    assert "set user and password_file or password_env" in error
    assert "ter2" not in error


@pytest.mark.parametrize(
    "source",
    [
        "rtsp://10.0.0.5:554/cam@1",
        "rtsp://viewer@10.0.0.5/stream",
        "rtsps://[fe80::1]/a@b",
        "http://cam/video?size=vga&user=x",
        "clips/a:b@c.mp4",
        "http://[broken",
    ],
)
def test_other_sources_are_taken(file: Path, source: str) -> None:
    file.write_text(f'[cameras.lobby]\nsource = "{source}"\n')
    assert read(file)["lobby"].source == source


def test_a_login_of_the_camera_replaces_the_one_of_the_defaults(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOBBY_PASSWORD", "hunter2")
    (tmp_path / "common").write_text("common")
    common = f'[defaults]\nuser = "viewer"\npassword_file = "{tmp_path}/common"\n'
    yard = LOBBY.replace("lobby", "yard")
    file.write_text(f'{common}{LOBBY}password_env = "LOBBY_PASSWORD"\n{yard}')
    cameras = read(file)
    assert cameras["lobby"].login() == ("viewer", "hunter2")
    assert cameras["yard"].login() == ("viewer", "common")
    (tmp_path / "common").write_text("renewed")
    assert cameras["yard"].login() == ("viewer", "renewed")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, file: Path) -> None:
    for path, error in ((file, "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigurationError, match=f"{path}: can't be read: {error}"):
            read(path)
    file.write_bytes(LOBBY.encode() + b"# \xe9\n")
    with pytest.raises(ConfigurationError, match="line 3: not UTF-8 text"):
        read(file)
    secret = tmp_path / "secret"
    secret.write_bytes(b"\xff")
    error = error_of(file, LOBBY + f'user = "u"\npassword_file = "{secret}"\n')
    assert "line 4, cameras.lobby.password_file:" in error
    assert "is not UTF-8 text" in error


def test_changes_are_by_id_and_content(file: Path) -> None:
    cameras = []
    for text in ("lobby a yard b cellar c", "lobby a yard B attic d"):
        words = text.split()
        pairs = zip(words[::2], words[1::2], strict=True)
        file.write_text("".join(f'[cameras.{name}]\nsource = "{at}"\n' for name, at in pairs))
        cameras.append(read(file))
    assert changes(*cameras) == Changes(["attic"], ["yard"], ["cellar"])
    assert changes(cameras[0], cameras[0]) == Changes([], [], [])


keys = st.sampled_from("abc")
values = st.sampled_from(["1", '"x"', "[\n1,\n# no\n[2],\n]", '"""\n[a]\nb = 1\n"""', "{ z = 1 }"])


@given(st.lists(st.tuples(keys, keys, values), unique_by=lambda line: line[:2], max_size=8))
def test_the_line_of_each_key_is_found(lines: list[tuple[str, str, str]]) -> None:
    text = ""
    wanted: dict[tuple[str, ...], int] = {}
    for table in sorted({table for table, _, _ in lines}):
        wanted[(table,)] = text.count("\n") + 3
        text += f"\n# {table}\n[{table}]\n"
        for _, key, value in (line for line in lines if line[0] == table):
            wanted[table, key] = text.count("\n") + 1
            text += f"{key} = {value}\n"
    assert {place: line_of(text, place) for place in wanted} == wanted
    assert line_of(text, ["absent", "key"]) == 1
