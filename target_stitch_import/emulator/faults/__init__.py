"""Faults on purpose: refused connections, lost answers, errors."""
