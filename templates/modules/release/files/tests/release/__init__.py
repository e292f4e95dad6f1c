"""Tests of app.release."""
