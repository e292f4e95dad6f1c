"""What every feature stands on: database, telemetry, errors, limits. Knows no feature."""
