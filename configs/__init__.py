"""Configs by data set; the bases they combine are in _base_."""
