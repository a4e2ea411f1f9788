// What belongs to the learner whose token it is: enrolments and progress.

import { isDuplicate, query, sql, transaction } from './database.mjs';
import { badInput, body, claims, decodeCursor, encodeCursor, iso, json, limitOf, parameters, Problem } from './http.mjs';

const SLUG = sql.NVarChar(80);

/** The `sub` of a token is told apart by case, so it is kept as bytes. */
const subject = (event) => [sql.VarBinary(255), Buffer.from(String(claims(event).sub), 'utf8')];

const ENROLMENTS = `
  SELECT TOP (@rows) c.id, c.slug, c.title, c.level, e.enrolled_at,
    (SELECT COUNT(*) FROM dbo.lessons AS l WHERE l.course_id = c.id) AS lessons_total,
    (SELECT COUNT(*) FROM dbo.progress AS p JOIN dbo.lessons AS l ON l.id = p.lesson_id
     WHERE p.learner_id = e.learner_id AND l.course_id = c.id) AS lessons_done,
    (SELECT COALESCE(SUM(l.minutes), 0) FROM dbo.lessons AS l WHERE l.course_id = c.id) AS minutes_total,
    (SELECT COALESCE(SUM(l.minutes), 0) FROM dbo.progress AS p JOIN dbo.lessons AS l ON l.id = p.lesson_id
     WHERE p.learner_id = e.learner_id AND l.course_id = c.id) AS minutes_done,
    (SELECT MAX(p.done_at) FROM dbo.progress AS p JOIN dbo.lessons AS l ON l.id = p.lesson_id
     WHERE p.learner_id = e.learner_id AND l.course_id = c.id) AS last_done_at
  FROM dbo.enrolments AS e
  JOIN dbo.learners AS u ON u.id = e.learner_id
  JOIN dbo.courses AS c ON c.id = e.course_id
  WHERE u.subject = @subject`;

const enrolment = (row) => ({
  slug: row.slug,
  title: row.title,
  level: row.level,
  enrolled_at: iso(row.enrolled_at),
  lessons_total: row.lessons_total,
  lessons_done: row.lessons_done,
});

/** A page of the learner's courses, the newest enrolment first. */
async function page(event) {
  const given = parameters(event, ['limit', 'cursor']);
  const limit = limitOf(given);
  const after = decodeCursor(given.cursor);
  const bound = { subject: subject(event), rows: [sql.Int, limit + 1] };
  let text = ENROLMENTS;
  if (after) {
    text += ' AND (e.enrolled_at < @at OR (e.enrolled_at = @at AND c.id < @id))';
    Object.assign(bound, { at: [sql.DateTime2(3), after.at], id: [sql.BigInt, after.id] });
  }
  const { recordset } = await query(`${text} ORDER BY e.enrolled_at DESC, c.id DESC`, bound);
  const rows = recordset.slice(0, limit);
  const last = rows.at(-1);
  const cursor = recordset.length > limit ? encodeCursor(last.enrolled_at.toISOString(), last.id) : null;
  return { rows, cursor };
}

export async function enrolments(event) {
  const { rows, cursor } = await page(event);
  return json(200, { items: rows.map(enrolment), next_cursor: cursor });
}

/** The course's id, if it is there and published. */
async function publishedCourse(slug, run = query) {
  const { recordset } = await run(
    'SELECT id FROM dbo.courses WHERE slug = @slug AND published_at <= SYSUTCDATETIME()',
    { slug: [SLUG, slug] },
  );
  if (recordset.length === 0) throw new Problem('not-found', 'There is no such course.');
  return [sql.BigInt, recordset[0].id];
}

/** Makes a row unless it is there; another request may have made it at the same moment. */
async function ensure(text, bound) {
  try {
    const { rowsAffected } = await query(text, bound);
    return rowsAffected[0] > 0;
  } catch (error) {
    if (isDuplicate(error)) return false;
    throw error;
  }
}

export async function enrol(event, { slug }) {
  const learner = subject(event);
  const course = await publishedCourse(slug);
  await ensure(
    `INSERT INTO dbo.learners (subject)
     SELECT @learner WHERE NOT EXISTS (SELECT 1 FROM dbo.learners WHERE subject = @learner)`,
    { learner },
  );
  const isNew = await ensure(
    `INSERT INTO dbo.enrolments (learner_id, course_id)
     SELECT u.id, @course FROM dbo.learners AS u
     WHERE u.subject = @learner
       AND NOT EXISTS (SELECT 1 FROM dbo.enrolments AS e WHERE e.learner_id = u.id AND e.course_id = @course)`,
    { learner, course },
  );
  const { recordset } = await query(`${ENROLMENTS} AND c.id = @course`, { subject: learner, course, rows: [sql.Int, 1] });
  return json(isNew ? 201 : 200, enrolment(recordset[0]));
}

