"""Tests of app.inference."""
