"""The exceptions of maskgate. Errors of drivers are turned into these."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a message is ``unreadable`` or ``expired``: the list for logs, metrics and Redis."""

    WRONG_TYPE = "wrong_type"
    BAD_CONTENT_TYPE = "bad_content_type"
    BAD_CROP_ID = "bad_crop_id"
    BAD_CAMERA_ID = "bad_camera_id"
    CAMERA_MISMATCH = "camera_mismatch"
    BAD_TRACK_ID = "bad_track_id"
    BAD_CAPTURED_AT = "bad_captured_at"
    CAPTURED_IN_FUTURE = "captured_in_future"
    BAD_LABEL = "bad_label"
    BAD_SLICE = "bad_slice"
    BAD_WEIGHT = "bad_weight"
    UNEXPECTED_LABEL = "unexpected_label"
    BAD_STATE = "bad_state"
    BAD_REVIEW = "bad_review"
    SENT_IN_FUTURE = "sent_in_future"
    EMPTY_BODY = "empty_body"
    BODY_TOO_LARGE = "body_too_large"
    CONTENT_MISMATCH = "content_mismatch"
    BAD_IMAGE = "bad_image"
    IMAGE_TOO_LARGE = "image_too_large"
    UNSUPPORTED_IMAGE = "unsupported_image"
    TOO_OLD = "too_old"
    TOO_MANY_ATTEMPTS = "too_many_attempts"


class MaskgateError(Exception):
    """The base of all errors that maskgate raises on purpose."""


class ConfigurationError(MaskgateError):
    """A setting is missing or wrong; the message names it."""


class UnreadableCropError(MaskgateError):
    """A crop that can't be classified, with its :class:`Reason`."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason


class ModelError(MaskgateError):
    """The model file must not be served; the message says why."""


class BrokerError(MaskgateError):
    """The broker can't be reached, refused the client or closed the connection."""


class StoreError(MaskgateError):
    """Redis can't be reached, refused the client or closed the connection."""
