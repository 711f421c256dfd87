# SPDX-License-Identifier: PostgreSQL
"""tools/read-crontab: lines of a crontab, words as sh(1) would have them, and what psql does with them."""

import ctypes
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

PROGRAM = str(pathlib.Path(__file__).resolve().parents[2] / "tools" / "read-crontab")
loader = importlib.machinery.SourceFileLoader("read_crontab", PROGRAM)
tool = importlib.util.module_from_spec(importlib.util.spec_from_loader("read_crontab", loader))
loader.exec_module(tool)

ME = tool.Author(os.geteuid(), None)
SOMEBODY = tool.Author(os.geteuid() + 1, None)
UNKNOWN = tool.Author(None, None)


def entry_of(text, system=False):
    _, entries = tool.read_crontab(text, system)
    assert len(entries) == 1, entries
    return entries[0]


def psql_of(text, author=ME):
    return tool.psql_of(entry_of(text), author)


def told_of(text, system=False):
    return tool.describe(entry_of(text, system), system, None)


class Lines(unittest.TestCase):
    def test_fields_and_command_are_parted(self):
        entry = entry_of("# a comment\n\n  */5\t0-6  * jan mon \t psql -c 'SELECT 1'  \n")
        self.assertEqual(entry.line, 3)
        self.assertEqual(entry.schedule, "*/5 0-6 * jan mon")
        self.assertEqual(entry.command, "psql -c 'SELECT 1'  ")
        self.assertIsNone(entry.user)
        self.assertIsNone(entry.stdin)
        entry = entry_of("@daily psql\r\n")
        self.assertEqual((entry.schedule, entry.command), ("@daily", "psql"))

    def test_a_system_crontab_names_a_user(self):
        entry = entry_of("0 3 * * * postgres psql -c x", True)
        self.assertEqual((entry.user, entry.command), ("postgres", "psql -c x"))
        self.assertIn("with a column of users", told_of("0 3 * * * psql", True)["problem"])

    def test_a_line_that_is_cut_short_has_a_problem(self):
        for text in ("0 3 * * *", "0 3", "@daily"):
            told = told_of(text)
            self.assertIn("this is no line of a crontab", told["problem"])
            self.assertTrue(told["is_psql"])

    def test_a_setting_counts_for_the_lines_below_it(self):
        settings, entries = tool.read_crontab(
            "@daily one\nPGHOST=a\n@daily two\n PGHOST = \"b c\" \n'MAILTO'=''\n@daily three\n", False)
        self.assertEqual(settings, [(2, "PGHOST", "a"), (4, "PGHOST", "b c"), (5, "MAILTO", "")])
        self.assertEqual([entry.settings for entry in entries],
                         [{}, {"PGHOST": "a"}, {"PGHOST": "b c", "MAILTO": ""}])

    def test_a_percent_begins_the_input_and_ends_its_lines(self):
        entry = entry_of("@daily psql -d app%SELECT 1;%SELECT 2 \\% 2;\n")
        self.assertEqual((entry.command, entry.stdin), ("psql -d app", "SELECT 1;\nSELECT 2 % 2;\n"))
        entry = entry_of("@daily psql -c \"SELECT 5 \\% 2, '\\\\n'\" \\%\n")
        self.assertEqual((entry.command, entry.stdin), ("psql -c \"SELECT 5 % 2, '\\\\n'\" %", None))
        self.assertEqual(entry_of("@daily x\\").command, "x\\")

    def test_a_backslash_that_is_escaped_escapes_no_percent(self):
        entry = entry_of("@daily psql -c 'x\\\\%SELECT 1;\n")
        self.assertEqual((entry.command, entry.stdin), ("psql -c 'x\\\\", "SELECT 1;\n"))
        entry = entry_of("@daily x \\\\\\%")
        self.assertEqual((entry.command, entry.stdin), ("x \\\\%", None))
        self.assertEqual(entry_of("@daily x%a\\\\%b").stdin, "a\\%b\n")


