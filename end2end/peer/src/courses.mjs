// Courses and their lessons.

import { isDuplicate, query, sql, transaction } from './database.mjs';
import {
  badInput, body, cacheable, decodeCursor, encodeCursor, etagOf, ifMatch, iso, json, limitOf, parameters, Problem,
  requireScope,
} from './http.mjs';

const LEVELS = ['beginner', 'intermediate', 'advanced'];
const MOST_LESSONS = 200;
const SLUG = sql.NVarChar(80);

const COLUMNS = 'id, slug, title, summary, level, price, published_at';

const course = (row) => ({
  slug: row.slug,
  title: row.title,
  summary: row.summary,
  level: row.level,
  price: row.price.toFixed(2),
  published_at: iso(row.published_at),
});

const lesson = (row) => ({ id: Number(row.id), position: row.position, title: row.title, minutes: row.minutes });

export async function list(event) {
  const given = parameters(event, ['search', 'level', 'limit', 'cursor', 'total']);
  const limit = limitOf(given);
  const after = decodeCursor(given.cursor);
  const filters = ['published_at <= SYSUTCDATETIME()'];
  const bound = {};
  if (given.level !== undefined) {
    if (!LEVELS.includes(given.level)) throw badInput('level', `must be one of ${LEVELS.join(', ')}`);
    filters.push('level = @level');
    bound.level = [sql.NVarChar(20), given.level];
  }
  if (given.search) {
    filters.push("(title LIKE @search ESCAPE N'\\' OR summary LIKE @search ESCAPE N'\\')");
    bound.search = [sql.NVarChar(400), `%${given.search.slice(0, 100).replace(/[\\%_[]/g, '\\$&')}%`];
  }
  const paged = [...filters];
  const page = { ...bound, rows: [sql.Int, limit + 1] };
  if (after) {
    paged.push('(published_at < @at OR (published_at = @at AND id < @id))');
    Object.assign(page, { at: [sql.DateTime2(3), after.at], id: [sql.BigInt, after.id] });
  }
  // One more than asked for tells whether there is another page.
  const { recordset } = await query(
    `SELECT TOP (@rows) ${COLUMNS} FROM dbo.courses WHERE ${paged.join(' AND ')} ORDER BY published_at DESC, id DESC`,
    page,
  );
  const rows = recordset.slice(0, limit);
  const last = rows.at(-1);
  const answer = {
    items: rows.map(course),
    next_cursor: recordset.length > limit ? encodeCursor(last.published_at.toISOString(), last.id) : null,
  };
  if (given.total === 'true') {
    const counted = await query(`SELECT COUNT(*) AS total FROM dbo.courses WHERE ${filters.join(' AND ')}`, bound);
    answer.total = counted.recordset[0].total;
  }
  return cacheable(event, answer);
}

// The course and its lessons in one round trip.
const DETAIL = `
  SELECT ${COLUMNS}, row_version FROM dbo.courses WHERE slug = @slug;
  SELECT l.id, l.position, l.title, l.minutes FROM dbo.lessons AS l JOIN dbo.courses AS c ON c.id = l.course_id
  WHERE c.slug = @slug ORDER BY l.position`;

async function load(slug, run = query) {
  const { recordsets } = await run(DETAIL, { slug: [SLUG, slug] });
  const [row] = recordsets[0];
  return row && { row, detail: { ...course(row), lessons: recordsets[1].map(lesson) } };
}

const noSuchCourse = () => new Problem('not-found', 'There is no such course.');

/** Why nothing was changed: the course is gone, or has another version. */
async function unchanged(slug, run = query) {
  const found = await run('SELECT id FROM dbo.courses WHERE slug = @slug', { slug: [SLUG, slug] });
  if (found.recordset.length === 0) return noSuchCourse();
  return new Problem('precondition-failed', 'The course was changed in the meantime.');
}

export async function read(event, { slug }) {
  parameters(event, []);
  const found = await load(slug);
  const isPublic = found?.row.published_at && found.row.published_at <= new Date();
  if (!isPublic) throw noSuchCourse();
  const etag = etagOf(found.row.row_version);
  const seen = event.headers?.['if-none-match'];
  if (seen?.split(',').some((one) => one.trim() === etag)) return { statusCode: 304, headers: { etag } };
  return json(200, found.detail, { etag });
}

function courseInput(event, { withSlug }) {
  const { slug, title, summary, level, price, published_at: at = null, ...rest } = body(event);
  const unknown = Object.keys(rest)[0] ?? (!withSlug && slug !== undefined ? 'slug' : undefined);
  if (unknown) throw badInput(unknown, 'is not known here');
  const text = (field, value, most) => {
    if (typeof value !== 'string' || value.trim() === '' || value.length > most) throw badInput(field, `must be a text of 1 to ${most} characters`);
  };
  if (withSlug && !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(slug ?? '')) throw badInput('slug', 'must be lower-case words with hyphens');
  if (withSlug) text('slug', slug, 80);
  text('title', title, 200);
  text('summary', summary, 2000);
  if (!LEVELS.includes(level)) throw badInput('level', `must be one of ${LEVELS.join(', ')}`);
  if (!/^\d{1,8}(\.\d{1,2})?$/.test(price ?? '')) throw badInput('price', 'must be an amount such as "49.00"');
  if (at !== null && Number.isNaN(Date.parse(at))) throw badInput('published_at', 'must be a time');
  return {
    slug: [SLUG, slug],
    title: [sql.NVarChar(200), title],
    summary: [sql.NVarChar(2000), summary],
    level: [sql.NVarChar(20), level],
    price: [sql.Decimal(10, 2), price],
    at: [sql.DateTime2(3), at === null ? null : new Date(at)],
  };
}

