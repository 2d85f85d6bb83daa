/* Every key of a config file. The order is the order of dumps and of the documentation. */
#include "config/schema.h"

#include <ctype.h>
#include <string.h>

#define AT(field)      .has_field = true, .at = offsetof(adn_config, field)
#define AT_N(field)    .at_n = offsetof(adn_config, field)
#define AT_AUTO(field) .at_auto = offsetof(adn_config, field)
#define UNIT(field)    .has_field = true, .at = offsetof(adn_unit_conf, field)
#define BLOCK(field)   .has_field = true, .at = offsetof(adn_block_conf, field)
#define SLOW(field)    .has_field = true, .at = offsetof(adn_slow_conf, field)
#define LINK(field)    .has_field = true, .at = offsetof(adn_link_conf, field)
#define FROM(a, b)     .lo = (a), .hi = (b)
#define WORDS(...)                                                                                 \
    .words = (const adn_word[])                                                                    \
    {                                                                                              \
        __VA_ARGS__,                                                                               \
        {                                                                                          \
            NULL, 0, false, 0                                                                      \
        }                                                                                          \
    }
#define NOW(word, value)                                                                           \
    {                                                                                              \
        word, value, false, 0                                                                      \
    }
#define LATER(word)                                                                                \
    {                                                                                              \
        word, 0, true, 0                                                                           \
    }
#define ASYNC_ONLY(word, value)                                                                    \
    {                                                                                              \
        word, value, false, ADN_IN_ASYNC                                                           \
    }
#define EP_ST     ((1u << ADN_EPOCHS) | (1u << ADN_STEPS))
#define EP_ST_S   (EP_ST | (1u << ADN_SECONDS))
#define EP_ST_INF (EP_ST | (1u << ADN_NEVER))

#define HEAD_KINDS                                                                                 \
    WORDS(NOW("linear", ADN_HEAD_LINEAR), NOW("cnn", ADN_HEAD_CNN), NOW("mlp", ADN_HEAD_MLP),      \
          NOW("mlp-sr", ADN_HEAD_MLP_SR), LATER("auglocal"))

/* What `auto` stands for is edges.c's matter: it depends on the mode. */
#define POLICIES                                                                                   \
    WORDS(NOW("auto", 0), NOW("fifo", ADN_REPLAY_FIFO), ASYNC_ONLY("latest", ADN_REPLAY_LATEST),   \
          ASYNC_ONLY("lifo", ADN_REPLAY_LIFO),                                                     \
          ASYNC_ONLY("priority-lifo", ADN_REPLAY_PRIORITY_LIFO),                                   \
          ASYNC_ONLY("priority-lifo-paper", ADN_REPLAY_PRIORITY_LIFO_PAPER),                       \
          ASYNC_ONLY("uniform", ADN_REPLAY_UNIFORM))
#define LINKS                                                                                      \
    WORDS(NOW("auto", ADN_LINK_COPY), NOW("copy", ADN_LINK_COPY), NOW("nccl", ADN_LINK_NCCL))
#define PLACES                                                                                     \
    WORDS(NOW("device", ADN_EDGE_DEVICE), NOW("pinned", ADN_EDGE_PINNED),                          \
          NOW("file", ADN_EDGE_FILE))
#define WHEN_FULL                                                                                  \
    WORDS(NOW("auto", 0), NOW("block", ADN_FULL_BLOCK),                                            \
          ASYNC_ONLY("drop_oldest", ADN_FULL_DROP_OLDEST))

