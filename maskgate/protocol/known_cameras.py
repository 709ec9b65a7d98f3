"""The cameras of a site, as Redis knows them: whoever sent a crop, and when last."""

#: A sorted set: camera id by the time when it was last seen, in milliseconds since the epoch.
CAMERAS_KEY = "cameras"
