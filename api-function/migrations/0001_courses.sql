-- Courses. Safe to repeat: what is there is left alone.
--
-- published_at: null while a course is being written, in the future while it is announced; the
-- public list shows what lies in the past. row_version changes with every update of the row and is
-- what an ETag is made of.

IF OBJECT_ID(N'dbo.courses', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.courses
    (
        id bigint IDENTITY(1, 1) NOT NULL,
        slug nvarchar(80) NOT NULL,
        title nvarchar(200) NOT NULL,
        summary nvarchar(2000) NOT NULL,
        level nvarchar(20) NOT NULL,
        price decimal(10, 2) NOT NULL,
        published_at datetime2(3) NULL,
        created_at datetime2(3) NOT NULL CONSTRAINT df_courses_created_at DEFAULT (SYSUTCDATETIME()),
        updated_at datetime2(3) NOT NULL CONSTRAINT df_courses_updated_at DEFAULT (SYSUTCDATETIME()),
        row_version rowversion NOT NULL,
        CONSTRAINT pk_courses PRIMARY KEY (id),
        CONSTRAINT uq_courses_slug UNIQUE (slug),
        CONSTRAINT ck_courses_level CHECK (level IN (N'beginner', N'intermediate', N'advanced')),
        CONSTRAINT ck_courses_price CHECK (price >= 0)
    );
END
GO

-- The order of the public list, which is read page by page along it. On its own, so that a run that
-- was cut behind the table makes it the next time.
IF NOT EXISTS (SELECT 1 FROM sys.indexes WHERE name = N'ix_courses_published')
BEGIN
    CREATE INDEX ix_courses_published ON dbo.courses (published_at DESC, id DESC);
END
GO