export async function create(event) {
  requireScope(event, 'courses:write');
  const input = courseInput(event, { withSlug: true });
  const slug = input.slug[1];
  try {
    await query(
      `INSERT INTO dbo.courses (slug, title, summary, level, price, published_at)
       VALUES (@slug, @title, @summary, @level, @price, @at)`,
      input,
    );
  } catch (error) {
    if (isDuplicate(error)) throw new Problem('conflict', 'The slug is taken.');
    throw error;
  }
  const { row, detail } = await load(slug);
  return json(201, detail, { location: `/courses/${slug}`, etag: etagOf(row.row_version) });
}

export async function replace(event, { slug }) {
  requireScope(event, 'courses:write');
  const seen = ifMatch(event);
  const input = courseInput(event, { withSlug: false });
  const { rowsAffected } = await query(
    `UPDATE dbo.courses SET title = @title, summary = @summary, level = @level, price = @price, published_at = @at,
       updated_at = SYSUTCDATETIME()
     WHERE slug = @slug AND row_version = @seen`,
    { ...input, slug: [SLUG, slug], seen: [sql.VarBinary(8), seen] },
  );
  if (rowsAffected[0] === 0) throw await unchanged(slug);
  const { row, detail } = await load(slug);
  return json(200, detail, { etag: etagOf(row.row_version) });
}

/** Takes the course for a change of what belongs to it: its id, if it is still the version seen. */
async function take(run, slug, seen) {
  const { recordset } = await run(
    `UPDATE dbo.courses SET updated_at = SYSUTCDATETIME() OUTPUT inserted.id WHERE slug = @slug AND row_version = @seen`,
    { slug: [SLUG, slug], seen: [sql.VarBinary(8), seen] },
  );
  if (recordset.length === 0) throw await unchanged(slug, run);
  return [sql.BigInt, recordset[0].id];
}

export async function remove(event, { slug }) {
  requireScope(event, 'courses:write');
  const seen = ifMatch(event);
  await transaction(async (run) => {
    const id = await take(run, slug, seen);
    const enrolled = await run('SELECT COUNT(*) AS learners FROM dbo.enrolments WHERE course_id = @id', { id });
    if (enrolled.recordset[0].learners > 0) throw new Problem('conflict', 'Learners are enrolled in this course.');
    await run('DELETE FROM dbo.lessons WHERE course_id = @id', { id });
    await run('DELETE FROM dbo.courses WHERE id = @id', { id });
  });
  return { statusCode: 204 };
}

function lessonsInput(event) {
  const { lessons, ...rest } = body(event);
  const unknown = Object.keys(rest)[0];
  if (unknown) throw badInput(unknown, 'is not known here');
  if (!Array.isArray(lessons) || lessons.length > MOST_LESSONS) throw badInput('lessons', `must be a list of at most ${MOST_LESSONS}`);
  const ids = new Set();
  lessons.forEach(({ id, title, minutes } = {}, at) => {
    const field = `lessons[${at}]`;
    if (id !== undefined && (!Number.isSafeInteger(id) || ids.has(id))) throw badInput(`${field}.id`, 'must be the id of a lesson, once');
    ids.add(id ?? `new ${at}`);
    if (typeof title !== 'string' || title.trim() === '' || title.length > 200) throw badInput(`${field}.title`, 'must be a text of 1 to 200 characters');
    if (!Number.isInteger(minutes) || minutes < 1 || minutes > 10_000) throw badInput(`${field}.minutes`, 'must be a whole number from 1 to 10000');
  });
  return lessons;
}

/** Out of the way of every position that is wanted. */
const ASIDE = 1_000_000;

export async function replaceLessons(event, { slug }) {
  requireScope(event, 'courses:write');
  const seen = ifMatch(event);
  const lessons = lessonsInput(event);
  const { row, detail } = await transaction(async (run) => {
    const course = await take(run, slug, seen);
    await run(`UPDATE dbo.lessons SET position = position + ${ASIDE} WHERE course_id = @course`, { course });
    for (const [at, { id, title, minutes }] of lessons.entries()) {
      const values = { course, position: [sql.Int, at + 1], title: [sql.NVarChar(200), title], minutes: [sql.Int, minutes] };
      if (id === undefined) {
        await run('INSERT INTO dbo.lessons (course_id, position, title, minutes) VALUES (@course, @position, @title, @minutes)', values);
        continue;
      }
      const { rowsAffected } = await run(
        'UPDATE dbo.lessons SET position = @position, title = @title, minutes = @minutes WHERE id = @id AND course_id = @course',
        { ...values, id: [sql.BigInt, String(id)] },
      );
      if (rowsAffected[0] === 0) throw badInput(`lessons[${at}].id`, 'is no lesson of this course');
    }
    const left = `course_id = @course AND position > ${ASIDE}`;
    await run(`DELETE FROM dbo.progress WHERE lesson_id IN (SELECT id FROM dbo.lessons WHERE ${left})`, { course });
    await run(`DELETE FROM dbo.lessons WHERE ${left}`, { course });
    return load(slug, run);
  });
  return json(200, detail, { etag: etagOf(row.row_version) });
}
