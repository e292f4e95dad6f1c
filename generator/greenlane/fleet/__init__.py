"""Many repositories at once: `targets` says which, `work` does one, `pool` runs them all."""
