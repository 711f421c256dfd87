/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "cli/commands.h"

/* Each script hands the words typed so far to `pgchime complete`, which answers with a line for each candidate. */

static const char bash_script[] =
    "# Completion of pgchime for bash. To have it now:  source <(pgchime completion bash)\n"
    "# For ever: write it to /usr/share/bash-completion/completions/pgchime or "
    "~/.local/share/bash-completion/completions/pgchime\n"
    "_pgchime()\n"
    "{\n"
    "    local line program=${COMP_WORDS[0]/#\\~/$HOME} word=${COMP_WORDS[COMP_CWORD]} paths=''\n"
    "    [ \"$word\" != '=' ] || word=''\n"
    "    COMPREPLY=()\n"
    "    while IFS= read -r line; do\n"
    "        case $line in\n"
    "            :files) paths=-f ;;\n"
    "            :directories) paths=-d ;;\n"
    "            *) COMPREPLY+=(\"$(printf '%q' \"${line%%$'\\t'*}\")\") ;;\n"
    "        esac\n"
    "    done < <(\"$program\" complete -- \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
    "    if [ -n \"$paths\" ]; then\n"
    "        compopt -o filenames 2>/dev/null\n"
    "        while IFS= read -r line; do COMPREPLY+=(\"$line\"); done < <(compgen \"$paths\" -- \"$word\")\n"
    "    fi\n"
    "}\n"
    "complete -F _pgchime pgchime\n";

static const char zsh_script[] =
    "#compdef pgchime\n"
    "# Completion of pgchime for zsh. To have it now:  source <(pgchime completion zsh)\n"
    "# For ever: write it to a file _pgchime in a folder of $fpath.\n"
    "_pgchime()\n"
    "{\n"
    "    local line tab=$'\\t'\n"
    "    local -a candidates\n"
    "    for line in \"${(@f)$(\"${words[1]/#\\~/$HOME}\" complete -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)}\"; do\n"
    "        case $line in\n"
    "            :files) _files ;;\n"
    "            :directories) _files -/ ;;\n"
    "            ?*) candidates+=(\"${${line%%$tab*}//:/\\\\:}:${line#*$tab}\") ;;\n"
    "        esac\n"
    "    done\n"
    "    (( ! ${#candidates} )) || _describe -t values value candidates\n"
    "}\n"
    "if [ \"${funcstack[1]}\" = _pgchime ]; then\n"
    "    _pgchime \"$@\"\n"
    "else\n"
    "    compdef _pgchime pgchime\n"
    "fi\n";

static const char fish_script[] =
    "# Completion of pgchime for fish. To have it now:  pgchime completion fish | source\n"
    "# For ever: write it to ~/.config/fish/completions/pgchime.fish\n"
    "function __pgchime_complete\n"
    "    set -l words (commandline -opc)\n"
    "    set -l current (commandline -ct)\n"
    "    set -l program $words[1]\n"
    "    set -e words[1]\n"
    "    for line in ($program complete -- $words \"$current\" 2>/dev/null)\n"
    "        switch $line\n"
    "            case :files\n"
    "                __fish_complete_path \"$current\"\n"
    "            case :directories\n"
    "                __fish_complete_directories \"$current\"\n"
    "            case '*'\n"
    "                echo $line\n"
    "        end\n"
    "    end\n"
    "end\n"
    "complete -c pgchime -f -a '(__pgchime_complete)'\n";

static const char *const shells[] = {"bash", "zsh", "fish"};
static const char *const scripts[] = {bash_script, zsh_script, fish_script};

static int completion_run(const struct invocation *invocation)
{
    const char *shell = invocation->arguments[0];
    for (size_t i = 0; i < COUNT_OF(shells); i++) {
        if (strcmp(shell, shells[i]) == 0) {
            fputs(scripts[i], stdout);
            return EXIT_OK;
        }
    }
    struct error err;
    const char *nearest = nearest_word(shell, shells, COUNT_OF(shells));
    error_set(&err, ERROR_USAGE, "there is no completion for \"%s\"", shell);
    if (nearest != NULL) {
        error_hint(&err, "did you mean \"%s\"?", nearest);
    } else {
        error_hint(&err, "write bash, zsh or fish");
    }
    return fail(&err);
}

const struct command command_completion = {
    .name = "completion",
    .arguments = "bash|zsh|fish",
    .least = 1,
    .most = 1,
    .summary = "a script that completes commands, options, jobs and plugins",
    .details =
        "The script says where to put it. Job names are asked of the databases as you type, for at most 2 seconds.",
    .run = completion_run,
};
