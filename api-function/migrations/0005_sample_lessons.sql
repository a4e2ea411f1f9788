-- Sample lessons for some of the sample courses. Safe to repeat: a position that is taken is left
-- alone.

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 1, N'What a table is', 12
FROM dbo.courses AS c
WHERE c.slug = N'sql-first-steps'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 1);

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 2, N'Asking with SELECT', 18
FROM dbo.courses AS c
WHERE c.slug = N'sql-first-steps'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 2);

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 3, N'Sorting and limiting', 14
FROM dbo.courses AS c
WHERE c.slug = N'sql-first-steps'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 3);

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 4, N'Counting and grouping', 22
FROM dbo.courses AS c
WHERE c.slug = N'sql-first-steps'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 4);

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 5, N'Joining two tables', 25
FROM dbo.courses AS c
WHERE c.slug = N'sql-first-steps'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 5);
GO

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 1, N'What can go wrong with two users', 20
FROM dbo.courses AS c
WHERE c.slug = N'transactions-in-practice'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 1);

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 2, N'Isolation levels by experiment', 35
FROM dbo.courses AS c
WHERE c.slug = N'transactions-in-practice'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 2);

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 3, N'Provoking a deadlock', 25
FROM dbo.courses AS c
WHERE c.slug = N'transactions-in-practice'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 3);

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 4, N'Designing around contention', 30
FROM dbo.courses AS c
WHERE c.slug = N'transactions-in-practice'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 4);
GO

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 1, N'Building someone else''s code', 15
FROM dbo.courses AS c
WHERE c.slug = N'rust-for-operators'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 1);

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 2, N'Ownership without tears', 30
FROM dbo.courses AS c
WHERE c.slug = N'rust-for-operators'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 2);

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 3, N'Errors as values', 20
FROM dbo.courses AS c
WHERE c.slug = N'rust-for-operators'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 3);

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 4, N'A service of your own', 45
FROM dbo.courses AS c
WHERE c.slug = N'rust-for-operators'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 4);
GO

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 1, N'The life of an environment', 18
FROM dbo.courses AS c
WHERE c.slug = N'serverless-without-surprises'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 1);

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 2, N'Frozen between requests', 16
FROM dbo.courses AS c
WHERE c.slug = N'serverless-without-surprises'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 2);

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 3, N'Retries that happen twice', 24
FROM dbo.courses AS c
WHERE c.slug = N'serverless-without-surprises'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 3);

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 4, N'Limits, and who sets them', 20
FROM dbo.courses AS c
WHERE c.slug = N'serverless-without-surprises'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 4);
GO

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 1, N'Who may read what', 15
FROM dbo.courses AS c
WHERE c.slug = N'secrets-and-rotation'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 1);

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 2, N'Four steps of a rotation', 28
FROM dbo.courses AS c
WHERE c.slug = N'secrets-and-rotation'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 2);

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 3, N'The gap, and how to close it', 26
FROM dbo.courses AS c
WHERE c.slug = N'secrets-and-rotation'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 3);

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 4, N'A rehearsal', 40
FROM dbo.courses AS c
WHERE c.slug = N'secrets-and-rotation'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 4);
GO

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 1, N'Questions first', 12
FROM dbo.courses AS c
WHERE c.slug = N'observability-that-answers'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 1);

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 2, N'Percentiles, honestly', 24
FROM dbo.courses AS c
WHERE c.slug = N'observability-that-answers'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 2);

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 3, N'Logs that can be searched', 20
FROM dbo.courses AS c
WHERE c.slug = N'observability-that-answers'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 3);

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 4, N'Alarms for people', 22
FROM dbo.courses AS c
WHERE c.slug = N'observability-that-answers'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 4);
GO

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 1, N'Décrire une panne', 20
FROM dbo.courses AS c
WHERE c.slug = N'francais-des-reseaux'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 1);

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 2, N'Le délai d’attente', 15
FROM dbo.courses AS c
WHERE c.slug = N'francais-des-reseaux'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 2);

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 3, N'« Ça marchait hier »', 10
FROM dbo.courses AS c
WHERE c.slug = N'francais-des-reseaux'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 3);
GO

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 1, N'タイムアウトとは', 14
FROM dbo.courses AS c
WHERE c.slug = N'nihongo-no-tsugi-no-ippo'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 1);

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 2, N'接続拒否を読み解く', 16
FROM dbo.courses AS c
WHERE c.slug = N'nihongo-no-tsugi-no-ippo'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 2);
GO

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 1, N'ما الذي ينقلب', 18
FROM dbo.courses AS c
WHERE c.slug = N'arabic-interfaces'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 1);

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 2, N'الأرقام والتواريخ', 16
FROM dbo.courses AS c
WHERE c.slug = N'arabic-interfaces'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 2);
GO

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 1, N'Code points, units and clusters', 22
FROM dbo.courses AS c
WHERE c.slug = N'emoji-and-other-text'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 1);

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 2, N'Where text is cut 👩‍🚀', 18
FROM dbo.courses AS c
WHERE c.slug = N'emoji-and-other-text'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 2);

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 3, N'Sorting and comparing', 20
FROM dbo.courses AS c
WHERE c.slug = N'emoji-and-other-text'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 3);
GO

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 1, N'Slow is not down', 18
FROM dbo.courses AS c
WHERE c.slug = N'designing-for-failure'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 1);

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 2, N'Time limits all the way through', 24
FROM dbo.courses AS c
WHERE c.slug = N'designing-for-failure'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 2);

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 3, N'Idempotency by key', 26
FROM dbo.courses AS c
WHERE c.slug = N'designing-for-failure'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 3);

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 4, N'Twelve ways to break it', 45
FROM dbo.courses AS c
WHERE c.slug = N'designing-for-failure'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 4);
GO

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 1, N'It''s only a quote', 10
FROM dbo.courses AS c
WHERE c.slug = N'o-reilly-s-apostrophe'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 1);

INSERT INTO dbo.lessons (course_id, position, title, minutes)
SELECT c.id, 2, N'Parameters end the discussion', 20
FROM dbo.courses AS c
WHERE c.slug = N'o-reilly-s-apostrophe'
    AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = c.id AND l.position = 2);
GO
