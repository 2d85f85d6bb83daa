/* The one table of commands. */
#include <string.h>

#include "cli/cli.h"
#include "config/parse.h"

/* Macros for parts of a row, which clang-format takes for blocks of statements. */
/* clang-format off */
#define LATER(n, u, s) {.name = n, .usage = u, .summary = s}
#define OPTIONS(...) .options = (const adn_cli_option[]){__VA_ARGS__, {NULL, NULL, NULL}}
#define JSON {"--json", NULL, "the table as JSON"}
/* clang-format on */

static const char train_text[] =
    "Trains what CONFIG says into the folder RUNS/NAME. The same command again goes on\n"
    "where an unfinished run stopped, bit for bit, and says so of a finished one. Another\n"
    "config under a name that is taken is refused: give it a name of its own (name=NAME),\n"
    "or --new.\n"
    "\n"
    "Ctrl-C or SIGTERM once: finishes the step, saves, exits 75; the same command goes on.\n"
    "Twice: exits at once (130 or 143); the run goes on from its last checkpoint.\n";

static const char eval_text[] =
    "RUN is a run's folder, or its name under runs/. NAME is as `ckpt ls` prints it.\n"
    "Prints a row a block, the numbers of epochs.csv to the last digit.\n";

static const char replay_text[] =
    "Takes the steps that RUN recorded (order.bin) again, one after another on one thread,\n"
    "and holds losses, accuracies, rates and clocks against its epochs.csv, to the last bit.\n"
    "Any number of cores will do: blocks keep the numbers of threads they had. A resumed\n"
    "run's order begins at the checkpoint that it went on from.\n";

static const char plan_text[] =
    "With --gpu no GPU and no driver are needed: cuDNN plans for the model by its properties.\n"
    "Nothing is measured or run. The plan is for one such GPU, or as many as `blocks` names;\n"
    "exit code 4 says that it does not fit or that an operation has no plan.\n";

static const char bench_text[] =
    "Trains steps of full batches without tests, checkpoints or a run's folder. Prints for\n"
    "each operation of each block, in the order of a step, its algorithm, its time, its\n"
    "rates and its floor; then what blocks and kinds of operations sum up to; then where\n"
    "the step's time on all cores went: operations, what ran beside them, idleness.\n"
    "\n"
    "The floor is the longer of two times: multiply-adds that the algorithm needs, at the\n"
    "rate from registers; bytes, at the rate of a copy of main memory. Both rates are\n"
    "measured at the end, with the block's threads alone. What lies in a cache may take\n"
    "less. GFLOP/s count the multiply-adds of the definition, whatever the algorithm. A\n"
    "block of one thread counts its own processor's time, a larger one time that goes by.\n";

static const char config_text[] = "check: reads the file alone, opens no data and no device.\n"
                                  "show:  every key with its value and origin.\n"
                                  "doc:   every key with its type, range, default and meaning.\n";

static const char data_text[] = "Without CONFIG: the defaults and the arguments, as in\n"
                                "    adonis data check data.name=cifar10 data.root=DIR\n";

static const char ckpt_text[] =
    "RUN is a run's folder, or its name under runs/. NAME is last, best, or as `ckpt ls`\n"
    "prints it.\n";

static const char compare_text[] =
    "Each RUN is a run's folder, or its name under runs/.\n"
    "\n"
    "First every key of the resolved configs that is not the same in all, defaults and what\n"
    "`auto` became as well; - where a run does not use it. Then a row a block: its last\n"
    "results, the mean test accuracy of its last five tested epochs (no best epoch is\n"
    "picked), and how many of its updates were on batches it had learned from before. Then a\n"
    "row an edge, of the whole run: reads of a batch that was read at all (reuse), batches\n"
    "dropped unread, the seconds its block starved; the ages are those of the last epoch.\n";

