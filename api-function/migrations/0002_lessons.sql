-- The lessons of a course, in order. Safe to repeat: what is there is left alone.
--
-- Nothing is deleted along with something else: who deletes a course says so for its lessons.

IF OBJECT_ID(N'dbo.lessons', N'U') IS NULL
BEGIN
    CREATE TABLE dbo.lessons
    (
        id bigint IDENTITY(1, 1) NOT NULL,
        course_id bigint NOT NULL,
        position int NOT NULL,
        title nvarchar(200) NOT NULL,
        minutes int NOT NULL,
        CONSTRAINT pk_lessons PRIMARY KEY (id),
        CONSTRAINT uq_lessons_course_position UNIQUE (course_id, position),
        CONSTRAINT fk_lessons_course FOREIGN KEY (course_id) REFERENCES dbo.courses (id),
        CONSTRAINT ck_lessons_position CHECK (position >= 1),
        CONSTRAINT ck_lessons_minutes CHECK (minutes >= 1)
    );
END
GO
