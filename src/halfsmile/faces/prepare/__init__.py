"""From photos, videos and data sets to a store of aligned, scored faces."""
