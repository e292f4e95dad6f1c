"""Tests of app.users."""
