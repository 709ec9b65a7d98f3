"""What changes between two sets of broker definitions or Redis ACLs: lines without passwords."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from maskgate.operations.live_keys import USER_PREFIX

#: Kind of definition → the fields that tell two of them apart.
_IDENTITY: Mapping[str, Sequence[str]] = {
    "exchanges": ("name",),
    "queues": ("name",),
    "bindings": ("source", "destination", "routing_key"),
    "policies": ("name",),
    "users": ("name",),
    "permissions": ("user", "vhost"),
    "topic_permissions": ("user", "exchange"),
}
_UNSHOWN = {"hashing_algorithm", "limits", "password_hash"}
Definitions = Mapping[str, Any]


def differences(found: Definitions, wanted: Definitions) -> list[str]:
    """``+`` new, ``~`` changed, ``?`` found but not wanted: such are never removed.

    A kind that ``wanted`` leaves out is not compared; cameras and the broker's own exchanges are
    left out.
    """
    return [
        line
        for kind in _IDENTITY
        if kind in wanted
        for line in _of_kind(kind, _by_identity(kind, found), _by_identity(kind, wanted))
    ]


def fixed_differences(found: Definitions, wanted: Definitions) -> dict[str, list[str]]:
    """Names of exchanges and queues that RabbitMQ can't change into what is wanted, by kind."""
    return {
        kind: [
            name
            for (name,), entry in _by_identity(kind, wanted).items()
            if (there := _by_identity(kind, found).get((name,))) and _changed_fields(there, entry)
        ]
        for kind in ("exchanges", "queues")
    }


def acl_differences(found: str, wanted: str) -> list[str]:
    """The same for the lines of two ACL files; a user that is not wanted is ``-``, removed."""
    old, new = _acl_users(found), _acl_users(wanted)
    lines = [f"- Redis user {user}" for user in old.keys() - new.keys()]
    for user, (password, rights) in new.items():
        if user not in old:
            lines.append(f"+ Redis user {user}: {rights}")
        elif old[user] != (password, rights):
            there = old[user]
            lines += [f"~ Redis user {user}: another password"] * (there[0] != password)
            lines += [f"~ Redis user {user}: {there[1]} -> {rights}"] * (there[1] != rights)
    return lines


def _acl_users(text: str) -> dict[str, tuple[str, str]]:
    users = {}
    for words in map(str.split, text.splitlines()):
        hashed = [word for word in words[2:] if word.startswith("#")]
        rights = [word for word in words[2:] if not word.startswith(("#", ">"))]
        users[words[1]] = " ".join(hashed), " ".join(rights)
    return users


def _of_kind(kind: str, found: Mapping[Any, Any], wanted: Mapping[Any, Any]) -> Iterator[str]:
    for identity, entry in wanted.items():
        name = f"{_one(kind)} {' '.join(identity)}"
        there = found.get(identity)
        if there is None:
            yield f"+ {name}: {_shown(entry, kind)}"
            continue
        if there.get("password_hash") != entry.get("password_hash"):
            yield f"~ {name}: another password"
        for field in _changed_fields(there, entry):
            yield f"~ {name}: {field} {there.get(field)!r} -> {entry[field]!r}"
    for identity in found.keys() - wanted.keys():
        yield f"? {_one(kind)} {' '.join(identity)}: not in the definitions, kept"


def _one(kind: str) -> str:
    return "policy" if kind == "policies" else kind.removesuffix("s").replace("_", " ")


def _changed_fields(there: Mapping[str, Any], entry: Mapping[str, Any]) -> list[str]:
    return [field for field in entry if field not in _UNSHOWN and there.get(field) != entry[field]]


def _shown(entry: Mapping[str, Any], kind: str) -> str:
    hidden = {*_IDENTITY[kind], *_UNSHOWN, "vhost"}
    return ", ".join(f"{name} {value!r}" for name, value in entry.items() if name not in hidden)


def _by_identity(kind: str, definitions: Definitions) -> dict[tuple[str, ...], dict[str, Any]]:
    entries = [{**entry} for entry in definitions.get(kind, ())]
    for entry in entries:
        if isinstance(entry.get("tags"), list):  # a text in files, a list on brokers
            entry["tags"] = ",".join(entry["tags"])
    by_identity = {tuple(str(entry[name]) for name in _IDENTITY[kind]): entry for entry in entries}
    return {key: entry for key, entry in by_identity.items() if not _is_of_others(key[0])}


def _is_of_others(name: str) -> bool:
    return name.startswith(("amq.", USER_PREFIX))
