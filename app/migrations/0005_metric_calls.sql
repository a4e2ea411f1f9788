-- What CloudWatch was asked for, for it is paid for by the metric: calls of GetMetricData and metrics asked
-- for in them, by calendar month (UTC), for all portals on this database together.
CREATE TABLE metric_calls (
    -- For example 2026-12.
    month   TEXT    PRIMARY KEY,
    calls   INTEGER NOT NULL,
    metrics INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
