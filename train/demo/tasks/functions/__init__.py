"""Task families: functions."""
