"""pymssql (FreeTDS) against the local TDS server: python tds_pymssql.py PORT PASSWORD"""

import datetime
import decimal
import sys

import pymssql

port, password = sys.argv[1], sys.argv[2]


def connect(word=password, database="master", **more):
    return pymssql.connect(
        server="127.0.0.1", port=port, user="admin", password=word, database=database, login_timeout=10, timeout=20, **more
    )


try:
    connect(word="wrong")
    raise AssertionError("let in")
except pymssql.Error as error:
    assert "18456" in str(error), error

with connect(autocommit=True) as admin:
    admin.cursor().execute("CREATE DATABASE pymssql_lab")

for encryption in ("off", "request", "require"):
    with connect(encryption=encryption) as one:
        cursor = one.cursor()
        cursor.execute("SELECT 1 AS n")
        assert cursor.fetchall() == [(1,)], encryption

connection = connect(database="pymssql_lab", tds_version="7.4")
cursor = connection.cursor(as_dict=True)
cursor.execute(
    "CREATE TABLE t (id int IDENTITY PRIMARY KEY, a nvarchar(40) NOT NULL UNIQUE, b decimal(20, 6), c datetime2(6), d date,"
    " e varbinary(20), f bit, g bigint, h nvarchar(max))"
)
connection.commit()
row = {
    "a": "Grüße ß",
    "b": decimal.Decimal("-12345678901234.567891"),
    "c": datetime.datetime(2026, 2, 3, 4, 5, 6, 123456),
    "d": datetime.date(2026, 2, 3),
    "e": b"\x01\xff",
    "f": True,
    "g": 2**62,
    "h": "long " * 2000,
}
cursor.execute(
    "INSERT INTO t (a, b, c, d, e, f, g, h) VALUES (%s, %s, '2026-02-03T04:05:06.123456', %s, %s, %s, %s, %s)",
    (row["a"], row["b"], row["d"], row["e"], row["f"], row["g"], row["h"]),
)
assert cursor.rowcount == 1
cursor.execute("SELECT a, b, c, d, e, f, g, h FROM t")
found = cursor.fetchall()
assert found == [row], found
connection.rollback()
cursor.execute("SELECT COUNT(*) AS n FROM t")
assert cursor.fetchall() == [{"n": 0}]
cursor.executemany("INSERT INTO t (a) VALUES (%s)", [("one",), ("two",), ("three",)])
connection.commit()
cursor.execute("SELECT TOP (2) a, b FROM t ORDER BY a DESC")
assert cursor.fetchall() == [{"a": "two", "b": None}, {"a": "three", "b": None}]
for text, number in [
    ("INSERT INTO t (a) VALUES ('ONE')", 2627),
    ("INSERT INTO t (a) VALUES (NULL)", 515),
    ("SELECT * FROM nothing", 208),
    ("SELEC 1", 102),
    ("SELECT 1 / 0", 8134),
]:
    try:
        cursor.execute(text)
        cursor.fetchall()
        raise AssertionError(text)
    except pymssql.Error as error:
        assert error.args[0] == number, (text, error)
    connection.rollback()
print("pymssql: all as it should be")
