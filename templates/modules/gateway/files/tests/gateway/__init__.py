"""Tests of app.gateway."""
