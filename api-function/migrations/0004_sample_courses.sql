-- Sample courses for a demonstration or a test; not for production. Safe to repeat: a course whose
-- slug is there is left alone.
--
-- The last three are not public: two are drafts, one is to be published in 2099. Two pairs share a
-- time of publication, so that the order of the list needs the id as well.

INSERT INTO dbo.courses (slug, title, summary, level, price, published_at)
SELECT N'sql-first-steps', N'SQL: first steps',
    N'Tables, rows and the questions one can ask them. From the first SELECT to grouping and joining two tables, on a small library''s catalogue.',
    N'beginner', 0.00, CAST('2024-02-05T08:00:00.000' AS datetime2(3))
WHERE NOT EXISTS (SELECT 1 FROM dbo.courses WHERE slug = N'sql-first-steps');
GO

INSERT INTO dbo.courses (slug, title, summary, level, price, published_at)
SELECT N'reading-query-plans', N'Reading query plans',
    N'What the optimiser decided, why, and what to change: scans and seeks, estimates and actual rows, spills, and the index that helps.',
    N'intermediate', 79.00, CAST('2024-03-11T08:00:00.000' AS datetime2(3))
WHERE NOT EXISTS (SELECT 1 FROM dbo.courses WHERE slug = N'reading-query-plans');
GO

INSERT INTO dbo.courses (slug, title, summary, level, price, published_at)
SELECT N'transactions-in-practice', N'Transactions in practice',
    N'Isolation levels by experiment: lost updates, phantoms, deadlocks and how to provoke each, then how to design so that they do not matter.',
    N'advanced', 129.00, CAST('2024-04-22T08:00:00.000' AS datetime2(3))
WHERE NOT EXISTS (SELECT 1 FROM dbo.courses WHERE slug = N'transactions-in-practice');
GO

INSERT INTO dbo.courses (slug, title, summary, level, price, published_at)
SELECT N'rust-for-operators', N'Rust for operators',
    N'Enough Rust to read, build and repair the tools you depend on: ownership without tears, errors as values, and a small service at the end.',
    N'beginner', 49.00, CAST('2024-05-06T08:00:00.000' AS datetime2(3))
WHERE NOT EXISTS (SELECT 1 FROM dbo.courses WHERE slug = N'rust-for-operators');
GO

INSERT INTO dbo.courses (slug, title, summary, level, price, published_at)
SELECT N'async-rust-in-depth', N'Async Rust in depth',
    N'Futures, pinning, cancellation and back-pressure. Why a dropped future is a half-done exchange, and what to do about it.',
    N'advanced', 149.00, CAST('2024-06-17T08:00:00.000' AS datetime2(3))
WHERE NOT EXISTS (SELECT 1 FROM dbo.courses WHERE slug = N'async-rust-in-depth');
GO

INSERT INTO dbo.courses (slug, title, summary, level, price, published_at)
SELECT N'http-from-the-wire-up', N'HTTP from the wire up',
    N'Read and write requests by hand, then see what browsers, proxies and caches add: methods, conditional requests, ranges, and the errors worth having.',
    N'intermediate', 59.00, CAST('2024-07-01T08:00:00.000' AS datetime2(3))
WHERE NOT EXISTS (SELECT 1 FROM dbo.courses WHERE slug = N'http-from-the-wire-up');
GO

INSERT INTO dbo.courses (slug, title, summary, level, price, published_at)
SELECT N'apis-people-like', N'APIs people like',
    N'Naming, paging, errors and versions: a course on the parts of an interface that can''t be changed later.',
    N'intermediate', 69.00, CAST('2024-08-19T08:00:00.000' AS datetime2(3))
WHERE NOT EXISTS (SELECT 1 FROM dbo.courses WHERE slug = N'apis-people-like');
GO

