-- The key with which the cursors of lists are signed. Safe to repeat: a key that is there stays.
--
-- Kept here, and not in the function's configuration or its secret, because all environments must have
-- the same one, at once and across every rotation of the secret. A new key is put into force by adding
-- a row: the one with the highest id counts for every environment that starts from then on, and cursors
-- signed with another are refused, so that clients start over.

IF OBJECT_ID(N'dbo.cursor_keys', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.cursor_keys
    (
        id bigint IDENTITY(1, 1) NOT NULL,
        value varbinary(64) NOT NULL,
        created_at datetime2(3) NOT NULL CONSTRAINT df_cursor_keys_created_at DEFAULT (SYSUTCDATETIME()),
        CONSTRAINT pk_cursor_keys PRIMARY KEY (id)
    );
END
GO

INSERT INTO dbo.cursor_keys (value)
SELECT CRYPT_GEN_RANDOM(32)
WHERE NOT EXISTS (SELECT 1 FROM dbo.cursor_keys);
GO