const adn_cli_command adn_cli_commands[] = {
    {"train", cmd_train, "CONFIG [key=value ...]", "one run, to its end", .has_keys = true,
     OPTIONS({"--new", NULL, "begin another run under a fresh name (NAME-2, NAME-3, ...)"},
             {"--resume", "never|auto", "never: refuse where an unfinished run would go on"}, JSON),
     .text = train_text},
    {"eval", cmd_eval, "RUN [last|best|NAME]", "test loss and accuracy of a run's checkpoint",
     OPTIONS(JSON), .text = eval_text},
    {"replay", cmd_replay, "RUN", "a run again in the same order of events: the same losses",
     OPTIONS(JSON), .text = replay_text},
    {"plan", cmd_plan, "CONFIG [key=value ...]",
     "blocks, edges, memory and speed-up bound; trains nothing", .has_keys = true,
     OPTIONS({"--gpu", "MODEL", "for such a GPU, here or not: a100, b200, h100 or rtx4090"}, JSON),
     .text = plan_text},
    {"bench", cmd_bench, "net CONFIG [key=value ...]",
     "images a second, and what each operation takes", .words = "net data edge", .has_keys = true,
     OPTIONS({"--steps", "N", "steps measured (40)"}, {"--warmup", "N", "steps before them (5)"},
             JSON),
     .text = bench_text},
    {"config", cmd_config, "check|show CONFIG [key=value ...] | doc",
     "checks or shows a config; documents its keys", .words = "check show doc", .has_keys = true,
     OPTIONS(JSON), .text = config_text},
    {"data", cmd_data, "check [CONFIG] [key=value ...]",
     "reads a data set through and says what is wrong with it", .words = "check", .has_keys = true,
     OPTIONS(JSON), .text = data_text},
    {"ckpt", cmd_ckpt, "ls|show|verify RUN [NAME]",
     "checkpoints of a run: which, what is in them, are they whole", .words = "ls show verify",
     OPTIONS(JSON), .text = ckpt_text},
    {"compare", cmd_compare, "RUN...", "differences of configs, then results side by side",
     OPTIONS(JSON), .text = compare_text},
    {"devices", cmd_devices, "", "what can train here", OPTIONS(JSON)},
    {"doctor", cmd_doctor, "", "checks cores, memory, disk and data here", OPTIONS(JSON)},
    {"help", cmd_help, "[COMMAND]", "this list, or a command's usage, options and exit codes",
     .words = NULL},
    {"version", cmd_version, "", "of this program, its compiler, its oneDNN and its processor code",
     OPTIONS(JSON)},
    {"completion", cmd_completion, "[bash]",
     "a script for the shell: eval \"$(adonis completion bash)\"", .words = "bash"},
    LATER("predict", "RUN IMAGE...", "classes of images"),
    LATER("assess", "RUN...", "heads and probes"),
    LATER("sweep", "CONFIG", "grids and seeds"),
    LATER("report", "RUN", "report.html"),
    LATER("top", "RUN", "a live table"),
    LATER("serve", "RUN", "a live page"),
    LATER("export", "safetensors|onnx RUN", "a run's net for others"),
};
const int adn_cli_n_command = (int)ADN_COUNT(adn_cli_commands);

const adn_cli_command *adn_cli_find(const char *name)
{
    for (int i = 0; i < adn_cli_n_command; i++)
        if (strcmp(adn_cli_commands[i].name, name) == 0) return &adn_cli_commands[i];
    return NULL;
}

adn_status adn_cli_unknown(const char *wrong)
{
    adn_guess guess = {.wrong = wrong};
    adn_shown shown = adn_show(wrong);

    for (int i = 0; i < adn_cli_n_command; i++) adn_guess_offer(&guess, adn_cli_commands[i].name);
    if (guess.best == NULL)
        return ADN_FAIL(ADN_USAGE, "unknown command '%s'; `adonis help` lists them", shown.s);
    return ADN_FAIL(ADN_USAGE, "unknown command '%s' (did you mean '%s'?)", shown.s, guess.best);
}