INSERT INTO dbo.courses (slug, title, summary, level, price, published_at)
SELECT N'serverless-without-surprises', N'Serverless without surprises',
    N'Cold starts, frozen environments, retries that happen twice and limits that happen once. Build a function that behaves on a bad day.',
    N'intermediate', 89.00, CAST('2024-09-02T08:00:00.000' AS datetime2(3))
WHERE NOT EXISTS (SELECT 1 FROM dbo.courses WHERE slug = N'serverless-without-surprises');
GO

INSERT INTO dbo.courses (slug, title, summary, level, price, published_at)
SELECT N'secrets-and-rotation', N'Secrets and their rotation',
    N'Where passwords live, who may read them, and how to change one while everybody is using it. With a rehearsal you can repeat at work.',
    N'advanced', 119.00, CAST('2024-10-14T08:00:00.000' AS datetime2(3))
WHERE NOT EXISTS (SELECT 1 FROM dbo.courses WHERE slug = N'secrets-and-rotation');
GO

INSERT INTO dbo.courses (slug, title, summary, level, price, published_at)
SELECT N'private-networks-on-aws', N'Private networks on AWS',
    N'Subnets, route tables, endpoints and security groups, drawn before they are built. Find out why a packet does not arrive.',
    N'intermediate', 79.00, CAST('2024-11-04T08:00:00.000' AS datetime2(3))
WHERE NOT EXISTS (SELECT 1 FROM dbo.courses WHERE slug = N'private-networks-on-aws');
GO

INSERT INTO dbo.courses (slug, title, summary, level, price, published_at)
SELECT N'observability-that-answers', N'Observability that answers',
    N'Logs, metrics and traces as questions first. Percentiles, cardinality, and alarms that wake the right person for the right thing.',
    N'intermediate', 99.00, CAST('2025-01-13T08:00:00.000' AS datetime2(3))
WHERE NOT EXISTS (SELECT 1 FROM dbo.courses WHERE slug = N'observability-that-answers');
GO

INSERT INTO dbo.courses (slug, title, summary, level, price, published_at)
SELECT N'calm-on-call', N'Calm on call',
    N'Preparing for the night: runbooks that are used, hand-overs that are short, reviews that blame nobody and change something.',
    N'beginner', 39.00, CAST('2025-02-03T08:00:00.000' AS datetime2(3))
WHERE NOT EXISTS (SELECT 1 FROM dbo.courses WHERE slug = N'calm-on-call');
GO

INSERT INTO dbo.courses (slug, title, summary, level, price, published_at)
SELECT N'linux-for-the-curious', N'Linux for the curious',
    N'Processes, files, sockets and what /proc says about them. Follow a system call to the end and come back with an explanation.',
    N'beginner', 0.00, CAST('2025-03-10T08:00:00.000' AS datetime2(3))
WHERE NOT EXISTS (SELECT 1 FROM dbo.courses WHERE slug = N'linux-for-the-curious');
GO

INSERT INTO dbo.courses (slug, title, summary, level, price, published_at)
SELECT N'shell-you-can-trust', N'Shell you can trust',
    N'Quoting, exit codes, traps and the word-splitting nobody expects. When to write a script, and when to stop.',
    N'beginner', 29.00, CAST('2025-03-10T08:00:00.000' AS datetime2(3))
WHERE NOT EXISTS (SELECT 1 FROM dbo.courses WHERE slug = N'shell-you-can-trust');
GO

INSERT INTO dbo.courses (slug, title, summary, level, price, published_at)
SELECT N'git-under-the-bonnet', N'Git under the bonnet',
    N'Objects, references and the index. After this no rebase is frightening any more, and no commit is lost.',
    N'intermediate', 45.00, CAST('2025-04-07T08:00:00.000' AS datetime2(3))
WHERE NOT EXISTS (SELECT 1 FROM dbo.courses WHERE slug = N'git-under-the-bonnet');
GO

INSERT INTO dbo.courses (slug, title, summary, level, price, published_at)
SELECT N'testing-what-matters', N'Testing what matters',
    N'Tests that fail for one reason. Tables of cases, properties, faults on purpose, and how to throw away a suite that only slows you down.',
    N'intermediate', 69.00, CAST('2025-05-12T08:00:00.000' AS datetime2(3))
