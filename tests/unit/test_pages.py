#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""tests/docs/pages.py: what it takes for a block, a mark and the same output; and that it finds what differs."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../docs"))
import pages  # noqa: E402


def page(text):
    return pages.find_blocks(text.split("\n"))


def same(shown, printed):
    return pages.matches(pages.masked(shown.split("\n")), pages.masked(printed.split("\n")))


class Blocks(unittest.TestCase):
    def test_a_block_has_its_language_its_lines_and_the_marks_above_it(self):
        block = page("text\n\n<!-- first: serve -->\n<!-- file: a.sql -->\n```sql\nSELECT 1;\n```\n")[0]
        self.assertEqual((block.language, block.lines, block.first, block.files), ("sql", ["SELECT 1;"], ["serve"], ["a.sql"]))
        self.assertTrue(block.runs())

    def test_a_text_right_after_sql_is_what_it_prints(self):
        blocks = page("```sql\nSELECT 1;\n```\n\n```text\n1\n```\n\nand\n\n```text\n2\n```\n")
        self.assertEqual([block.shown_by is not None for block in blocks], [False, True, False])

    def test_a_block_that_is_neither_run_nor_marked_is_a_fault(self):
        faults = [pages.fault_of("README.md", page(text)[0]) for text in (
            "```\nx\n```", "<!-- not run: -->\n```\nx\n```", "<!-- run by tests/script/test_version.sh -->\n```\nx\n```",
            "<!-- not run: a drawing of the whole -->\n```\nx\n```", "```sh\ntrue\n```")]
        self.assertEqual([fault is None for fault in faults], [False, False, False, True, True])

    def test_a_mark_of_a_page_is_for_its_blocks_and_one_of_a_block_for_that_alone(self):
        blocks = page("# A\n\n<!-- not run: drawings, all of them -->\n\ntext\n\n```sh\nx\n```\n\n```sh\ny\n```")
        self.assertEqual([block.runs() for block in blocks], [False, False])
        blocks = page("# A\n\n<!-- not run: a drawing of it -->\n```sh\nx\n```\n\n```sh\ny\n```")
        self.assertEqual([block.runs() for block in blocks], [False, True])

    def test_a_command_may_go_on_in_the_next_line(self):
        self.assertEqual(pages.steps_of(page("```console\n$ a \\\n    b\n1\n$ c\n```")[0]), [("a \\\n    b", ["1"]), ("c", [])])


class Outputs(unittest.TestCase):
    def test_what_differs_from_run_to_run_is_the_same(self):
        self.assertTrue(same("at 2026-11-23 02:38:03.089+00 for 6.9ms", "at  2027-01-03 12:00:00+01 for 1h 2min"))
        self.assertTrue(same("RUN JOB\n  3 a", "RUN JOB\n129 a"))
        self.assertTrue(same("Wed 2026-11-25 01:00:00Z", "Sun 2026-11-29 02:00:00Z"))

    def test_what_is_a_result_is_not(self):
        for shown, printed in (("2026-03-02 | 24", "2026-03-02 | 25"), ("2026-03-02", "2026-03-03"), ("JOB\n 3 a", "JOB\n 4 a"),
                               ("a\nb", "a"), ("a", "a\nb"), ("rows: 8", "rows: 9"), ("ok", "warn")):
            self.assertFalse(same(shown, printed), shown)

    def test_three_dots_stand_for_any_text_and_alone_for_any_lines(self):
        self.assertTrue(same("version ...\n...\nend", "version 1\na\nb\nend"))
        self.assertTrue(same("...\nend", "end"))
        self.assertFalse(same("version ...\n...\nend", "version 1\na"))


class Links(unittest.TestCase):
    def test_anchors_are_those_of_headings_outside_of_blocks(self):
        self.assertEqual(pages.anchors_of(["# What `a_b` is, now", "## A", "## A", "```", "# no", "```"]), {"what-a_b-is-now", "a", "a-1"})

    def test_links_may_go_over_lines_and_are_none_in_code(self):
        self.assertEqual(pages.links_of(["[a", "b](c.md#d) `[x](y)`"]), ["c.md#d"])


if __name__ == "__main__":
    unittest.main()
