"""What the copy of a message keeps: a crop that is given back must be the same sample."""

from maskgate.protocol.crop import Crop, Label, to_message
from maskgate.runtime.message_properties import copied_properties, to_properties

#: Every field of the contract has a value.
CROP = Crop(
    "0" * 32,
    "lobby",
    "track",
    5,
    "image/jpeg",
    b"",
    traceparent=f"00-{'1' * 32}-{'2' * 16}-01",
    label=Label.MASK,
    slice="beard",
    weight=2.5,
)


def test_a_copy_keeps_every_field_of_the_contract() -> None:
    assert None not in [getattr(CROP, name) for name in CROP.__struct_fields__]
    message = to_message(CROP)
    copied, sent = copied_properties(message, {}), to_properties(message)
    assert copied.headers == sent.headers == message.headers
    assert copied.__dict__ == sent.__dict__
