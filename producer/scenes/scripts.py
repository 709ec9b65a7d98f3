"""Short scenes at a door, 3 to 9 s each: what a person does, by name.

A script takes a seed, which decides about looks, places and times, and the seed of the room. In
the scripts of one person, the same seed gives the same person.
"""

from collections.abc import Callable

import numpy as np

from producer.scenes.actor import Actor, Span, put_on, taken_off
from producer.scenes.paths import tail, visit
from producer.scenes.person import Person, Worn
from producer.scenes.scene import Scene

_ENTERS_S = 0.2
_BARE, _MASKED = ((0.0, Worn.OFF),), ((0.0, Worn.ON),)
Script = Callable[[int, int], Scene]


def one_bare(seed: int, room: int) -> Scene:
    """Somebody without a mask comes, stands and leaves."""
    return _alone(seed, room, _BARE)


def one_masked(seed: int, room: int) -> Scene:
    """Somebody with a mask comes, stands and leaves."""
    return _alone(seed, room, _MASKED)


def takes_mask_off(seed: int, room: int) -> Scene:
    """Somebody takes the mask off 2.5 to 3.5 s after the start."""
    changes_s = float(np.random.default_rng(seed).uniform(2.5, 3.5))
    return _alone(seed, room, (*_MASKED, *taken_off(changes_s)), stays_s=3.5)


def puts_mask_on(seed: int, room: int) -> Scene:
    """Somebody puts a mask on 2.5 to 3.5 s after the start."""
    changes_s = float(np.random.default_rng(seed).uniform(2.5, 3.5))
    return _alone(seed, room, (*_BARE, *put_on(changes_s)), stays_s=3.5)


def mask_on_and_off(seed: int, room: int) -> Scene:
    """Somebody without a mask puts one on and takes it off again: 3 s each."""
    return _alone(seed, room, (*_BARE, *put_on(3.2), *taken_off(6.2)), stays_s=6.5)


def two_at_once(seed: int, room: int) -> Scene:
    """Two people stand beside each other, each with or without a mask."""
    rng = np.random.default_rng(seed)
    actors = []
    for x, side in ((0.27, -1), (0.73, 1)):
        enters_s = _ENTERS_S + float(rng.uniform(0, 0.8))
        leaves_s = enters_s + float(rng.uniform(2.6, 3.6))
        path = visit(rng, enters_s, leaves_s, x=x, face_px=(90, 150), side=side)
        actors.append(Actor(_person(rng), path, _either(rng)))
    return Scene(room, actors, _end_s(actors))


def tailgating(seed: int, room: int) -> Scene:
    """A second person follows closely and steps into the first one's place; one wears a mask."""
    rng = np.random.default_rng(seed)
    first_worn, second_worn = (_BARE, _MASKED) if rng.random() < 0.5 else (_MASKED, _BARE)
    path = visit(rng, _ENTERS_S, float(rng.uniform(2.8, 3.4)), x=0.45, face_px=(120, 170))
    first = Actor(_person(rng), path, first_worn)
    second = Actor(_person(rng), tail(rng, path, float(rng.uniform(1.5, 2.2))), second_worn)
    return Scene(room, (first, second), _end_s((first, second)))


def hand_over_mouth(seed: int, room: int) -> Scene:
    """Somebody without a mask covers the mouth with a hand: on the way, or while they stand."""
    rng = np.random.default_rng(seed)
    start_s = float(rng.choice((0.3, rng.uniform(1.6, 2.2))))
    hand = Span(start_s, start_s + float(rng.uniform(1.0, 1.6)))
    return _alone(seed, room, _BARE, hands=(hand,), stays_s=3.2)


def profile(seed: int, room: int) -> Scene:
    """Somebody, with or without a mask, looks to the side, at the camera, and half to the side."""
    rng = np.random.default_rng(seed)
    side, start_s = float(rng.choice((-1, 1))), float(rng.uniform(0.3, 1.6))
    turns = (Span(start_s, start_s + 1.2, side), Span(start_s + 2.2, start_s + 2.8, -0.45 * side))
    return _alone(seed, room, _either(rng), turns=turns, stays_s=3.4)


def bad_light(seed: int, room: int) -> Scene:
    """A dark room, light from behind, or a lamp that fails; with or without a mask."""
    rng = np.random.default_rng(seed)
    worn, kind = _either(rng), int(rng.integers(3))
    if kind == 0:
        return _alone(seed, room, worn, lights=((0.0, float(rng.uniform(0.28, 0.45))),), noise=5)
    if kind == 1:
        return _alone(seed, room, worn, light=float(rng.uniform(0.35, 0.55)))
    lights = ((0.0, 1.0), (float(rng.uniform(1.5, 2.5)), float(rng.uniform(0.3, 0.5))))
    return _alone(seed, room, worn, lights=lights, noise=4)


SCRIPTS: dict[str, Script] = {
    script.__name__: script
    for script in (
        one_bare,
        one_masked,
        takes_mask_off,
        puts_mask_on,
        mask_on_and_off,
        two_at_once,
        tailgating,
        hand_over_mouth,
        profile,
        bad_light,
    )
}


def random_visit(seed: int) -> Scene:
    """One of the scripts, in a room of its own."""
    rng = np.random.default_rng(seed)
    name = str(rng.choice(list(SCRIPTS)))
    return SCRIPTS[name](int(rng.integers(2**31)), int(rng.integers(2**31)))


def _alone(
    seed: int,
    room: int,
    worn: tuple[tuple[float, Worn], ...],
    *,
    hands: tuple[Span, ...] = (),
    turns: tuple[Span, ...] = (),
    light: float = 1.0,
    lights: tuple[tuple[float, float], ...] = ((0.0, 1.0),),
    noise: float = 2.5,
    stays_s: float = 2.8,
) -> Scene:
    rng = np.random.default_rng((seed, 1))
    leaves_s = _ENTERS_S + stays_s + float(rng.uniform(0.8, 1.4))
    path = visit(rng, _ENTERS_S, leaves_s, x=float(rng.uniform(0.3, 0.7)))
    actor = Actor(_person(rng), path, worn, hands, turns, light)
    return Scene(room, (actor,), _end_s((actor,)), lights=lights, noise=noise)


def _person(rng: np.random.Generator) -> Person:
    return Person(int(rng.integers(2**31)))


def _either(rng: np.random.Generator) -> tuple[tuple[float, Worn], ...]:
    return _MASKED if rng.random() < 0.5 else _BARE


def _end_s(actors: list[Actor] | tuple[Actor, ...]) -> float:
    return max(actor.path[-1].t_s for actor in actors)