const adn_key adn_schema[] = {
    {"version", ADN_KEY_INT, "1", .help = "of this format; required in a file", FROM(1, 1)},
    {"name", ADN_KEY_TEXT, AT(name),
     .help = "of the run and its directory; default: the file's name without .yaml"},
    {"runs", ADN_KEY_TEXT, "runs", AT(runs),
     .help = "where run directories go, relative to the current directory"},
    {"seed", ADN_KEY_SEED, "1", AT(seed), .help = "of initialisation, order and augmentation"},
    {"mode", ADN_KEY_WORD, "sync", AT(mode),
     WORDS(NOW("bp", ADN_MODE_BP), NOW("sync", ADN_MODE_SYNC), NOW("greedy", ADN_MODE_GREEDY),
           NOW("async", ADN_MODE_ASYNC)),
     .help = "end to end, decoupled, block after block, or decoupled without waiting"},
    {"schedule", ADN_KEY_WORD, "threads", AT(schedule),
     WORDS(NOW("threads", ADN_SCHEDULE_THREADS), NOW("virtual", ADN_SCHEDULE_VIRTUAL)),
     .help = "who decides which stage takes its next step: the machine, or a modelled clock in one "
             "thread, which repeats"},
    {"draw", ADN_KEY_WORD, "clock", AT(draw),
     WORDS(NOW("clock", ADN_DRAW_CLOCK), NOW("random", ADN_DRAW_RANDOM)),
     .help = "of schedule virtual: a stage steps as soon as it can, or one is drawn at each tick, "
             "by speed"},
    {"precision", ADN_KEY_WORD, "fp32", AT(precision),
     WORDS(NOW("fp32", ADN_PRECISION_FP32), NOW("tf32", ADN_PRECISION_TF32),
           NOW("bf16", ADN_PRECISION_BF16)),
     .help = "of activations and their gradients; weights, statistics and losses are fp32. tf32: "
             "of GPUs, fp32 with faster, rounder products"},
    {"until", ADN_KEY_DURATION, "50ep", AT(until), FROM(0, 1e9), .is_lo_open = true,
     .units = EP_ST_S, .help = "when each stage is done, by its own clock"},

    {"data", ADN_KEY_SECTION, .help = "what is learned from"},
    {"data.name", ADN_KEY_NAME, "cifar10", AT(data.name),
     WORDS(NOW("cifar10", 10), NOW("cifar100", 100), NOW("idx", 0), LATER("folder"), LATER("tar"),
           LATER("pack")),
     .help = "kind of data set"},
    {"data.root", ADN_KEY_PATH, "cifar-10-batches-bin", AT(data.root),
     .help = "folder of its files, relative to this file (in an argument: to the current "
             "directory); needed for other sets than cifar10"},
    {"data.batch", ADN_KEY_INT, "128", AT(data.batch), FROM(2, 65536), .help = "samples a step"},
    {"data.drop_last", ADN_KEY_BOOL, "false", AT(data.drop_last),
     .help = "leave out the short last batch of an epoch"},
    {"data.augment", ADN_KEY_AUGMENT, "[crop 4, flip]", AT(data.augment), AT_N(data.n_augment),
     FROM(1, 512),
     WORDS(NOW("crop", ADN_AUG_CROP), NOW("flip", ADN_AUG_FLIP), NOW("cutout", ADN_AUG_CUTOUT),
           LATER("resized_crop"), LATER("color_jitter"), LATER("erase"), LATER("mixup"),
           LATER("cutmix")),
     .help = "of training samples, in order: crop N after padding by N, flip, cutout N"},
    {"data.size", ADN_KEY_LATER, "auto", .help = "of photographs"},
    {"data.mean", ADN_KEY_CHANNELS, "auto", AT(data.mean), AT_N(data.n_mean),
     AT_AUTO(data.auto_mean), FROM(0, 1),
     .help = "one number a channel, of pixels / 255; auto: the set's published values, or computed "
             "once"},
    {"data.std", ADN_KEY_CHANNELS, "auto", AT(data.std), AT_N(data.n_std), AT_AUTO(data.auto_std),
     FROM(0, 1), .is_lo_open = true, .help = "like mean"},
    {"data.classes", ADN_KEY_INT, "auto", AT(data.classes), FROM(2, 65536), WORDS(NOW("auto", 0)),
     .help = "of idx: how many; auto: counted"},
    {"data.readers", ADN_KEY_INT, "auto", AT(data.readers), FROM(1, 256), WORDS(NOW("auto", 0)),
     .help = "threads that load samples"},
    {"data.resident", ADN_KEY_WORD, "auto", AT(data.resident),
     WORDS(NOW("auto", ADN_RESIDENT_AUTO), NOW("true", ADN_RESIDENT_TRUE),
           NOW("false", ADN_RESIDENT_FALSE)),
     .help = "whether the GPU of block 0 keeps the set in its memory and augments it there, from "
             "the same draws; auto: where that takes less than a quarter of what is free"},
    {"data.on_error", ADN_KEY_LATER, "fail", .help = "a bad sample: fail | skip | replace"},
    {"data.max_bad", ADN_KEY_LATER, "100", .help = "bad samples until the run stops"},
    {"data.max_pixels", ADN_KEY_LATER, "100000000", .help = "of one image"},

    {"model", ADN_KEY_SECTION, .help = "the network: a name, or units"},
    {"model.name", ADN_KEY_NAME, "dgl4", AT(model.name),
     WORDS(NOW("dgl4", 4), NOW("dgl6", 6), NOW("vgg11", 8), NOW("resnet18", 9), NOW("resnet20", 10),
           LATER("vgg13")),
     .help = "a network of the zoo"},
    {"model.units", ADN_KEY_SECTIONS, AT(model.units), AT_N(model.n_unit),
     .element = sizeof(adn_unit_conf),
     .help = "instead of name: a list such as [{conv: 64}, {pool: 2, conv: 128, repeat: 2}, "
             "{residual: 128, stride: 2}]"},
    {"model.units[].conv", ADN_KEY_INT, UNIT(channels), FROM(1, 8192), .is_quiet = true,
     .help = "a 3x3 convolution with norm and ReLU: output channels"},
    {"model.units[].residual", ADN_KEY_INT, UNIT(channels), FROM(1, 8192), .is_quiet = true,
     .help = "instead of conv: a residual block of two: output channels"},
    {"model.units[].pool", ADN_KEY_INT, UNIT(pool), FROM(2, 16), .is_quiet = true,
     .help = "side and stride of a max pool in front of the conv"},
    {"model.units[].stride", ADN_KEY_INT, "1", UNIT(stride), FROM(1, 16), .is_quiet = true,
     .help = "of the conv, or of the residual block"},
    {"model.units[].bias", ADN_KEY_BOOL, "true", UNIT(bias), .is_quiet = true,
     .help = "of the conv"},
    {"model.units[].repeat", ADN_KEY_INT, "1", UNIT(repeat), FROM(1, 1000), .is_quiet = true,
     .help = "so many such units; pool and stride belong to the first"},
    {"model.cuts", ADN_KEY_CUTS, "every", AT(model.cuts), AT_N(model.n_cut),
     AT_AUTO(model.cuts_kind), FROM(1, 1e6),
     WORDS(NOW("every", ADN_CUTS_EVERY), NOW("auto", ADN_CUTS_AUTO)), .modes = ADN_IN_BLOCKS,
     .help = "a block ends after these units (from 1); auto: blocks of like cost, as many as "
             "`blocks` has entries"},
    {"model.init", ADN_KEY_WORD, "torch", AT(model.init),
     WORDS(NOW("torch", ADN_INIT_TORCH), NOW("kaiming", ADN_INIT_KAIMING),
           NOW("xavier", ADN_INIT_XAVIER)),
     .help = "of weights"},
    {"model.conv", ADN_KEY_WORD, "auto", AT(model.conv),
     WORDS(NOW("auto", ADN_CONV_AUTO), NOW("direct", ADN_CONV_DIRECT),
           NOW("winograd", ADN_CONV_WINOGRAD)),
     .help = "3x3 of stride 1 by Winograd's transforms: where they pay, never, always"},
    {"model.bn_reuse", ADN_KEY_WORD, "once", AT(model.bn_reuse),
     WORDS(NOW("once", ADN_BN_ONCE), NOW("every", ADN_BN_EVERY)), .modes = ADN_IN_ASYNC,
     .help = "how often a batch that is learned from again counts in running statistics"},

    {"aux", ADN_KEY_SECTION, .modes = ADN_IN_BLOCKS,
     .help = "the heads of all blocks but the last"},
    {"aux.kind", ADN_KEY_WORD, "mlp-sr", AT(aux.kind), HEAD_KINDS, .modes = ADN_IN_BLOCKS,
     .help = "kind of head"},
    {"aux.conv", ADN_KEY_INT, "3", AT(aux.conv), FROM(1, 16), .modes = ADN_IN_BLOCKS,
     .help = "1x1 convolutions of mlp-sr, 3x3 of cnn (there 2 by default)"},
    {"aux.hidden", ADN_KEY_INT, "3", AT(aux.hidden), FROM(0, 16), .modes = ADN_IN_BLOCKS,
     .help = "hidden layers of mlp and mlp-sr"},
    {"aux.label_smoothing", ADN_KEY_REAL, "0", AT(aux.label_smoothing), FROM(0, 1),
     .is_hi_open = true, .modes = ADN_IN_BLOCKS,
     .help = "share of the target spread over all classes"},
    {"classifier", ADN_KEY_SECTION, .help = "the head of the last block"},
    {"classifier.hidden", ADN_KEY_INT, "2", AT(classifier_hidden), FROM(0, 16),
     .help = "hidden layers behind an average pool to 2x2; ResNets have none"},

    {"edge", ADN_KEY_SECTION, .modes = ADN_IN_BLOCKS, .help = "every edge between blocks"},
    {"edge.slots", ADN_KEY_INT, "8", AT(edge.slots), FROM(1, 65536), .modes = ADN_IN_BLOCKS,
     .help = "batches it holds"},
    {"edge.policy", ADN_KEY_WORD, "auto", AT(edge.policy), POLICIES, .modes = ADN_IN_BLOCKS,
     .help = "which batch is read next; auto: priority-lifo in async, else fifo"},
    {"edge.when_full", ADN_KEY_WORD, "auto", AT(edge.when_full), WHEN_FULL, .modes = ADN_IN_BLOCKS,
     .help = "what the producer does; auto: block with fifo, else drop_oldest"},
    {"edge.max_reuse", ADN_KEY_INT, "inf", AT(edge.max_reuse), FROM(1, 1e9), WORDS(NOW("inf", 0)),
     .modes = ADN_IN_ASYNC, .help = "reads of a batch in all"},
    {"edge.max_age", ADN_KEY_INT, "inf", AT(edge.max_age), FROM(1, 1e9), WORDS(NOW("inf", 0)),
     .modes = ADN_IN_ASYNC, .help = "of a batch that may be read, in producer steps"},
    {"edge.emit", ADN_KEY_FLAG, "every", AT(edge.emit_fresh),
     WORDS(NOW("every", false), NOW("fresh", true)), .modes = ADN_IN_ASYNC,
     .help = "whether the producer emits re-read batches too"},
    {"edge.link", ADN_KEY_WORD, "auto", AT(edge.link), LINKS, .modes = ADN_IN_BLOCKS,
     .help = "from GPU to GPU; auto: copy"},
    {"edge.place", ADN_KEY_WORD, "device", AT(edge.place), PLACES, .modes = ADN_IN_BLOCKS,
     .help = "of the slots: the GPU's memory, the host's, or a file in the folder of runs"},
    {"edge.codec", ADN_KEY_SECTION, .modes = ADN_IN_BLOCKS, .help = "how a slot is stored"},
    {"edge.codec.kind", ADN_KEY_LATER, "none", .modes = ADN_IN_BLOCKS,
     .help = "none | bf16 | fp16 | int8 | int4 | pq"},
    {"edge.codec.dim", ADN_KEY_LATER, .help = "of pq"},
    {"edge.codec.codes", ADN_KEY_LATER, .help = "of pq"},
    {"edge.codec.ema", ADN_KEY_LATER, .help = "of pq"},
    {"edge.codec.publish", ADN_KEY_LATER, .help = "of pq"},

    {"blocks", ADN_KEY_SECTIONS, AT(blocks), AT_N(n_block), .element = sizeof(adn_block_conf),
     .help = "one entry a block, where blocks differ"},
    {"blocks[].device", ADN_KEY_DEVICE, "auto", BLOCK(device),
     .help = "and the cores its queue may use; auto: the GPUs that are there, else the cpu"},
    {"blocks[].threads", ADN_KEY_INT, "auto", BLOCK(threads), FROM(1, 1024), WORDS(NOW("auto", 0)),
     .help = "of its team; auto: cores shared out by cost, or all"},
    {"blocks[].aux", ADN_KEY_SECTION, .modes = ADN_IN_BLOCKS,
     .help = "of this block: its keys go before those of aux"},
    {"blocks[].aux.kind", ADN_KEY_WORD, BLOCK(aux.kind), HEAD_KINDS, .modes = ADN_IN_BLOCKS,
     .is_quiet = true, .help = "as in aux"},
    {"blocks[].aux.conv", ADN_KEY_INT, BLOCK(aux.conv), FROM(1, 16), .modes = ADN_IN_BLOCKS,
     .is_quiet = true, .help = "as in aux"},
    {"blocks[].aux.hidden", ADN_KEY_INT, BLOCK(aux.hidden), FROM(0, 16), .modes = ADN_IN_BLOCKS,
     .is_quiet = true, .help = "as in aux"},
    {"blocks[].aux.label_smoothing", ADN_KEY_REAL, BLOCK(aux.label_smoothing), FROM(0, 1),
     .is_hi_open = true, .modes = ADN_IN_BLOCKS, .is_quiet = true, .help = "as in aux"},
    {"blocks[].edge", ADN_KEY_SECTION, .modes = ADN_IN_BLOCKS,
     .help = "the edge into this block (from the second on): its keys go before those of edge"},
    {"blocks[].edge.slots", ADN_KEY_INT, BLOCK(edge.slots), FROM(1, 65536), .modes = ADN_IN_BLOCKS,
     .is_quiet = true, .help = "as in edge"},
    {"blocks[].edge.policy", ADN_KEY_WORD, BLOCK(edge.policy), POLICIES, .modes = ADN_IN_BLOCKS,
     .is_quiet = true, .help = "as in edge"},
    {"blocks[].edge.when_full", ADN_KEY_WORD, BLOCK(edge.when_full), WHEN_FULL,
     .modes = ADN_IN_BLOCKS, .is_quiet = true, .help = "as in edge"},
    {"blocks[].edge.link", ADN_KEY_WORD, BLOCK(edge.link), LINKS, .modes = ADN_IN_BLOCKS,
     .is_quiet = true, .help = "as in edge"},
    {"blocks[].edge.place", ADN_KEY_WORD, BLOCK(edge.place), PLACES, .modes = ADN_IN_BLOCKS,
     .is_quiet = true, .help = "as in edge"},
    {"blocks[].edge.max_reuse", ADN_KEY_INT, BLOCK(edge.max_reuse), FROM(1, 1e9),
     WORDS(NOW("inf", 0)), .modes = ADN_IN_ASYNC, .is_quiet = true, .help = "as in edge"},
    {"blocks[].edge.max_age", ADN_KEY_INT, BLOCK(edge.max_age), FROM(1, 1e9), WORDS(NOW("inf", 0)),
     .modes = ADN_IN_ASYNC, .is_quiet = true, .help = "as in edge"},
    {"blocks[].edge.emit", ADN_KEY_FLAG, BLOCK(edge.emit_fresh),
     WORDS(NOW("every", false), NOW("fresh", true)), .modes = ADN_IN_ASYNC, .is_quiet = true,
     .help = "as in edge"},
    {"replicas", ADN_KEY_INT, "1", AT(replicas), FROM(1, ADN_MAX_REPLICAS),
     .help = "of all blocks, each with batches of its own; their gradients are averaged"},
    {"gpu", ADN_KEY_SECTION, .help = "how GPUs compute"},
    {"gpu.plans", ADN_KEY_FLAG, "timed", AT(gpu.takes_first_plans),
     WORDS(NOW("timed", false), NOW("first", true)),
     .help = "of cuDNN's ways to do a convolution: the fastest of some, tried once and kept in a "
             "cache, or the first that cuDNN names"},
    {"gpu.workspace", ADN_KEY_BYTES, "1GiB", AT(gpu.workspace_bytes), FROM(0, 1e9),
     .is_lo_open = true, .help = "that a convolution may need beside what it reads and writes"},

    {"optim", ADN_KEY_SECTION, .help = "how each stage learns"},
    {"optim.name", ADN_KEY_WORD, "sgd", AT(optim.kind),
     WORDS(NOW("sgd", ADN_OPTIM_SGD), NOW("adamw", ADN_OPTIM_ADAMW), LATER("lamb"), LATER("muon")),
     .help = "update rule"},
    {"optim.lr", ADN_KEY_REAL, "0.1", AT(optim.lr), FROM(0, 1000),
     .help = "learning rate; the default is for sgd, usual for adamw is 1e-3"},
    {"optim.momentum", ADN_KEY_REAL, "0.9", AT(optim.momentum), FROM(0, 1), .is_hi_open = true,
     .help = "of sgd"},
    {"optim.nesterov", ADN_KEY_BOOL, "false", AT(optim.nesterov),
     .help = "of sgd: momentum in Nesterov's form"},
    {"optim.betas", ADN_KEY_PAIR, "[0.9, 0.999]", AT(optim.betas), FROM(0, 1), .is_hi_open = true,
     .help = "of adamw: how much stays, at each update, of the moments of gradients and of their "
             "squares"},
    {"optim.eps", ADN_KEY_REAL, "1e-8", AT(optim.eps), FROM(1e-30, 1),
     .help = "of adamw: added to the root that it divides by"},
    {"optim.weight_decay", ADN_KEY_REAL, "5e-4", AT(optim.weight_decay), FROM(0, 1),
     .help = "sgd: so much of a weight is added to its gradient; adamw: lr times so much of a "
             "weight is taken off it (usual is 1e-2)"},
    {"optim.no_decay", ADN_KEY_NO_DECAY, "[]", AT(optim.no_decay_bias), AT_N(optim.no_decay_norm),
     WORDS(NOW("bias", 0), NOW("norm", 1)), .help = "what weight decay leaves out"},
    {"optim.schedule", ADN_KEY_SECTION, .help = "of the learning rate, by each stage's own clock"},
    {"optim.schedule.kind", ADN_KEY_WORD, "step", AT(optim.schedule.kind),
     WORDS(NOW("constant", ADN_SCHED_CONSTANT), NOW("step", ADN_SCHED_STEP),
           NOW("multistep", ADN_SCHED_MULTISTEP), NOW("linear", ADN_SCHED_LINEAR),
           NOW("cosine", ADN_SCHED_COSINE)),
     .help = "linear and cosine fall to 0 at `until`"},
    {"optim.schedule.every", ADN_KEY_DURATION, "15ep", AT(optim.schedule.every), FROM(0, 1e9),
     .is_lo_open = true, .units = EP_ST, .help = "between decays of step"},
    {"optim.schedule.factor", ADN_KEY_REAL, "0.2", AT(optim.schedule.factor), FROM(0, 1),
     .is_lo_open = true, .help = "at each decay of step and multistep"},
    {"optim.schedule.at", ADN_KEY_TIMES, "[]", AT(optim.schedule.at), AT_N(optim.schedule.n_at),
     FROM(0, 1e9), .is_lo_open = true, .units = EP_ST, .help = "decays of multistep, ascending"},
    {"optim.schedule.warmup", ADN_KEY_DURATION, "0ep", AT(optim.schedule.warmup), FROM(0, 1e9),
     .units = EP_ST, .help = "linear from 0 up to the schedule's value"},
    {"optim.reset_momentum", ADN_KEY_BOOL, "false", AT(optim.reset_momentum),
     .help = "of sgd: at each decay of step and multistep (adamw's moments go on)"},
    {"optim.clip_norm", ADN_KEY_LATER, "inf", .help = "largest norm of a stage's gradient"},

    {"clock", ADN_KEY_WORD, "fresh", AT(clock),
     WORDS(NOW("fresh", ADN_CLOCK_FRESH), NOW("own_steps", ADN_CLOCK_OWN_STEPS)),
     .modes = ADN_IN_ASYNC,
     .help = "what a stage's clock counts: what it has not learned from before, or every update"},
    {"after_end", ADN_KEY_WORD, "eval_forward", AT(after_end),
     WORDS(NOW("eval_forward", ADN_AFTER_EVAL_FORWARD), NOW("stop", ADN_AFTER_STOP)),
     .modes = ADN_IN_ASYNC, .help = "a stage that is done feeds the next one on, or stops"},
    {"chaos", ADN_KEY_SECTION,
     .help = "the modelled times of schedule virtual; slow blocks and bad links, made on purpose"},
    {"chaos.step", ADN_KEY_SECONDS, "1s", AT(chaos.step_s), FROM(0, 1e9), .is_lo_open = true,
     .units = 1u << ADN_SECONDS,
     .help = "of schedule virtual: time of a step, the mean over all blocks, before slow"},
    {"chaos.cost", ADN_KEY_WORD, "equal", AT(chaos.cost),
     WORDS(NOW("equal", ADN_COST_EQUAL), NOW("macs", ADN_COST_MACS)),
     .help = "of schedule virtual: the same time for each block, or by its multiply-adds"},
    {"chaos.spread", ADN_KEY_REAL, "0", AT(chaos.spread), FROM(0, 1), .is_hi_open = true,
     .help =
         "of schedule virtual: each step takes from 1 - spread to 1 + spread of its time, drawn"},
    {"chaos.slow", ADN_KEY_SECTIONS, AT(chaos.slow), AT_N(chaos.n_slow),
     .element = sizeof(adn_slow_conf), .takes_one = true, .modes = ADN_IN_BLOCKS,
     .help = "blocks made slower, such as {block: 2, factor: 1.5}"},
    {"chaos.slow[].block", ADN_KEY_INT, SLOW(block), FROM(0, ADN_MAX_SECTIONS - 1),
     .modes = ADN_IN_BLOCKS, .help = "counted from 0"},
    {"chaos.slow[].factor", ADN_KEY_REAL, SLOW(factor), FROM(0, 1e6), .is_lo_open = true,
     .modes = ADN_IN_BLOCKS,
     .help = "its steps take so many times as long; below 1, of schedule virtual alone: faster"},
    {"chaos.link", ADN_KEY_SECTIONS, AT(chaos.links), AT_N(chaos.n_link),
     .element = sizeof(adn_link_conf), .takes_one = true, .modes = ADN_IN_BLOCKS,
     .help =
         "of schedule virtual: edges made worse, such as {edge: 1, delay: 5ms, bandwidth: 1Gb/s, "
         "loss: 0.01}"},
    {"chaos.link[].edge", ADN_KEY_INT, LINK(edge), FROM(1, ADN_MAX_SECTIONS - 1),
     .modes = ADN_IN_BLOCKS, .help = "into this block, from 1: the loader's is not modelled"},
    {"chaos.link[].delay", ADN_KEY_SECONDS, "0s", LINK(delay_s), FROM(0, 1e9),
     .units = 1u << ADN_SECONDS, .modes = ADN_IN_BLOCKS,
     .help = "from the end of the producer's step until the batch is there"},
    {"chaos.link[].bandwidth", ADN_KEY_BITRATE, "inf", LINK(bandwidth), .is_lo_open = true,
     .modes = ADN_IN_BLOCKS, .help = "batches go one after another"},
    {"chaos.link[].loss", ADN_KEY_REAL, "0", LINK(loss), FROM(0, 1), .modes = ADN_IN_ASYNC,
     .help = "probability that a batch is lost on the way"},
    {"eval", ADN_KEY_SECTION, .help = "test passes"},
    {"eval.every", ADN_KEY_DURATION, "1ep", AT(eval_every), FROM(0, 1e9), .is_lo_open = true,
     .units = EP_ST_INF, .help = "between test passes; inf: only at the end"},
    {"checkpoint", ADN_KEY_SECTION, .help = "what is saved"},
    {"checkpoint.every", ADN_KEY_DURATION, "1ep", AT(checkpoint_every), FROM(0, 1e9),
     .is_lo_open = true, .units = EP_ST_INF, .help = "between saves; inf: only at the end"},
    {"checkpoint.keep", ADN_KEY_SECTION, .help = "how many stay"},
    {"checkpoint.keep.last", ADN_KEY_INT, "2", AT(keep_last), FROM(1, 1e6),
     .help = "of the newest"},
    {"checkpoint.keep.best", ADN_KEY_INT, "1", AT(keep_best), FROM(0, 1e6),
     .help = "of those with the best test accuracy of the last block"},
    {"log", ADN_KEY_SECTION, .help = "what is told meanwhile"},
    {"log.every", ADN_KEY_SECONDS, "1s", AT(log_every_s), FROM(0, 1e9), .is_lo_open = true,
     .units = 1u << ADN_SECONDS, .help = "between lines of progress"},
    {"log.trace", ADN_KEY_LATER, "0", .help = "steps to trace"},
};
const int adn_schema_n = (int)ADN_COUNT(adn_schema);