class Words(unittest.TestCase):
    def splits_to(self, text, *words):
        self.assertEqual(tool.Words(text).split(), list(words), text)

    def refuses(self, text, part):
        with self.assertRaises(tool.Refused, msg=text) as caught:
            tool.Words(text).split()
        self.assertIn(part, str(caught.exception))

    def test_blanks_part_words_and_quotes_join_them(self):
        self.splits_to("")
        self.splits_to("  \t ")
        self.splits_to("psql -c x", "psql", "-c", "x")
        self.splits_to(" psql\t-Atc  'SELECT 1; -- $x `y` | >'  ", "psql", "-Atc", "SELECT 1; -- $x `y` | >")
        self.splits_to("a'b c'\"d e\"f", "ab cd ef")
        self.splits_to("'' \"\"", "", "")
        self.splits_to("\"a'b\" 'c\"d'", "a'b", 'c"d')
        self.splits_to("a=b~c#d", "a=b~c#d")

    def test_backslashes_are_read_as_a_shell_reads_them(self):
        self.splits_to("a\\ b \\\\ \\$x \\'", "a b", "\\", "$x", "'")
        self.splits_to("\"\\$x \\` \\\" \\\\ \\n\"", "$x ` \" \\ \\n")
        self.splits_to("'\\n'", "\\n")
        self.refuses("a\\", "a backslash ends it")

    def test_redirections_that_drop_output_are_left_out(self):
        self.splits_to("psql -c x >/dev/null 2>&1", "psql", "-c", "x")
        self.splits_to("psql >> /dev/null 2> /dev/null -c x", "psql", "-c", "x")
        self.splits_to("psql>/dev/null -c 2", "psql", "-c", "2")
        self.splits_to("psql 1>'/dev/null' 1>&2", "psql")
        self.refuses("psql -c x >> /var/log/x.log 2>&1", 'its output goes to "/var/log/x.log"')
        self.refuses("psql > $LOG", "$ a variable")
        self.refuses("psql >", 'its output goes to ""')
        self.refuses("psql 2>&", "")
        self.refuses("psql >&3", "")
        self.refuses("psql 3>/dev/null", "neither output nor errors")
        self.refuses("psql 0>&1 -c x", "neither output nor errors")
        self.refuses("psql -c x 12>/dev/null", "neither output nor errors")
        self.splits_to("psql a3>/dev/null", "psql", "a3")

    def test_what_needs_a_shell_is_refused(self):
        self.refuses("psql -d $DB", "$ a variable or a substitution")
        self.refuses("psql -c \"SELECT '$(date)'\"", "$ a variable or a substitution")
        self.refuses("psql -c \"`date`\"", "` a substitution")
        self.refuses("psql -c x | mail", "| a pipe")
        self.refuses("cd /x && psql", "& a second command")
        self.refuses("psql &", "& a second command, or the background")
        self.refuses("psql; psql", "; a second command")
        self.refuses("psql < x.sql", "< input from elsewhere")
        self.refuses("(psql)", "( a subshell")
        self.refuses("psql -c SELECT *", "* a pattern")
        self.refuses("psql -f ~/x.sql", "~ a home folder")
        self.refuses("psql # nightly", "# a comment")
        self.refuses("psql -f x?.sql", "? a pattern")
        self.refuses("psql -f [ab].sql", "[ a pattern")

    def test_a_quote_without_its_second_is_refused(self):
        self.refuses("psql -c 'x", "a ' has no second one")
        self.refuses("psql -c \"x", 'a " has no second one')
        self.refuses("psql -c \"x\\\"", 'a " has no second one')

    def test_many_words_are_kept(self):
        words = [f"w{i}" for i in range(1000)]
        self.splits_to(" " + " ".join(words), *words)


