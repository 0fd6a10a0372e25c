"""Reads the parts of an inventory with DuckDB and with pandas, and prints what both agree on as JSON."""

import glob
import json
import sys

import duckdb
import pandas

pattern = sys.argv[1] + "/part-*.parquet"
rows = duckdb.sql(
    f"""
    select source_key, size,
           coalesce(lower(hex(source_etag)), source_version) as version,
           coalesce(destination_key, source_key) as destination_key
    from read_parquet('{pattern}') order by source_key
    """
).fetchall()

frame = pandas.concat([pandas.read_parquet(path) for path in sorted(glob.glob(pattern))])
frame = frame.sort_values("source_key", key=lambda keys: keys.map(lambda key: key.encode()))
assert len(frame) == len(rows), (len(frame), len(rows))
for (key, size, version, _), (_, row) in zip(rows, frame.iterrows()):
    assert row["source_key"] == key, (row["source_key"], key)
    assert row["size"] == size
    assert (row["source_etag"].hex() if row["source_etag"] else row["source_version"]) == version
    assert row["source_modified"].tzinfo is not None

json.dump([{"key": key, "size": size, "version": version, "there": there} for key, size, version, there in rows], sys.stdout)
