// tedious against the local TDS server: node tds_tedious.js PORT CA PASSWORD
const assert = require("node:assert/strict");
const fs = require("node:fs");
const { Connection, Request, TYPES, ISOLATION_LEVEL } = require("tedious");

const [port, ca, password] = [Number(process.argv[2]), fs.readFileSync(process.argv[3]), process.argv[4]];

function connect(options = {}, word = password) {
  return new Promise((resolve, reject) => {
    const connection = new Connection({
      server: "localhost",
      authentication: { type: "default", options: { userName: "admin", password: word } },
      options: {
        port,
        encrypt: true,
        trustServerCertificate: false,
        cryptoCredentialsDetails: { ca },
        connectTimeout: 10_000,
        requestTimeout: 20_000,
        ...options,
      },
    });
    connection.on("error", reject);
    connection.connect((error) => (error ? reject(error) : resolve(connection)));
  });
}

function run(connection, text, parameters = [], how = "execSql", more = () => {}) {
  return new Promise((resolve, reject) => {
    const rows = [];
    const outputs = {};
    const request = new Request(text, (error, count) => (error ? reject(error) : resolve({ rows, outputs, count })));
    for (const [name, type, value, options] of parameters) request.addParameter(name, type, value, options);
    request.on("row", (columns) => rows.push(columns.map((column) => column.value)));
    request.on("returnValue", (name, value) => (outputs[name] = value));
    more(request);
    connection[how](request);
  });
}

const transaction = (connection, what, ...given) =>
  new Promise((resolve, reject) => connection[what]((error) => (error ? reject(error) : resolve()), ...given));

