"""The face store: tar shards and one Parquet index."""