const adn_key *adn_schema_find(const char *path)
{
    for (int i = 0; i < adn_schema_n; i++) {
        const char *p = path, *row = adn_schema[i].path;
        while (*p != '\0' && *p == *row) {
            row++;
            if (*p++ == '[')
                while (isdigit((unsigned char)*p)) p++;
        }
        if (*p == '\0' && *row == '\0') return &adn_schema[i];
    }
    return NULL;
}

bool adn_schema_is_child(const adn_key *row, const char *section, const char **name)
{
    size_t n = strlen(section);
    if (n > 0 && (strncmp(row->path, section, n) != 0 || row->path[n] != '.')) return false;
    *name = row->path + n + (n > 0);
    return strpbrk(*name, ".[") == NULL;
}

const adn_word *adn_schema_word(const adn_key *key, const char *text)
{
    for (const adn_word *w = key->words; w != NULL && w->word != NULL; w++)
        if (strcmp(w->word, text) == 0) return w;
    return NULL;
}

const char *adn_config_word(const char *key, int value)
{
    const adn_key *row = adn_schema_find(key);

    for (const adn_word *w = row != NULL ? row->words : NULL; w != NULL && w->word != NULL; w++)
        if (w->value == value && !w->is_later && strcmp(w->word, "auto") != 0) return w->word;
    return NULL;
}

const char *adn_mode_name(adn_mode mode)
{
    static const char *const names[] = {"bp", "sync", "greedy", "async"};
    return names[mode];
}
