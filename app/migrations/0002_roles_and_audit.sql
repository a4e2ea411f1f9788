-- What somebody may do. Whoever had an account before there were roles could do everything there was.
ALTER TABLE users ADD COLUMN role TEXT NOT NULL DEFAULT 'admin' CHECK (role IN ('viewer', 'operator', 'admin'));

-- When the person last showed that it is them, within this sign-in: a sign-in counts.
ALTER TABLE sign_ins ADD COLUMN confirmed_at INTEGER NOT NULL DEFAULT 0;

-- What was done: a row is written before an operation runs, and its end after it. A row without an end
-- is one that was cut short.
CREATE TABLE audit_log (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    began_at   INTEGER NOT NULL,
    ended_at   INTEGER,
    actor      TEXT    NOT NULL,
    role       TEXT    NOT NULL,
    address    TEXT,
    operation  TEXT    NOT NULL,
    -- JSON; an operation holds no secret.
    arguments  TEXT    NOT NULL,
    -- 'done', or the kind of problem; none while it runs.
    outcome    TEXT,
    problem    TEXT
) STRICT;
