"""Tests of app.policy."""
