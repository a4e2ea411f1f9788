-- What scripts show instead of a cookie. Only the token's SHA-256 is kept, so that a copy of this file
-- opens nothing; it is random, so there is nothing to guess from a fast hash.
CREATE TABLE access_tokens (
    -- No secret: the beginning of the token, by which it is looked up.
    id           TEXT    PRIMARY KEY,
    user_id      INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name         TEXT    NOT NULL,
    token_hash   BLOB    NOT NULL,
    -- Names with a space between them.
    scopes       TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    -- To the minute.
    last_used_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX access_tokens_user ON access_tokens (user_id);

-- The token that the actor used: its name, and its id in brackets; none for somebody who was signed in.
ALTER TABLE audit_log ADD COLUMN token TEXT;
