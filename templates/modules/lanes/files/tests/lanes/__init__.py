"""Tests of ci/lane.py."""
