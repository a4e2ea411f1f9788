"""python-tds against the local TDS server: python tds_pytds.py PORT CA PASSWORD"""

import datetime
import decimal
import sys

import time
import uuid

import pytds

port, ca, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]


def connect(user="admin", word=password, **more):
    # Checking the host name needs a pyOpenSSL that is long gone; the authority is checked.
    options = dict(port=port, user=user, password=word, cafile=ca, validate_host=False, login_timeout=10, timeout=20)
    options.update(more)
    return pytds.connect("localhost", options.pop("database", "master"), **options)


def number_of(call):
    try:
        call()
    except pytds.Error as error:
        return getattr(error, "msg_no", None) or getattr(error, "number", None) or str(error)
    raise AssertionError("not refused")


with connect(autocommit=True) as admin:
    cursor = admin.cursor()
    cursor.execute("CREATE DATABASE pytds_lab")
    cursor.execute("SELECT @@VERSION")
    assert cursor.fetchone()[0].startswith("local TDS server")

refused = number_of(lambda: connect(word="wrong"))
assert "Login failed for user 'admin'" in str(refused) or refused == 18456, refused

for login_only in (False, True):
    with connect(enc_login_only=login_only) as one:
        cursor = one.cursor()
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)

connection = connect(database="pytds_lab")
cursor = connection.cursor()
cursor.execute(
    """CREATE TABLE t (id int IDENTITY PRIMARY KEY, a nvarchar(40) NULL UNIQUE, b decimal(20, 6) NULL, c datetime2(6) NULL,
       d date NULL, e time(6) NULL, f uniqueidentifier NULL, g varbinary(max) NULL, h bit NULL, i bigint NULL, j float NULL,
       k nvarchar(max) NULL, l datetimeoffset(6) NULL)"""
)
connection.commit()
row = (
    "Grüße 😀",
    decimal.Decimal("-12345678901234.567891"),
    datetime.datetime(2026, 2, 3, 4, 5, 6, 123456),
    datetime.date(1, 1, 1),
    datetime.time(23, 59, 59, 999999),
    uuid.UUID("6f9619ff-8b86-d011-b42d-00c04fc964ff"),
    pytds.Binary(b"\x00\xff" * 5000),
    True,
    -(2**63),
    0.1,
    "x" * 20000,
    datetime.datetime(2026, 2, 3, 4, 5, 6, 7, tzinfo=datetime.timezone(datetime.timedelta(hours=5, minutes=30))),
)
names = "a, b, c, d, e, f, g, h, i, j, k, l"
cursor.execute(f"INSERT INTO t ({names}) VALUES ({', '.join(['%s'] * 12)})", row)
# Without a declared type None travels as nvarchar, which binary data does not take, so its type is told.
cursor.execute("INSERT INTO t (a, b, c) VALUES (%s, %s, %s)", (None, None, None))
cursor.execute(f"SELECT {names} FROM t ORDER BY id")
found = cursor.fetchall()
assert found[0] == row, [pair for pair in zip(found[0], row) if pair[0] != pair[1]]
assert found[1] == (None,) * 12, found[1]
connection.rollback()
cursor.execute("SELECT COUNT(*) FROM t")
assert cursor.fetchone() == (0,)
cursor.execute("INSERT INTO t (a) VALUES (%s)", ("once",))
connection.commit()

error = number_of(lambda: cursor.execute("INSERT INTO t (a) VALUES (%s)", ("ONCE",)))
assert error == 2627 or "2627" in str(error) or "Violation of UNIQUE KEY" in str(error), error
connection.rollback()

cursor.execute("SELECT a FROM t WHERE a = %s; SELECT 2", ("once",))
assert cursor.fetchall() == [("once",)]
assert cursor.nextset()
assert cursor.fetchall() == [(2,)]

# Given up by time: an attention, its acknowledgement, and a connection that is still of use.
impatient = connect(autocommit=True, timeout=1)
slow = impatient.cursor()
start = time.monotonic()
try:
    slow.execute("WAITFOR DELAY '00:00:30'")
    raise AssertionError("waited for")
except (pytds.Error, OSError):
    assert time.monotonic() - start < 10
impatient.close()

asked = connect(autocommit=True)
running = asked.cursor()

running.execute("SELECT 3")
running.cancel()
running.execute("SELECT 4")
assert running.fetchall() == [(4,)]
print("python-tds: all as it should be")
