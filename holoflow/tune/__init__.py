"""Tuning: which settings of an app are best on this machine, found by trials of it.

`settings` says what may be set differently, `race` which of several settings are tried again and
which one wins, `trial` runs an app with a setting and measures it, `search` puts these together.
"""