WHERE NOT EXISTS (SELECT 1 FROM dbo.courses WHERE slug = N'testing-what-matters');
GO

INSERT INTO dbo.courses (slug, title, summary, level, price, published_at)
SELECT N'tls-without-fear', N'TLS without fear',
    N'Certificates, chains and handshakes, one byte at a time. Run your own authority for a day, and understand every error message you have ever seen.',
    N'intermediate', 75.00, CAST('2025-06-02T08:00:00.000' AS datetime2(3))
WHERE NOT EXISTS (SELECT 1 FROM dbo.courses WHERE slug = N'tls-without-fear');
GO

INSERT INTO dbo.courses (slug, title, summary, level, price, published_at)
SELECT N'accessible-by-default', N'Accessible by default',
    N'Headings, labels, focus and contrast: pages that work with a keyboard, a screen reader and a tired pair of eyes.',
    N'beginner', 35.00, CAST('2025-06-30T08:00:00.000' AS datetime2(3))
WHERE NOT EXISTS (SELECT 1 FROM dbo.courses WHERE slug = N'accessible-by-default');
GO

INSERT INTO dbo.courses (slug, title, summary, level, price, published_at)
SELECT N'charts-that-tell-the-truth', N'Charts that tell the truth',
    N'Scales, baselines, gaps and colours. How a line chart misleads, how to draw one that does not, and when a table is better.',
    N'beginner', 42.50, CAST('2025-08-18T08:00:00.000' AS datetime2(3))
WHERE NOT EXISTS (SELECT 1 FROM dbo.courses WHERE slug = N'charts-that-tell-the-truth');
GO

INSERT INTO dbo.courses (slug, title, summary, level, price, published_at)
SELECT N'francais-des-reseaux', N'Le français des réseaux',
    N'Apprenez à décrire une panne à vos collègues de Lyon : pare-feu, passerelle, délai d’attente, « ça marchait hier ».',
    N'beginner', 55.00, CAST('2025-09-01T08:00:00.000' AS datetime2(3))
WHERE NOT EXISTS (SELECT 1 FROM dbo.courses WHERE slug = N'francais-des-reseaux');
GO

INSERT INTO dbo.courses (slug, title, summary, level, price, published_at)
SELECT N'datenmodelle-fuer-grosse-plaene', N'Datenmodelle für große Pläne',
    N'Schlüssel, Beziehungen und Zeit: Wie man heute so modelliert, dass übermorgen noch Äpfel mit Äpfeln verglichen werden.',
    N'intermediate', 85.00, CAST('2025-10-06T08:00:00.000' AS datetime2(3))
WHERE NOT EXISTS (SELECT 1 FROM dbo.courses WHERE slug = N'datenmodelle-fuer-grosse-plaene');
GO

INSERT INTO dbo.courses (slug, title, summary, level, price, published_at)
SELECT N'nihongo-no-tsugi-no-ippo', N'日本語で読むエラーメッセージ',
    N'タイムアウト、接続拒否、権限不足。日本語のログを落ち着いて読み解くための最初の一歩です。',
    N'beginner', 25.00, CAST('2025-11-03T08:00:00.000' AS datetime2(3))
WHERE NOT EXISTS (SELECT 1 FROM dbo.courses WHERE slug = N'nihongo-no-tsugi-no-ippo');
GO

INSERT INTO dbo.courses (slug, title, summary, level, price, published_at)
SELECT N'arabic-interfaces', N'واجهات من اليمين إلى اليسار',
    N'كيف تصمم صفحات تُقرأ من اليمين إلى اليسار، وما الذي ينقلب فيها وما الذي يبقى كما هو.',
    N'intermediate', 65.00, CAST('2025-12-01T08:00:00.000' AS datetime2(3))
