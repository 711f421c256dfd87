#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""Runs the fenced blocks of a page in order, as written, and compares what they print with what the page shows.

    pages.py script PAGE FOLDER     prints a shell script that runs the page; tests/script/test_docs.sh runs it
    pages.py compare PAGE FOLDER    compares what it left in FOLDER with the page; exit status 1 where something differs
    pages.py write PAGE FOLDER TREE    writes the page with what was printed, where that differs, into another tree
    pages.py blocks PAGE            says of each block what becomes of it
    pages.py commands COMMAND...    prints those that no page runs; a command may have two words, as "views explain"
    pages.py links                  prints links and anchors that lead nowhere, and pages that the index leaves out

What becomes of a block follows from its language:

    console     lines after "$ " are commands (one that ends with a backslash goes on in the next line); what follows
                them is what they print, standard error included. A console block under another one may be without commands.
    sh          is run, and each of its commands has to succeed
    sql         is run by psql, and has to succeed. A block "text" right after it is what it prints
    conf        is a piece of configuration: pgchime check has to accept it

and from HTML comments on lines of their own above it:

    <!-- file: NAME -->         the block is written into that file, in the folder of the page
    <!-- first: FUNCTION -->    this function of tests/docs/lib.sh, or of tests/docs/PAGE.sh, is called before
    <!-- not run: REASON -->    it is not run
    <!-- run -->                script/package --test runs it: what needs root, packages and systemd
    <!-- run by PROGRAM -->     that test does; it has to name the page

The last three can stand at the top of a page, followed by an empty line and before its first block; then they are for all of its
blocks. A block that is neither run nor marked is a fault.

A page's /etc/pgchime, /run/postgresql and port 8743 are the folder of the page, the server's socket and a free port.

Compared is all but what differs from run to run, which becomes one word on both sides:

    2026-11-23 02:38:03.089+00, 2026-11-23T02:38:03Z        a time; a date alone is compared
    6.9ms, 15 s, 1h 2min                                    a duration
    the first column under a heading RUN or ALERT, "run 3", "cancel 3"      a number of a run or an alert
    a cost of 928                                           what the planner expects
    SCHEMA 11                                               the version of the ledger
    "..."                                                   in the page alone: any text; alone on a line: any lines
    blanks, and lines of dashes                             their width
