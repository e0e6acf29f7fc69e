/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `avow completion bash`: the shell's completion, written from the same tables that the commands are, so that
 * it cannot know other words than they do.
 */
#include <stdio.h>
#include <string.h>

#include "tenant/command.h"
#include "tenant/commands.h"

static void print_verbs(const char *noun)
{
        for (size_t t = 0; t < command_n_tables; t++)
                for (const struct command *c = command_tables[t]; c->noun; c++)
                        if (strcmp(c->noun, noun) == 0 && c->verb)
                                (void)printf(" %s", c->verb);
}

/* True for the first row that names NOUN. */
static bool first_of_noun(const struct command *row)
{
        for (size_t t = 0; t < command_n_tables; t++)
                for (const struct command *c = command_tables[t]; c->noun; c++)
                        if (strcmp(c->noun, row->noun) == 0)
                                return c == row;
        return false;
}

static void print_options(const struct command *c)
{
        (void)printf("        '%s%s%s') words='--help", c->noun, c->verb ? " " : "", c->verb ? c->verb : "");
        for (const struct option_row *o = c->options; o && o->name; o++)
                (void)printf(" --%s", o->name);
        (void)printf("' ;;\n");
}

static int run_bash(const struct session *s, const void *values, int n_args, char **args, struct err *err)
{
        (void)s, (void)values, (void)n_args, (void)args, (void)err;
        (void)printf("# bash completion for avow, written by 'avow completion bash'\n"
                     "_avow()\n{\n"
                     "    local cur=${COMP_WORDS[COMP_CWORD]} words= noun= verb= i\n"
                     "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                     "        case ${COMP_WORDS[i]} in\n"
                     "        -c|-o|--config|--output|--server) ((i++)) ;;\n"
                     "        -*) ;;\n"
                     "        *) if [ -z \"$noun\" ]; then noun=${COMP_WORDS[i]}; "
                     "elif [ -z \"$verb\" ]; then verb=${COMP_WORDS[i]}; fi ;;\n"
                     "        esac\n    done\n"
                     "    if [[ -n $noun && $cur == -* ]]; then\n"
                     "        case \"$noun${verb:+ $verb}\" in\n");
        for (size_t t = 0; t < command_n_tables; t++)
                for (const struct command *c = command_tables[t]; c->noun; c++)
                        print_options(c);
        (void)printf("        esac\n    elif [ -z \"$noun\" ]; then\n        words='-c -o --server --help "
                     "--version");
        for (size_t t = 0; t < command_n_tables; t++)
                for (const struct command *c = command_tables[t]; c->noun; c++)
                        if (first_of_noun(c))
                                (void)printf(" %s", c->noun);
        (void)printf("'\n    elif [ -z \"$verb\" ]; then\n        case $noun in\n");
        for (size_t t = 0; t < command_n_tables; t++)
                for (const struct command *c = command_tables[t]; c->noun; c++)
                        if (first_of_noun(c)) {
                                (void)printf("        %s) words='", c->noun);
                                print_verbs(c->noun);
                                (void)printf("' ;;\n");
                        }
        (void)printf(
                "        esac\n    fi\n"
                "    if [ -n \"$words\" ]; then mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
                "    else mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); fi\n}\n"
                "complete -F _avow avow\n");
        return ANSWER_DONE;
}

const struct command completion_commands[] = {
        {"completion", "bash", "", "Prints the completion of commands and options for bash", NULL, 0, 0, 0,
         run_bash},
        {0},
};