WHERE NOT EXISTS (SELECT 1 FROM dbo.courses WHERE slug = N'arabic-interfaces');
GO

INSERT INTO dbo.courses (slug, title, summary, level, price, published_at)
SELECT N'emoji-and-other-text', N'Emoji & other text 🧩',
    N'Why 👩‍🚀 is one character to you, three to Unicode, five to UTF-16 and eleven to UTF-8, and where your software will cut it in half.',
    N'intermediate', 31.99, CAST('2026-01-12T08:00:00.000' AS datetime2(3))
WHERE NOT EXISTS (SELECT 1 FROM dbo.courses WHERE slug = N'emoji-and-other-text');
GO

INSERT INTO dbo.courses (slug, title, summary, level, price, published_at)
SELECT N'cost-of-a-request', N'The cost of a request',
    N'Follow one request through gateway, function and database, put a price on each step, and find the step that is worth changing.',
    N'advanced', 109.00, CAST('2026-02-09T08:00:00.000' AS datetime2(3))
WHERE NOT EXISTS (SELECT 1 FROM dbo.courses WHERE slug = N'cost-of-a-request');
GO

INSERT INTO dbo.courses (slug, title, summary, level, price, published_at)
SELECT N'designing-for-failure', N'Designing for failure',
    N'Time limits, retries, idempotency and the difference between slow and down. Break a small system in twelve ways and repair it in eight.',
    N'advanced', 139.00, CAST('2026-03-02T08:00:00.000' AS datetime2(3))
WHERE NOT EXISTS (SELECT 1 FROM dbo.courses WHERE slug = N'designing-for-failure');
GO

INSERT INTO dbo.courses (slug, title, summary, level, price, published_at)
SELECT N'o-reilly-s-apostrophe', N'O''Brien''s apostrophe; DROP TABLE',
    N'Injection from both sides: how ''quotes'', [brackets] and -- comments become commands, and why bound parameters end the discussion.',
    N'intermediate', 49.00, CAST('2026-03-02T08:00:00.000' AS datetime2(3))
WHERE NOT EXISTS (SELECT 1 FROM dbo.courses WHERE slug = N'o-reilly-s-apostrophe');
GO

INSERT INTO dbo.courses (slug, title, summary, level, price, published_at)
SELECT N'mentoring-engineers', N'Mentoring engineers',
    N'Listening, pairing, letting go. A course for those who have been asked to help others grow, and would rather not improvise.',
    N'beginner', 19.00, CAST('2026-04-13T08:00:00.000' AS datetime2(3))
WHERE NOT EXISTS (SELECT 1 FROM dbo.courses WHERE slug = N'mentoring-engineers');
GO

INSERT INTO dbo.courses (slug, title, summary, level, price, published_at)
SELECT N'capacity-planning-draft', N'Capacity planning',
    N'Still being written: arrival rates, queues, and what to do with ten per cent of headroom.',
    N'advanced', 119.00, CAST(NULL AS datetime2(3))
WHERE NOT EXISTS (SELECT 1 FROM dbo.courses WHERE slug = N'capacity-planning-draft');
GO

INSERT INTO dbo.courses (slug, title, summary, level, price, published_at)
SELECT N'time-and-calendars-draft', N'Time, calendars and other traps',
    N'Still being written: leap seconds, time zones that move, and the meeting that took place twice.',
    N'intermediate', 59.00, CAST(NULL AS datetime2(3))
WHERE NOT EXISTS (SELECT 1 FROM dbo.courses WHERE slug = N'time-and-calendars-draft');
GO

INSERT INTO dbo.courses (slug, title, summary, level, price, published_at)
SELECT N'next-century-systems', N'Systems for the next century',
    N'Announced: software that is still understood when everybody who wrote it has gone.',
    N'advanced', 199.00, CAST('2099-01-01T00:00:00.000' AS datetime2(3))
WHERE NOT EXISTS (SELECT 1 FROM dbo.courses WHERE slug = N'next-century-systems');
GO
