"""Tests of ci/preview.py."""