async function main() {
  await assert.rejects(connect({}, "wrong"), (error) => error.code === "ELOGIN");
  for (const encrypt of [false, true, "strict"]) {
    const connection = await connect({ encrypt });
    assert.deepEqual((await run(connection, "SELECT 1", [], "execSqlBatch")).rows, [[1]]);
    connection.close();
  }
  const admin = await connect({ packetSize: 512 });
  await run(admin, "CREATE DATABASE tedious_lab", [], "execSqlBatch");
  admin.close();

  const connection = await connect({ database: "tedious_lab", packetSize: 32767, useUTC: true });
  await run(
    connection,
    `CREATE TABLE t (id int IDENTITY PRIMARY KEY, a nvarchar(40) UNIQUE, b decimal(18, 4), c datetime2(3), d date,
     e uniqueidentifier, f varbinary(max), g bit, h bigint, i float, j nvarchar(max), k datetimeoffset(3), l varchar(20), m money)`,
    [],
    "execSqlBatch",
  );
  const values = [
    ["a", TYPES.NVarChar, "Grüße 😀"],
    ["b", TYPES.Decimal, 12345.6789, { precision: 18, scale: 4 }],
    ["c", TYPES.DateTime2, new Date("2026-02-03T04:05:06.789Z"), { scale: 3 }],
    ["d", TYPES.Date, new Date("2026-02-03T00:00:00Z")],
    ["e", TYPES.UniqueIdentifier, "6F9619FF-8B86-D011-B42D-00C04FC964FF"],
    ["f", TYPES.VarBinary, Buffer.alloc(9000, 7)],
    ["g", TYPES.Bit, true],
    ["h", TYPES.BigInt, "9007199254740993"],
    ["i", TYPES.Float, -0.1],
    ["j", TYPES.NVarChar, "x".repeat(50_000)],
    ["k", TYPES.DateTimeOffset, new Date("2026-02-03T04:05:06.789Z"), { scale: 3 }],
    ["l", TYPES.VarChar, "€uro"],
    ["m", TYPES.Money, 12.5],
  ];
  const names = values.map(([name]) => name);
  const insert = `INSERT INTO t (${names}) VALUES (${names.map((name) => "@" + name)})`;
  assert.equal((await run(connection, insert, values)).count, 1);
  await run(connection, insert, values.map(([name, type, , options]) => [name, type, null, options]));
  const { rows } = await run(connection, `SELECT ${names} FROM t ORDER BY id`);
  assert.deepEqual(rows[0], values.map(([, , value]) => value));
  assert.deepEqual(rows[1], values.map(() => null));

  // Procedures, output parameters, prepared statements.
  const output = await run(connection, "SELECT @twice = @n * 2", [["n", TYPES.Int, 21]], "execSql", (request) =>
    request.addOutputParameter("twice", TYPES.Int),
  );
  assert.deepEqual(output.outputs, { twice: 42 });
  let prepared;
  const results = [];
  await new Promise((resolve, reject) => {
    prepared = new Request("SELECT @n + 1", (error) => (error ? reject(error) : resolve()));
    prepared.addParameter("n", TYPES.Int);
    prepared.on("row", (columns) => results.push(columns[0].value));
    prepared.once("prepared", resolve);
    connection.prepare(prepared);
  });
  for (const n of [1, 2]) {
    await new Promise((resolve, reject) => {
      prepared.userCallback = (error) => (error ? reject(error) : resolve());
      prepared.callback = prepared.userCallback;
      connection.execute(prepared, { n });
    });
  }
  assert.deepEqual(results, [2, 3]);
  await new Promise((resolve, reject) => {
    prepared.callback = (error) => (error ? reject(error) : resolve());
    connection.unprepare(prepared);
  });

  // Transactions.
  await transaction(connection, "beginTransaction", "", ISOLATION_LEVEL.READ_COMMITTED);
  await run(connection, "DELETE FROM t");
  await transaction(connection, "saveTransaction", "here");
  await run(connection, "INSERT INTO t (a) VALUES (N'gone')");
  await transaction(connection, "rollbackTransaction", "here");
  assert.deepEqual((await run(connection, "SELECT COUNT(*) FROM t")).rows, [[0]]);
  await transaction(connection, "rollbackTransaction");
  assert.deepEqual((await run(connection, "SELECT COUNT(*), @@TRANCOUNT FROM t")).rows, [[2, 0]]);
  await transaction(connection, "beginTransaction");
  await run(connection, "DELETE FROM t WHERE a IS NULL");
  await transaction(connection, "commitTransaction");

  // Errors, with their numbers.
  for (const [text, number, state, severity] of [
    ["INSERT INTO t (a) VALUES (N'GRÜSSE 😀'), (N'Grüße 😀')", 2627, 1, 14],
    ["SELECT * FROM nothing", 208, 1, 16],
    ["SELECT 1/0", 8134, 1, 16],
    ["THROW 50123, N'own', 4", 50123, 4, 16],
  ]) {
    await assert.rejects(run(connection, text), (error) => {
      assert.deepEqual([error.number, error.state, error.class], [number, state, severity], error.message);
      return true;
    });
  }

  // An attention, and a connection that is as good as before.
  const start = Date.now();
  await assert.rejects(
    run(connection, "WAITFOR DELAY '00:00:30'", [], "execSql", () => setTimeout(() => connection.cancel(), 200)),
    (error) => error.code === "ECANCEL",
  );
  assert.ok(Date.now() - start < 5_000);
  assert.deepEqual((await run(connection, "SELECT 5")).rows, [[5]]);
  await assert.rejects(
    run(connection, "WAITFOR DELAY '00:00:30'", [], "execSql", (request) => request.setTimeout(200)),
    (error) => error.code === "ETIMEOUT",
  );
  assert.deepEqual((await run(connection, "SELECT 6")).rows, [[6]]);
  await run(connection, "SET XACT_ABORT ON", [], "execSqlBatch");
  await new Promise((resolve, reject) => connection.reset((error) => (error ? reject(error) : resolve())));
  assert.deepEqual((await run(connection, "SELECT DB_NAME()")).rows, [["tedious_lab"]]);
  connection.close();
  console.log("tedious: all as it should be");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