"""
import difflib
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RUN_LANGUAGES = ("console", "sh", "sql", "conf")
MARK = re.compile(r"^ *<!-- (.*) -->$")
WHOLE = re.compile(r"^(not run: |run by |run$)")


class Block:
    def __init__(self, line, language, indent, lines, marks):
        self.line = line  # of its fence, from 1
        self.language = language
        self.indent = indent
        self.lines = lines
        self.files = [mark[6:] for mark in marks if mark.startswith("file: ")]
        self.first = [mark[7:] for mark in marks if mark.startswith("first: ")]
        self.skipped = next((mark for mark in marks if WHOLE.match(mark)), None)
        self.shown_by = None  # of a text block, the sql block that prints it

    def runs(self):
        return self.skipped is None and (self.language in RUN_LANGUAGES or bool(self.files))


def marks_above(lines, fence):
    marks = []
    at = fence - 1
    while at >= 0 and MARK.match(lines[at]):
        marks.insert(0, MARK.match(lines[at]).group(1))
        at -= 1
    return marks


def find_blocks(lines):
    """The blocks of a page; a mark of the whole page is given to each that has none."""
    blocks = []
    at = 0
    while at < len(lines):
        fence = re.match(r"^( *)```(\S*)$", lines[at])
        at += 1
        if fence is None:
            continue
        begin = at
        while at < len(lines) and lines[at].strip() != "```":
            at += 1
        indent = len(fence.group(1))
        block = Block(begin, fence.group(2), indent, [line[indent:] for line in lines[begin:at]], marks_above(lines, begin - 1))
        between = lines[blocks[-1].line + len(blocks[-1].lines) + 1:begin - 1] if blocks else ["text"]
        if block.language == "text" and not any(between) and blocks[-1].language == "sql":
            block.shown_by = blocks[-1]
        blocks.append(block)
        at += 1
    head = lines[:blocks[0].line] if blocks else []
    for number, line in enumerate(head):
        mark = MARK.match(line)
        if mark and WHOLE.match(mark.group(1)) and head[number + 1:number + 2] == [""]:
            for block in blocks:
                block.skipped = block.skipped or mark.group(1)
    return blocks


def read_page(page):
    with open(os.path.join(ROOT, page), encoding="utf-8") as file:
        return file.read().split("\n")


def fault_of(page, block):
    """Why a block is neither run nor left out for a reason, or None."""
    if block.runs() or block.shown_by:
        return None
    if block.skipped is None:
        return 'is neither run nor marked: <!-- not run: REASON -->'
    if block.skipped.startswith("not run: "):
        return None if len(block.skipped) > 20 else "has no reason"
    programs = [block.skipped[7:]]
    if block.skipped == "run":
        folder = os.path.join(ROOT, "packaging/test")
        programs = ["packaging/test/" + name for name in sorted(os.listdir(folder))]
    for program in programs:
        with open(os.path.join(ROOT, program), encoding="utf-8") as file:
            if re.search(r"\b" + re.escape(page), file.read()):
                return None
    return block.skipped + ": nothing of that runs " + page


# --- console ---------------------------------------------------------------------------------------------------------


def steps_of(block):
    """(command, lines that it prints) of a console block."""
    steps = []
    at = 0
    while at < len(block.lines):
        line = block.lines[at]
        at += 1
        if line.startswith("$ "):
            command = [line[2:]]
            while command[-1].endswith("\\") and at < len(block.lines):
                command.append(block.lines[at])
                at += 1
            steps.append(("\n".join(command), []))
        elif steps:
            steps[-1][1].append(line)
        else:
            sys.exit("line %d: a console block begins with a command: %s" % (block.line, line))
    return steps


# --- the script ------------------------------------------------------------------------------------------------------


def quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def put_block(number, block, folder, put):
    text = "\n".join(block.lines) + "\n"
    name = "%s/%d" % (folder, number)
    for function in block.first:
        put("page_first %d %s" % (block.line, quoted(function)))
    for file in block.files:
        put("page_file %d %s %s" % (block.line, quoted(file), quoted(text)))
    if block.files:
        return
    if block.language == "console":
        for step, (command, _) in enumerate(steps_of(block)):
            put("page_command %d %s %s" % (block.line, quoted("%s.%d" % (name, step)), quoted(command)))
    else:
        put("page_%s %d %s %s" % (block.language, block.line, quoted(name), quoted(text)))


def print_script(page, folder):
    for number, block in enumerate(find_blocks(read_page(page))):
        if block.runs():
            put_block(number, block, folder, print)


# --- what was printed ------------------------------------------------------------------------------------------------

UNIT = r"\d+(\.\d+)? ?(us|ms|s|min|h|d)\b"
WORDS = (
    (re.compile(r"(\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?( ?UTC| ?Z|[-+]\d\d(:\d\d)?)?"), "TIME"),
    (re.compile(r"\b\d\d:\d\d:\d\d(\.\d+)?\b"), "DURATION"),
    (re.compile(r"\b" + UNIT + "( " + UNIT + ")*"), "DURATION"),
    (re.compile(r"\b(run|cancel|alert) \d+\b"), r"\1 N"),
    (re.compile(r"\b(a cost of|and) \d+(?= for everything| for one group|, each time)"), r"\1 N"),
    (re.compile(r"^SCHEMA +\d+"), "SCHEMA N"),
    (re.compile(r"-{3,}"), "---"),
    (re.compile(r"[ \t]+"), " "),
)


def masked(lines):
    """Without what differs from run to run."""
    result = []
    numbered = False
    for line in lines:
        numbered = bool(re.match(r"^(RUN|ALERT) ", line)) or (numbered and bool(re.match(r"^ *\d+ ", line)))
        if numbered:
            line = re.sub(r"^ *\d+ ", "N ", line)
        for pattern, word in WORDS:
            line = pattern.sub(word, line)
        result.append(line.strip())
    while result and result[-1] == "":
        result.pop()
    return result


def line_matches(shown, printed):
    if "..." not in shown:
        return shown == printed
    return re.fullmatch(".*".join(re.escape(part) for part in shown.split("...")), printed) is not None


def matches(shown, printed):
    if not shown:
        return not printed
    if shown[0] == "...":
        return any(matches(shown[1:], printed[at:]) for at in range(len(printed) + 1))
    return bool(printed) and line_matches(shown[0], printed[0]) and matches(shown[1:], printed[1:])


def printed_lines(name):
    with open(name, encoding="utf-8", errors="replace") as file:
        return file.read().rstrip("\n").split("\n")


def comparisons(page, folder):
    """(the block that shows it, its lines without commands, what was printed, command) of all that was compared."""
    for number, block in enumerate(find_blocks(read_page(page))):
        if block.shown_by and block.shown_by.runs():
            yield block, block.lines, printed_lines("%s/%d" % (folder, number - 1)), None
        elif block.runs() and block.language == "console" and not block.files:
            for step, (command, shown) in enumerate(steps_of(block)):
                yield block, shown, printed_lines("%s/%d.%d" % (folder, number, step)), command


def compare(page, folder):
    count = 0
    failed = 0
    for block, shown, printed, command in comparisons(page, folder):
        count += 1
        if matches(masked(shown), masked(printed)):
            continue
        failed += 1
        print("FAILED: %s:%d: %s" % (page, block.line, "$ " + command if command else "the result"))
        for line in difflib.unified_diff(masked(shown), masked(printed), "shown", "printed", lineterm="", n=1):
            print("    " + line)
    print("%s: %d outputs compared, %d differ" % (page, count, failed))
    return failed == 0


def write(page, folder, target):
    lines = read_page(page)
    renewed = {}
    for block, shown, printed, command in comparisons(page, folder):
        differs = not matches(masked(shown), masked(printed))
        renewed.setdefault(block.line, (block, []))[1].extend(
            ["$ " + command] if command else [])
        renewed[block.line][1].extend([line.rstrip() for line in printed if printed != [""]] if differs else shown)
    for block, text in sorted(renewed.values(), key=lambda item: -item[0].line):
        text = [line for entry in text for line in entry.split("\n")]
        lines[block.line:block.line + len(block.lines)] = [(" " * block.indent + line) if line else "" for line in text]
    os.makedirs(os.path.dirname(os.path.join(target, page)), exist_ok=True)
    with open(os.path.join(target, page), "w", encoding="utf-8") as file:
        file.write("\n".join(lines))


def check_blocks(page):
    faults = 0
    for block in find_blocks(read_page(page)):
        fault = fault_of(page, block)
        if fault:
            faults += 1
            print("FAILED: %s:%d: the block %s" % (page, block.line, fault))
    return faults == 0


# --- links -----------------------------------------------------------------------------------------------------------


def all_pages():
    pages = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"]
    for folder, _, names in os.walk(os.path.join(ROOT, "docs")):
        pages += [os.path.relpath(os.path.join(folder, name), ROOT) for name in names if name.endswith(".md")]
    return sorted(pages)


def without_blocks(lines):
    inside = False
    for line in lines:
        if line.strip().startswith("```"):
            inside = not inside
        elif not inside:
            yield line


def anchors_of(lines):
    """Those of a page's headings, as GitHub makes them."""
    anchors = set()
    for line in without_blocks(lines):
        heading = re.match(r"^#+ +(.*?) *#*$", line)
        if heading:
            text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading.group(1)).lower()
            name = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
            count = 0
            while (name if count == 0 else "%s-%d" % (name, count)) in anchors:
                count += 1
            anchors.add(name if count == 0 else "%s-%d" % (name, count))
        anchors.update(re.findall(r'<a (?:id|name)="([^"]+)"', line))
    return anchors


