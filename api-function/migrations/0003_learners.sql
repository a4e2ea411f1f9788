-- Learners, what they have enrolled in, and which lessons they have done. Safe to repeat: what is
-- there is left alone.
--
-- A learner is the `sub` of a token: at most 255 ASCII characters, told apart by case (OpenID Connect
-- Core, 2). It is kept as bytes, because the usual collations take `abc` and `ABC` for the same.

IF OBJECT_ID(N'dbo.learners', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.learners
    (
        id bigint IDENTITY(1, 1) NOT NULL,
        subject varbinary(255) NOT NULL,
        created_at datetime2(3) NOT NULL CONSTRAINT df_learners_created_at DEFAULT (SYSUTCDATETIME()),
        CONSTRAINT pk_learners PRIMARY KEY (id),
        CONSTRAINT uq_learners_subject UNIQUE (subject)
    );
END
GO

IF OBJECT_ID(N'dbo.enrolments', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.enrolments
    (
        learner_id bigint NOT NULL,
        course_id bigint NOT NULL,
        enrolled_at datetime2(3) NOT NULL CONSTRAINT df_enrolments_enrolled_at DEFAULT (SYSUTCDATETIME()),
        CONSTRAINT pk_enrolments PRIMARY KEY (learner_id, course_id),
        CONSTRAINT fk_enrolments_learner FOREIGN KEY (learner_id) REFERENCES dbo.learners (id),
        CONSTRAINT fk_enrolments_course FOREIGN KEY (course_id) REFERENCES dbo.courses (id)
    );
END
GO

IF OBJECT_ID(N'dbo.progress', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.progress
    (
        learner_id bigint NOT NULL,
        lesson_id bigint NOT NULL,
        done_at datetime2(3) NOT NULL CONSTRAINT df_progress_done_at DEFAULT (SYSUTCDATETIME()),
        CONSTRAINT pk_progress PRIMARY KEY (learner_id, lesson_id),
        CONSTRAINT fk_progress_learner FOREIGN KEY (learner_id) REFERENCES dbo.learners (id),
        CONSTRAINT fk_progress_lesson FOREIGN KEY (lesson_id) REFERENCES dbo.lessons (id)
    );
END
GO
