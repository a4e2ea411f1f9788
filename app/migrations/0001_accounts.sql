-- People who may sign in. The e-mail address is kept in lower case.
CREATE TABLE users (
    id            INTEGER PRIMARY KEY,
    email         TEXT    NOT NULL UNIQUE,
    -- argon2id in PHC form; none for somebody who only signs in by link.
    password_hash TEXT,
    -- Milliseconds since 1970, as every time in these tables.
    created_at    INTEGER NOT NULL
) STRICT;

-- One-time sign-in links: only the token's SHA-256 is kept, so that a copy of this file opens nothing.
CREATE TABLE sign_in_links (
    token_hash BLOB    PRIMARY KEY,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER
) STRICT, WITHOUT ROWID;

-- Who is signed in. A browser's session holds nothing but this id, and only a sign-in ever inserts a row:
-- a request that is still under way while somebody signs out cannot bring the session back.
CREATE TABLE sign_ins (
    id           BLOB    PRIMARY KEY,
    user_id      INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    signed_in_at INTEGER NOT NULL,
    seen_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sign_ins_user ON sign_ins (user_id);
