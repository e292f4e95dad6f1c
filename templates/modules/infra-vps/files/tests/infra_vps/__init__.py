"""Tests of infra/vps."""
