"""Tests of infra/kubernetes."""
