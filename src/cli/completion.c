/* The functions by which shells complete command lines. They know nothing of tare's commands: at every key they ask `tare
 * __complete` (complete.c), which answers from the option tables, one "CANDIDATE<tab>HELP" a line, and a last line ":files",
 * ":open" or ":". */
#include <string.h>

#include "cli/command.h"

/* bash cuts words at ":" and "=" (COMP_WORDBREAKS) and replaces only the last piece: what stands before it is taken off the answer.
 */
static const char bash_text[] =
    "# bash completion of tare: source <(tare completion bash)\n"
    "_tare() {\n"
    "    local line=${COMP_LINE:0:COMP_POINT} word front candidate help words=()\n"
    "    read -ra words <<<\"$line\"\n"
    "    [[ $line == *[[:space:]] ]] && words+=(\"\")\n"
    "    word=${words[-1]} front=\n"
    "    [[ $COMP_WORDBREAKS == *:* && $word == *:* ]] && front=${word%\"${word##*:}\"}\n"
    "    [[ $COMP_WORDBREAKS == *=* && ${word#\"$front\"} == *=* ]] && front=${word%\"${word##*=}\"}\n"
    "    COMPREPLY=()\n"
    "    while IFS=$'\\t' read -r candidate help; do\n"
    "        case $candidate in\n"
    "        :*files*) mapfile -t -O \"${#COMPREPLY[@]}\" COMPREPLY < <(compgen -f -- \"${word#\"$front\"}\") ;;&\n"
    "        :*open*) compopt -o nospace 2>/dev/null ;;\n"
    "        :*) ;;\n"
    "        *) COMPREPLY+=(\"${candidate#\"$front\"}\") ;;\n"
    "        esac\n"
    "    done < <(\"${words[0]}\" __complete \"${words[@]:1}\" 2>/dev/null)\n"
    "}\n"
    "complete -F _tare tare\n";

static const char zsh_text[] =
    "#compdef tare\n"
    "# zsh completion of tare: as _tare in a directory of $fpath, or source <(tare completion zsh)\n"
    "_tare() {\n"
    "    local line candidate last\n"
    "    local -a plain open\n"
    "    for line in \"${(@f)$(\"${words[1]}\" __complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)}\"; do\n"
    "        if [[ $line == :* ]]; then\n"
    "            last=$line\n"
    "            continue\n"
    "        fi\n"
    "        candidate=${${line%%$'\\t'*}//:/\\\\:}\n"
    "        plain+=(\"$candidate:${line#*$'\\t'}\")\n"
    "    done\n"
    "    [[ $last == *open* ]] && open=(-S '')\n"
    "    (( ${#plain} )) && _describe -V tare plain $open\n"
    "    if [[ $last == *files* ]]; then _files; else (( ${#plain} )); fi\n"
    "}\n"
    "if [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n"
    "    _tare \"$@\"\n"
    "else\n"
    "    compdef _tare tare\n"
    "fi\n";

static const char fish_text[] = "# fish completion of tare: tare completion fish | source\n"
                                "function __tare_complete\n"
                                "    set -l words (commandline -opc) (commandline -ct)\n"
                                "    for line in ($words[1] __complete $words[2..-1] 2>/dev/null)\n"
                                "        if string match -q ':*' -- $line\n"
                                "            if string match -q '*files*' -- $line\n"
                                "                __fish_complete_path (commandline -ct)\n"
                                "            end\n"
                                "        else\n"
                                "            echo $line\n"
                                "        end\n"
                                "    end\n"
                                "end\n"
                                "complete -c tare -f -a '(__tare_complete)'\n";

static int completion_run(struct cli *cli _unused_, const void *options _unused_, const struct strs *args, struct error *e) {
    static const struct { const char *shell, *text; } shells[] = {{"bash", bash_text}, {"fish", fish_text}, {"zsh", zsh_text}};

    for (size_t i = 0; i < ARRAY_SIZE(shells); i++) {
        if (strcmp(args->v[0], shells[i].shell) == 0) {
            fputs(shells[i].text, stdout);
            return 0;
        }
    }
    error_set(e, -EINVAL, "no completion for the shell %s", args->v[0]);
    return error_hint(e, "bash, fish and zsh have one");
}

const struct command command_completion = {
    .names = {"completion"},
    .usage = "SHELL",
    .summary = "Print what makes bash, fish or zsh complete tare's command lines",
    .description =
        "Print what makes a shell (bash, fish, zsh) complete tare's command lines: commands, options, their values, and the\n"
        "names of containers, images, networks and volumes.\n\n"
        "    bash: source <(tare completion bash)\n"
        "    zsh:  source <(tare completion zsh)     (after compinit)\n"
        "    fish: tare completion fish | source\n\n"
        "`make install` puts all three where the shells find them.",
    .args_min = 1,
    .args_max = 1,
    .run = completion_run,
};