class Files(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o600)
        return path

    def is_kept_from(self, text, author):
        try:
            psql_of(text, author)
        except tool.Refused as refused:
            return ": the crontab's user may not be able to read it" in str(refused)
        return False

    def test_sql_comes_from_files(self):
        path = self.write("nightly report.sql", "-- of the night\nSELECT 1;\n")
        psql = psql_of(f"@daily psql -f '{path}' -c 'SELECT 2'")
        self.assertEqual(psql.sql, "-- of the night\nSELECT 1;\n;\nSELECT 2")
        self.assertEqual(psql.name(), "nightly report")
        psql = psql_of("@daily psql -f 'nightly report.sql'", tool.Author(os.geteuid(), self.folder))
        self.assertEqual(psql.sql, "-- of the night\nSELECT 1;")
        for text, part in (("@daily psql -f report.sql", "home folder"), ("@daily psql -f /nonexistent/x.sql", "/nonexistent/x.sql: ")):
            with self.assertRaisesRegex(tool.Refused, part):
                psql_of(text)

    def test_a_file_that_is_no_text_is_refused(self):
        path = os.path.join(self.folder, "bytes")
        for content, part in ((b"SELECT '\xff'", "byte 0xff is not UTF-8"), (b"SELECT 1\0", "a NUL byte"), (None, "but a folder")):
            if content is None:
                path = self.folder
            else:
                pathlib.Path(path).write_bytes(content)
            with self.assertRaisesRegex(tool.Refused, part):
                psql_of(f"@daily psql -f {path}")

    def test_a_file_that_its_user_cannot_read_is_not_read_for_him(self):
        path = self.write("secret", "SELECT 1")
        link = os.path.join(self.folder, "link")
        os.symlink(path, link)
        text, linked = f"@daily psql -f {path}", f"@daily psql -f {link}"
        psql_of(text)
        self.assertTrue(self.is_kept_from(text, SOMEBODY))
        self.assertTrue(self.is_kept_from(linked, SOMEBODY))
        self.assertTrue(self.is_kept_from(text, UNKNOWN))
        os.chmod(path, 0o644)
        self.assertTrue(self.is_kept_from(text, SOMEBODY), "its folder is closed to others")
        os.chmod(self.folder, 0o755)
        os.chmod(path, 0o604)
        self.assertTrue(self.is_kept_from(text, SOMEBODY), "its group may be one of the user's")
        self.assertFalse(self.is_kept_from("@daily psql -f /etc/passwd", SOMEBODY))
        self.assertFalse(self.is_kept_from("@daily psql -f /etc/passwd", tool.Author(0, None)))
        self.assertTrue(self.is_kept_from("@daily psql -f /etc/passwd", UNKNOWN))

    def test_what_is_not_to_be_read_is_not_opened(self):
        """Opening alone does something to many a device."""
        pipe = os.path.join(self.folder, "pipe")
        secret = self.write("secret", "SELECT 1")
        os.mkfifo(pipe, 0o600)
        libc = ctypes.CDLL(None, use_errno=True)
        watch = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self.addCleanup(os.close, watch)
        self.assertGreaterEqual(libc.inotify_add_watch(watch, self.folder.encode(), 0x20), 0)  # IN_OPEN
        with self.assertRaisesRegex(tool.Refused, "not a regular file but a pipe"):
            psql_of(f"@daily psql -f {pipe}")
        self.assertTrue(self.is_kept_from(f"@daily psql -f {secret}", SOMEBODY))
        with self.assertRaises(BlockingIOError, msg="something was opened"):
            os.read(watch, 4096)
        psql_of(f"@daily psql -f {secret}")
        self.assertGreater(len(os.read(watch, 4096)), 0, "what is read is opened")