export async function leave(event, { slug }) {
  const learner = subject(event);
  const found = await query('SELECT id FROM dbo.courses WHERE slug = @slug', { slug: [SLUG, slug] });
  if (found.recordset.length === 0) throw new Problem('not-found', 'There is no such course.');
  const bound = { learner, course: [sql.BigInt, found.recordset[0].id] };
  const whose = 'learner_id IN (SELECT id FROM dbo.learners WHERE subject = @learner)';
  await transaction(async (run) => {
    await run(`DELETE FROM dbo.progress WHERE ${whose} AND lesson_id IN (SELECT id FROM dbo.lessons WHERE course_id = @course)`, bound);
    await run(`DELETE FROM dbo.enrolments WHERE ${whose} AND course_id = @course`, bound);
  });
  return { statusCode: 204 };
}

export async function setLesson(event, { slug, position }) {
  const learner = subject(event);
  const { done, ...rest } = body(event);
  if (typeof done !== 'boolean' || Object.keys(rest).length > 0) throw badInput('done', 'must be true or false, and alone');
  const at = /^[1-9]\d{0,8}$/.test(position) ? Number(position) : 0;
  const { recordset } = await query(
    `SELECT u.id AS learner, l.id AS lesson FROM dbo.lessons AS l
     JOIN dbo.courses AS c ON c.id = l.course_id
     JOIN dbo.enrolments AS e ON e.course_id = c.id
     JOIN dbo.learners AS u ON u.id = e.learner_id
     WHERE c.slug = @slug AND l.position = @position AND u.subject = @learner`,
    { slug: [SLUG, slug], position: [sql.Int, at], learner },
  );
  if (recordset.length === 0) throw new Problem('not-found', 'There is no such lesson in a course of yours.');
  const bound = { learner: [sql.BigInt, recordset[0].learner], lesson: [sql.BigInt, recordset[0].lesson] };
  const row = 'learner_id = @learner AND lesson_id = @lesson';
  if (!done) {
    await query(`DELETE FROM dbo.progress WHERE ${row}`, bound);
    return json(200, { slug, position: at, done, done_at: null });
  }
  await ensure(
    `INSERT INTO dbo.progress (learner_id, lesson_id)
     SELECT @learner, @lesson WHERE NOT EXISTS (SELECT 1 FROM dbo.progress WHERE ${row})`,
    bound,
  );
  const marked = await query(`SELECT done_at FROM dbo.progress WHERE ${row}`, bound);
  return json(200, { slug, position: at, done, done_at: iso(marked.recordset[0]?.done_at) });
}

export async function progress(event) {
  const { rows, cursor } = await page(event);
  const { recordset } = await query(
    `SELECT
       (SELECT COUNT(*) FROM dbo.enrolments AS e WHERE e.learner_id = u.id) AS courses,
       (SELECT COUNT(*) FROM dbo.enrolments AS e WHERE e.learner_id = u.id
         AND EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = e.course_id)
         AND NOT EXISTS (SELECT 1 FROM dbo.lessons AS l WHERE l.course_id = e.course_id
           AND NOT EXISTS (SELECT 1 FROM dbo.progress AS p WHERE p.learner_id = u.id AND p.lesson_id = l.id))
       ) AS courses_completed,
       (SELECT COUNT(*) FROM dbo.progress AS p WHERE p.learner_id = u.id) AS lessons_done,
       (SELECT COUNT(*) FROM dbo.lessons AS l JOIN dbo.enrolments AS e ON e.course_id = l.course_id
         WHERE e.learner_id = u.id) AS lessons_total,
       (SELECT COALESCE(SUM(l.minutes), 0) FROM dbo.lessons AS l JOIN dbo.progress AS p ON p.lesson_id = l.id
         WHERE p.learner_id = u.id) AS minutes_done,
       (SELECT COALESCE(SUM(l.minutes), 0) FROM dbo.lessons AS l JOIN dbo.enrolments AS e ON e.course_id = l.course_id
         WHERE e.learner_id = u.id) AS minutes_total
     FROM dbo.learners AS u WHERE u.subject = @subject`,
    { subject: subject(event) },
  );
  const none = { courses: 0, courses_completed: 0, lessons_done: 0, lessons_total: 0, minutes_done: 0, minutes_total: 0 };
  const items = rows.map((row) => ({
    slug: row.slug,
    title: row.title,
    lessons_done: row.lessons_done,
    lessons_total: row.lessons_total,
    minutes_done: row.minutes_done,
    minutes_total: row.minutes_total,
    last_done_at: iso(row.last_done_at),
  }));
  return json(200, { ...none, ...recordset[0], items, next_cursor: cursor });
}
