"""How a version behaves on the stand-in for AWS, by the first letter of its image's digest."""

MIGRATION_FAILS = "b"
RINGS_AT_HALF = "c"