def links_of(lines):
    text = "\n".join(re.sub(r"`[^`]*`", "``", line) for line in without_blocks(lines))
    return [re.sub(r"\s+", "", link) for link in re.findall(r"\]\(([^)]+)\)", text)]


def broken_links():
    texts = {page: read_page(page) for page in all_pages()}
    count = 0
    for page, lines in texts.items():
        for link in links_of(lines):
            if re.match(r"^[a-z]+:", link):
                continue
            count += 1
            path, _, anchor = link.partition("#")
            target = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
            if not os.path.exists(os.path.join(ROOT, target)):
                print("FAILED: %s: %s leads nowhere" % (page, link))
            elif anchor and target.endswith(".md") and anchor not in anchors_of(texts.get(target) or read_page(target)):
                print("FAILED: %s: %s has no heading of that name" % (page, link))
    return count


def pages_that_the_index_leaves_out():
    index = {os.path.normpath(os.path.join("docs", link.partition("#")[0])) for link in links_of(read_page("docs/README.md"))}
    for page in all_pages():
        folder, name = os.path.split(page)
        if folder == "docs" and name != "README.md" and page not in index:
            print("FAILED: docs/README.md does not name %s" % page)
        if folder.startswith("docs/") and not any(folder == link or link.startswith(folder + "/") for link in index):
            print("FAILED: docs/README.md does not name folder %s of %s" % (folder, page))


def commands_that_no_page_runs(commands):
    typed = []
    for page in all_pages():
        for block in find_blocks(read_page(page)):
            if block.runs() and block.language in ("console", "sh") or (block.skipped or "").startswith("run"):
                typed += [line for line in block.lines if block.language == "sh" or line.startswith("$ ")]
    for command in commands:
        if not any(re.search(r"\bpgchime " + re.escape(command) + r"\b", line) for line in typed):
            print("FAILED: no page runs pgchime %s" % command)


def main(arguments):
    task = arguments[0]
    if task == "pages":
        print("\n".join(all_pages()))
    elif task == "script":
        print_script(*arguments[1:])
    elif task == "compare":
        return compare(*arguments[1:])
    elif task == "write":
        write(*arguments[1:])
    elif task == "blocks":
        return check_blocks(arguments[1])
    elif task == "commands":
        commands_that_no_page_runs(arguments[1:])
    elif task == "links":
        print("%d links" % broken_links())
        pages_that_the_index_leaves_out()
    else:
        sys.exit(__doc__)
    return True


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1:]) else 1)