class Psql(unittest.TestCase):
    def has_sql(self, text, sql):
        self.assertEqual(psql_of(text).sql, sql)

    def is_at(self, text, host, port, database, role):
        self.assertEqual(psql_of(text).places, {"host": host, "port": port, "database": database, "role": role}, text)

    def refuses(self, text, part):
        with self.assertRaises(tool.Refused, msg=text) as caught:
            psql_of(text)
        self.assertIn(part, str(caught.exception))

    def is_no_psql(self, text):
        with self.assertRaises(tool.NotPsql, msg=text):
            psql_of(text)
        told = told_of(text)
        self.assertEqual((told["is_psql"], told["problem"]), (False, "not a psql command"))

    def test_sql_comes_from_options_and_input(self):
        self.has_sql("@daily psql -c 'SELECT 1;'", "SELECT 1;")
        self.has_sql("@daily /usr/bin/psql --command=VACUUM -qAt >/dev/null 2>&1", "VACUUM")
        self.has_sql("@daily psql -Xqc 'SELECT 1' --command 'SELECT 2'", "SELECT 1\n;\nSELECT 2")
        self.has_sql("@daily psql -c 'SELECT 1;' -c 'SELECT 2 -- two'", "SELECT 1;\n;\nSELECT 2 -- two")
        self.has_sql("@daily psql -c 'SELECT f() -- x;' -c 'SELECT 2'", "SELECT f() -- x;\n;\nSELECT 2")
        self.has_sql("@daily psql -d app%SELECT 1;%SELECT 2;", "SELECT 1;\nSELECT 2;")
        self.has_sql("@daily psql -f - app%SELECT 1;", "SELECT 1;")
        self.has_sql("@daily psql -c 'SELECT 1'%SELECT 2;", "SELECT 1")
        self.has_sql("@daily psql", "")
        self.has_sql("@daily psql -c \"SELECT '\\x', E'\\\\n'\"", "SELECT '\\x', E'\\n'")

    def test_where_it_goes_is_what_psql_would_take(self):
        self.is_at("@daily psql -c x", None, None, None, None)
        self.is_at("@daily psql -h db1 -p 5433 -U app -d shop -c x", "db1", "5433", "shop", "app")
        self.is_at("@daily psql --host=db1 --username app -c x shop", "db1", None, "shop", "app")
        self.is_at("@daily psql -c x shop app", None, None, "shop", "app")
        self.is_at("@daily psql -h db1 -U app 'host=db2 dbname=shop' -c x", "db2", None, "shop", "app")
        self.is_at("@daily psql postgresql://app@db3:5434/shop -c x", "db3", "5434", "shop", "app")
        self.is_at("PGDATABASE=shop\nPGUSER=app\n@daily PGHOST=db4 psql -U other -c x", "db4", None, "shop", "other")
        self.refuses("@daily PGSERVICE=x psql -c x", "PGSERVICE is set for it")
        self.refuses("PGTZ=CET\n@daily psql -c x", "PGTZ is set for it")
        self.refuses("@daily psql service=x -c x", "service")
        self.refuses("@daily psql \"dbname=x options='-c role=a'\" -c x", "its conninfo has options")
        self.is_at("@daily psql \"dbname=x options=''\" -c x", None, None, "x", None)
        self.refuses("@daily psql 'dbname=x nonsense' -c x", 'missing "="')

    def test_what_is_no_psql_is_told_from_what_is_refused(self):
        self.is_no_psql("@daily /usr/bin/backup --all")
        self.is_no_psql("@daily cd / && make")
        self.is_no_psql("@daily echo psql")
        self.is_no_psql("@daily pgpsql -c x")
        self.refuses("@daily cd /srv && psql -c x", "& a second command")
        self.refuses("@daily psql -c x | mail", "| a pipe")
        self.refuses("@daily sudo -u postgres psql -c x", "psql is started by sudo there")
        self.refuses("@daily PGUSER=a /usr/bin/timeout 60 /usr/bin/psql -c x", "psql is started by timeout there")
        self.refuses("@daily nice psql -c x", "psql is started by nice there")
        self.refuses("@daily env PGUSER=a psql -c x", "psql is started by env there")
        self.refuses("@daily su postgres -c 'psql -c x'", "psql is started by su there")
        self.is_no_psql("@daily sudo backup-psql /etc/psql.conf")

    def test_options_without_an_equal_are_refused(self):
        self.refuses("@daily psql -l", "--list is nothing for a job")
        self.refuses("@daily psql -W -c x", "--password is nothing for a job")
        self.refuses("@daily psql -v day=1 -c x", "variables of psql")
        self.refuses("@daily psql -o /tmp/x -c x", "its output goes to a file")
        self.refuses("@daily psql --nonsense -c x", "would not take its options")
        self.refuses("@daily psql -c", "would not take its options")
        self.refuses("@daily psql -c x a b c", "last words")
        self.has_sql("@daily psql -o /dev/null --csv -P pager=off -F , -c x", "x")

    def test_how_psql_runs_several_statements_is_told(self):
        def runs(text):
            told = psql_of(text).describe()
            return told["apart"], told["stops"]

        self.assertEqual(runs("@daily psql -c 'SELECT 1; SELECT 2'"), (False, False))
        self.assertEqual(runs("@daily psql -c 'SELECT 1' -c 'SELECT 2'"), (True, False))
        self.assertEqual(runs("@daily psql -1 -c 'SELECT 1' -c 'SELECT 2'"), (False, False))
        for value in ("0", "off", "OFF", "no", "n", "false", "F"):
            self.assertEqual(runs(f"@daily psql -v ON_ERROR_STOP={value}%SELECT 1;%SELECT 2;"), (True, False), value)
        for value in ("1", "on", "ON", "yes", "true", ""):
            self.assertEqual(runs(f"@daily psql -v ON_ERROR_STOP={value}%SELECT 1;%SELECT 2;"), (True, True), value)

    def test_a_name_is_of_the_first_words(self):
        self.assertEqual(psql_of("@daily psql -c 'DELETE FROM  shop.\"Event\" WHERE old'").name(), "delete-from-shop-event")
        self.assertEqual(psql_of("@daily psql -c 'VACUUM'").name(), "vacuum")
        self.assertEqual(psql_of("@daily psql -c '/* x */ CALL totals();'").name(), "call-totals")
        self.assertEqual(psql_of("@daily psql -c \"'é'\"").name(), "crontab")


class Program(unittest.TestCase):
    def test_it_prints_what_it_read(self):
        done = subprocess.run([PROGRAM, "--user", "root"], input="MAILTO=é\nCRON_TZ=Asia/Tokyo\n@daily psql -U a%SELECT 'é'\n".encode(), check=True,
                              capture_output=True, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"})
        self.assertEqual(json.loads(done.stdout), {
            "settings": [{"line": 1, "name": "MAILTO", "value": "é"}, {"line": 2, "name": "CRON_TZ", "value": "Asia/Tokyo"}],
            "entries": [{"line": 3, "schedule": "@daily", "user": None, "command": "psql -U a", "timezone": "Asia/Tokyo", "is_psql": True,
                         "problem": None, "sql": "SELECT 'é'", "name": "select", "host": None, "port": None, "database": None, "role": "a",
                         "apart": True, "stops": False}]})


if __name__ == "__main__":
    unittest.main()
